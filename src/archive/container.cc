#include "archive/container.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "archive/zip.h"

namespace keras_litert::archive {
namespace {

constexpr uint64_t kMaxUnpacked = uint64_t{1}
                                  << 40;  // of a deflated entry; zip.cc also bounds its ratio
constexpr size_t kMaxFolderFiles = 100000;

std::string AsString(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ZipContainer final : public Container {
 public:
  ZipContainer(Image image, ZipDirectory directory, std::string name)
      : image_(std::move(image)), directory_(std::move(directory)), name_(std::move(name)) {}

  const std::string& name() const override { return name_; }
  bool Has(std::string_view path) const override { return directory_.Find(path) != nullptr; }
  std::vector<std::string> Paths() const override {
    std::vector<std::string> paths;
    for (const auto& [path, entry] : directory_.entries()) paths.push_back(path);
    return paths;
  }
  Result<std::string> Read(std::string_view path, uint64_t limit) const override {
    KL_ASSIGN_OR_RETURN(const ZipEntry* entry, Find(path));
    KL_ASSIGN_OR_RETURN(std::vector<std::byte> content,
                        directory_.ReadContent(path, *entry, limit));
    return AsString(content);
  }
  Result<Image> OpenImage(std::string_view path) const override {
    KL_ASSIGN_OR_RETURN(const ZipEntry* entry, Find(path));
    if (entry->is_stored()) {  // its checksum is not verified: that would read all of it
      KL_ASSIGN_OR_RETURN(std::span<const std::byte> bytes, directory_.StoredBytes(path, *entry));
      return image_.Part(static_cast<size_t>(bytes.data() - image_.bytes.data()), bytes.size());
    }
    KL_ASSIGN_OR_RETURN(std::vector<std::byte> content,
                        directory_.ReadContent(path, *entry, kMaxUnpacked));
    auto owner = std::make_shared<std::vector<std::byte>>(std::move(content));
    return Image{*owner, owner, {}};
  }

 private:
  Result<const ZipEntry*> Find(std::string_view path) const {
    const ZipEntry* entry = directory_.Find(path);
    if (entry == nullptr) {
      return Fail(name_, "archive-5", "there is no entry `" + std::string(path) + "`");
    }
    return entry;
  }

  Image image_;
  ZipDirectory directory_;
  std::string name_;
};

class FolderContainer final : public Container {
 public:
  FolderContainer(std::filesystem::path folder, std::vector<std::string> paths, std::string name)
      : folder_(std::move(folder)), paths_(std::move(paths)), name_(std::move(name)) {}

  const std::string& name() const override { return name_; }
  bool Has(std::string_view path) const override {
    return std::binary_search(paths_.begin(), paths_.end(), path);
  }
  std::vector<std::string> Paths() const override { return paths_; }
  Result<std::string> Read(std::string_view path, uint64_t limit) const override {
    KL_ASSIGN_OR_RETURN(const Image image, OpenImage(path));
    if (image.bytes.size() > limit) {
      return Fail(name_, "archive-4",
                  "file `" + std::string(path) + "` has " + std::to_string(image.bytes.size()) +
                      " bytes, more than " + std::to_string(limit),
                  "Save the model again with Keras.");
    }
    return AsString(image.bytes);
  }
  Result<Image> OpenImage(std::string_view path) const override {
    // Only what was listed can be opened, so no path leads out of the folder.
    if (!Has(path)) {
      return Fail(name_, "archive-5", "there is no file `" + std::string(path) + "`");
    }
    KL_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file,
                        MappedFile::Open(folder_ / std::filesystem::path(path)));
    return ImageOfMapping(std::move(file));
  }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> paths_;
  std::string name_;
};

}  // namespace

Image ImageOfMapping(std::shared_ptr<const MappedFile> file) {
  const std::span<const std::byte> bytes = file->bytes();
  const MappedFile* raw = file.get();
  return Image{bytes, std::move(file), [raw](size_t at, size_t n) { raw->Release(at, n); }};
}

Result<std::shared_ptr<const Container>> OpenZip(Image image, std::string name) {
  KL_ASSIGN_OR_RETURN(ZipDirectory directory, ZipDirectory::Read(image.bytes, name));
  return std::make_shared<ZipContainer>(std::move(image), std::move(directory), std::move(name));
}

Result<std::shared_ptr<const Container>> OpenFolder(const std::filesystem::path& folder,
                                                    std::string name) {
  std::vector<std::string> paths;
  std::error_code error;
  // Follows no symbolic links to folders, so it ends.
  std::filesystem::recursive_directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) {
      paths.push_back(it->path().lexically_relative(folder).generic_string());
    }
    if (paths.size() > kMaxFolderFiles) {
      return Fail(std::move(name), "archive-9",
                  "the folder has more than " + std::to_string(kMaxFolderFiles) + " files",
                  "Name the folder of the model itself.");
    }
  }
  if (error) {
    return Fail(std::move(name), "archive-1", "the folder cannot be read: " + error.message(),
                "Check its permissions.");
  }
  std::sort(paths.begin(), paths.end());
  return std::make_shared<FolderContainer>(folder, std::move(paths), std::move(name));
}

}  // namespace keras_litert::archive
