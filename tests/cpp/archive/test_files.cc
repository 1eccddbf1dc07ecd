#include "test_files.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

namespace keras_litert::archive {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "archive_test_XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TemporaryFolder::~TemporaryFolder() {
  std::filesystem::remove_all(path_);
}

std::string ReadFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::filesystem::path& file, const std::string& content) {
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

Image ImageOf(const std::string& content) {
  // An allocation of exactly this size, so that AddressSanitizer sees a read beyond it.
  auto bytes = std::make_shared<std::vector<std::byte>>(content.size());
  if (!content.empty()) std::memcpy(bytes->data(), content.data(), content.size());
  return Image{*bytes, bytes, {}};
}

Hdf5Writer::Hdf5Writer(Options options) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (options.latest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  if (options.user_block > 0) H5Pset_userblock(creation, options.user_block);
  file_ = H5Fcreate((folder_ / "file.h5").c_str(), H5F_ACC_TRUNC, creation, access);
  H5Pclose(creation);
  H5Pclose(access);
}

Hdf5Writer::~Hdf5Writer() {
  if (file_ >= 0) H5Fclose(file_);
}

void Hdf5Writer::Write(const std::string& path, hid_t type, const std::vector<hsize_t>& sizes,
                       const void* data, hid_t properties) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t space = sizes.empty()
                          ? H5Screate(H5S_SCALAR)
                          : H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
  const hid_t dataset =
      H5Dcreate2(file_, path.c_str(), type, space, links, properties, H5P_DEFAULT);
  if (data != nullptr) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Pclose(links);
  if (properties != H5P_DEFAULT) H5Pclose(properties);
}

void Hdf5Writer::Write(const std::string& path, const std::vector<float>& values) {
  Write(path, H5T_IEEE_F32LE, {values.size()}, values.data());
}

void Hdf5Writer::MakeGroup(const std::string& path) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  H5Gclose(H5Gcreate2(file_, path.c_str(), links, H5P_DEFAULT, H5P_DEFAULT));
  H5Pclose(links);
}

void Hdf5Writer::WriteStrings(const std::string& path, const std::string& name,
                              const std::vector<std::string>& values, size_t fixed, bool scalar) {
  const hid_t object = H5Oopen(file_, path.c_str(), H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, fixed > 0 ? fixed : H5T_VARIABLE);
  const hsize_t count = values.size();
  const hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (fixed > 0) {
    std::string bytes;
    for (const std::string& value : values) {
      bytes += value;
      bytes.resize((bytes.size() + fixed - 1) / fixed * fixed, '\0');
    }
    H5Awrite(attribute, type, bytes.data());
  } else {
    std::vector<const char*> pointers;
    for (const std::string& value : values) pointers.push_back(value.c_str());
    H5Awrite(attribute, type, pointers.data());
  }
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  H5Oclose(object);
}

std::string Hdf5Writer::Finish() {
  H5Fclose(file_);
  file_ = H5I_INVALID_HID;
  return ReadFile(folder_ / "file.h5");
}

std::string Zip(const Entries& entries, int method) {
  TemporaryFolder folder;
  zip_t* zip = zip_open((folder / "file.zip").c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto& [name, content] : entries) {
    zip_source_t* source = zip_source_buffer(zip, content.data(), content.size(), 0);
    const auto index = zip_file_add(zip, name.c_str(), source, 0);
    zip_set_file_compression(zip, static_cast<zip_uint64_t>(index), method, 0);
  }
  if (zip_close(zip) != 0) return "";
  return ReadFile(folder / "file.zip");
}

std::string Keras(const std::string& weights) {
  return Zip({{"metadata.json", R"({"keras_version": "3.15.1"})"},
              {"config.json", R"({"class_name": "Functional"})"},
              {"model.weights.h5", weights}});
}

}  // namespace keras_litert::archive
