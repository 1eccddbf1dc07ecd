#include "archive/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>
#include <zip.h>

#include <cstring>
#include <fstream>

namespace keras_litert::archive {
namespace {

using ::testing::ElementsAre;

// A folder that is removed with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "archive_test_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Writes one float32 vector at each path, in the layout that h5py chooses.
void WriteHdf5(const std::filesystem::path& file,
               const std::vector<std::pair<std::string, std::vector<float>>>& datasets) {
  const hid_t f = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  for (const auto& [path, values] : datasets) {
    const hsize_t size = values.size();
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    const hid_t d =
        H5Dcreate2(f, path.c_str(), H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(d);
    H5Sclose(space);
  }
  H5Pclose(links);
  H5Fclose(f);
}

std::string ReadFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteZip(const std::filesystem::path& file,
              const std::vector<std::pair<std::string, std::string>>& entries, int method) {
  zip_t* zip = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto& [name, content] : entries) {
    zip_source_t* source = zip_source_buffer(zip, content.data(), content.size(), 0);
    const auto index = zip_file_add(zip, name.c_str(), source, 0);
    zip_set_file_compression(zip, static_cast<zip_uint64_t>(index), method, 0);
  }
  ASSERT_EQ(zip_close(zip), 0);
}

TEST(ArchiveTest, StoredEntryGivesViewsOfTheMappedFile) {
  TemporaryFolder folder;
  WriteHdf5(folder / "w.h5", {{"layers/conv2d/vars/0", {1, 2, 3}}, {"layers/conv2d/vars/1", {4}}});
  WriteZip(folder / "m.keras",
           {{"metadata.json", R"({"keras_version": "3.15.1"})"},
            {"config.json", R"({"class_name": "Functional"})"},
            {"model.weights.h5", ReadFile(folder / "w.h5")}},
           ZIP_CM_STORE);
  auto archive = Open(folder / "m.keras");
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_EQ((*archive)->config(), R"({"class_name": "Functional"})");
  EXPECT_EQ((*archive)->keras_version(), "3.15.1");
  EXPECT_EQ((*archive)->Weights().size(), 2U);
  const ir::ConstantPtr weight = (*archive)->Find("layers/conv2d/vars/0");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->type().ToString(), "float32[3]");
  EXPECT_EQ(weight->Describe(), "view");
  EXPECT_THAT(*ir::EvaluateAs<float>(weight), ElementsAre(1, 2, 3));
  weight->Release();
  EXPECT_THAT(*ir::EvaluateAs<float>(weight), ElementsAre(1, 2, 3));
  EXPECT_EQ((*archive)->Find("layers/conv2d/vars/2"), nullptr);
}

TEST(ArchiveTest, DeflatedEntryGivesTheSameWeights) {
  TemporaryFolder folder;
  WriteHdf5(folder / "w.h5", {{"layers/conv2d/vars/0", {1, 2, 3}}});
  WriteZip(folder / "m.keras",
           {{"config.json", "{}"}, {"model.weights.h5", ReadFile(folder / "w.h5")}},
           ZIP_CM_DEFLATE);
  auto archive = Open(folder / "m.keras");
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_THAT(*ir::EvaluateAs<float>((*archive)->Find("layers/conv2d/vars/0")),
              ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace keras_litert::archive
