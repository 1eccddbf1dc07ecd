// An HDF5 file in memory: its datasets as constants, its groups' attributes as text.
//
// Our own reader rather than libhdf5: it opens a model of a thousand weights in two milliseconds
// instead of sixty, needs no lock, and cannot be led outside of the file's bytes by a crafted file.
// What it reads is in hdf5_messages.h; anything else is an error that says so.
//
// Refused, as Keras refuses them: soft links, external links, external storage, virtual datasets;
// also groups that are reached by two paths.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/image.h"
#include "ir/constant.h"
#include "util/result.h"

namespace keras_litert::archive {

// The strings of an attribute.
using Strings = std::vector<std::string>;

class Hdf5File {
 public:
  // Everything below the root but what `skip` says, by path without a leading slash ("" is the root
  // group).
  struct Contents {
    // Datasets that lie in one piece in the machine's byte order are views of the image; the others
    // are read when they are evaluated. All of them keep the image alive, not this object.
    std::map<std::string, ir::ConstantPtr, std::less<>> datasets;
    std::map<std::string, uint64_t, std::less<>> groups;  // the addresses of their headers
  };

  // True if `bytes` starts as an HDF5 file does.
  static bool LooksLikeHdf5(std::span<const std::byte> bytes);
  // The same behind a user block.
  static bool HasUserBlock(std::span<const std::byte> bytes);

  // Reads the file's structure. `name` is for errors: the file's name, or "model.keras:
  // model.weights.h5". Objects for which `skip` (given the path) is true are not looked at. All
  // weights that cannot be represented are reported at once.
  static Result<Hdf5File> Read(Image image, std::string name,
                               const std::function<bool(std::string_view)>& skip);

  const Contents& contents() const { return contents_; }
  Contents TakeContents() { return std::move(contents_); }
  bool HasGroup(std::string_view path) const { return contents_.groups.contains(path); }

  // A string attribute of the group (fixed or variable length, one or an array; an empty array of
  // any type has no strings); null where the group has no such attribute. REQUIRES: HasGroup(path).
  Result<std::unique_ptr<Strings>> ReadStrings(std::string_view path, std::string_view name) const;

 private:
  Hdf5File(Image image, std::string name) : image_(std::move(image)), name_(std::move(name)) {}

  Image image_;  // from the base address on
  std::string name_;
  Contents contents_;
};

}  // namespace keras_litert::archive
