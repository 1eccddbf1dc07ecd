// An HDF5 file in memory: its datasets as constants, its attributes as strings.
//
// libhdf5 is not thread-safe, prints its errors and may load plugins; everything here runs under
// one lock with the printing and the plugins off, and the caller's settings restored afterwards.
//
// Refused, as Keras refuses them: soft links, external links, external storage, virtual datasets;
// also hard links that reach a group twice.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/constant.h"
#include "util/result.h"

namespace keras_litert::archive {

// The bytes of an HDF5 file, and who keeps them alive.
struct Hdf5Image {
  std::span<std::byte> bytes;  // writable because libhdf5's interface asks for it; not written
  std::shared_ptr<const void> owner;  // keeps `bytes` alive
  // Drops the cached pages of [offset, offset + size) of `bytes`; empty where there are none to
  // drop.
  std::function<void(size_t offset, size_t size)> release;
};

class Hdf5File {
 public:
  virtual ~Hdf5File() = default;

  // True if `bytes` starts as an HDF5 file does.
  static bool LooksLikeHdf5(std::span<const std::byte> bytes);
  // `name` is for errors: the file's name, or "model.keras: model.weights.h5".
  static Result<std::shared_ptr<const Hdf5File>> Open(Hdf5Image image, std::string name);

  // Every dataset below `group` ("" is the root), by its path relative to it. Groups for which
  // `skip` (given the relative path) is true are left out. Datasets that lie in one piece in the
  // native byte order are views, the others are read when evaluated. All that cannot be represented
  // is reported at once.
  virtual Result<std::map<std::string, ir::ConstantPtr, std::less<>>> Datasets(
      std::string_view group, const std::function<bool(std::string_view)>& skip) const = 0;

  // True if the object at `path` has the attribute. The object must exist.
  virtual bool HasAttribute(const std::string& path, const std::string& name) const = 0;
  // A string attribute of any kind (fixed, variable, one-element); an empty array gives no strings.
  virtual Result<std::vector<std::string>> ReadStrings(const std::string& path,
                                                       const std::string& name) const = 0;
  // True if every part of `path` is a hard link and the last one leads to a group.
  virtual bool HasGroup(std::string_view path) const = 0;
};

}  // namespace keras_litert::archive
