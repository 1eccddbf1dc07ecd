// Where the files of a saved Keras model lie: in a zip file, or unpacked in a folder
// (`model.save(…, zipped=False)`, a snapshot of the Hugging Face Hub).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive/image.h"
#include "util/platform.h"
#include "util/result.h"

namespace keras_litert::archive {

class Container {
 public:
  virtual ~Container() = default;

  // The name to use in errors.
  virtual const std::string& name() const = 0;
  virtual bool Has(std::string_view path) const = 0;
  // All files, sorted, with forward slashes.
  virtual std::vector<std::string> Paths() const = 0;
  // A whole file of at most `limit` bytes.
  virtual Result<std::string> Read(std::string_view path, uint64_t limit) const = 0;
  // A file in memory: mapped where it can be, else unpacked.
  virtual Result<Image> OpenImage(std::string_view path) const = 0;
};

Image ImageOfMapping(std::shared_ptr<const MappedFile> file);

Result<std::shared_ptr<const Container>> OpenZip(Image image, std::string name);
Result<std::shared_ptr<const Container>> OpenFolder(const std::filesystem::path& folder,
                                                    std::string name);

}  // namespace keras_litert::archive
