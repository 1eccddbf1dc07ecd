// Files for the archive's tests. HDF5 files come from libhdf5 and zip files from libzip, so that
// the readers are tested against what others write; only files that nobody would write are made by
// hand.
#pragma once

#include <hdf5.h>
#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "archive/image.h"

namespace keras_litert::archive {

// A folder that is removed with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string ReadFile(const std::filesystem::path& file);
void WriteFile(const std::filesystem::path& file, const std::string& content);
Image ImageOf(const std::string& content);

// An HDF5 file as libhdf5 writes it.
class Hdf5Writer {
 public:
  struct Options {
    bool latest = false;  // libver="latest" of h5py
    hsize_t user_block = 0;
  };
  explicit Hdf5Writer(Options options);
  Hdf5Writer() : Hdf5Writer(Options()) {}
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;
  ~Hdf5Writer();

  hid_t file() const { return file_; }
  // Writes a dataset, and the groups above it. `properties` may say how (chunks, filters …); they
  // are closed.
  void Write(const std::string& path, hid_t type, const std::vector<hsize_t>& sizes,
             const void* data, hid_t properties = H5P_DEFAULT);
  void Write(const std::string& path, const std::vector<float>& values);
  void MakeGroup(const std::string& path);
  // A string attribute: variable length, or fixed where `fixed` is the length.
  void WriteStrings(const std::string& path, const std::string& name,
                    const std::vector<std::string>& values, size_t fixed = 0, bool scalar = false);
  // Closes the file and gives its bytes.
  std::string Finish();

 private:
  TemporaryFolder folder_;
  hid_t file_;
};

using Entries = std::vector<std::pair<std::string, std::string>>;

// A zip file as libzip writes it; `method` is ZIP_CM_STORE or ZIP_CM_DEFLATE.
std::string Zip(const Entries& entries, int method = ZIP_CM_STORE);

// The smallest .keras archive around these weights.
std::string Keras(const std::string& weights);

}  // namespace keras_litert::archive
