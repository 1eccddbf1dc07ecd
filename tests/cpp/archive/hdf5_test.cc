#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "archive/hdf5_file.h"
#include "test_files.h"

namespace keras_litert::archive {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool All(std::string_view) {
  return false;
}  // skips nothing

Result<Hdf5File> Read(const std::string& content) {
  return Hdf5File::Read(ImageOf(content), "w.h5", All);
}

std::string ErrorOf(const std::string& content) {
  const auto file = Read(content);
  return file ? "no error" : file.error().ToString();
}

// The dataset at `path`, with a failure where the file cannot be read.
ir::ConstantPtr Dataset(const std::string& content, const std::string& path) {
  auto file = Read(content);
  EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().ToString());
  if (!file) return nullptr;
  const auto found = file->contents().datasets.find(path);
  EXPECT_NE(found, file->contents().datasets.end()) << path;
  return found == file->contents().datasets.end() ? nullptr : found->second;
}

template <typename T>
std::vector<T> Values(const ir::ConstantPtr& constant) {
  if (constant == nullptr) return {};
  const auto values = ir::EvaluateAs<T>(constant);
  EXPECT_TRUE(values.has_value()) << (values ? "" : values.error().ToString());
  return values ? *values : std::vector<T>();
}

hid_t Chunked(const std::vector<hsize_t>& sizes) {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, static_cast<int>(sizes.size()), sizes.data());
  return properties;
}

// Little-endian types of HDF5 with the dtypes that Keras stores in them.
struct TypeCase {
  hid_t little;
  hid_t big;
  ir::DType dtype;
};
std::vector<TypeCase> Types() {
  H5open();
  return {{H5T_STD_I8LE, H5T_STD_I8BE, ir::DType::kInt8},
          {H5T_STD_U8LE, H5T_STD_U8BE, ir::DType::kUInt8},
          {H5T_STD_I16LE, H5T_STD_I16BE, ir::DType::kInt16},
          {H5T_STD_U16LE, H5T_STD_U16BE, ir::DType::kUInt16},
          {H5T_STD_I32LE, H5T_STD_I32BE, ir::DType::kInt32},
          {H5T_STD_U32LE, H5T_STD_U32BE, ir::DType::kUInt32},
          {H5T_STD_I64LE, H5T_STD_I64BE, ir::DType::kInt64},
          {H5T_STD_U64LE, H5T_STD_U64BE, ir::DType::kUInt64},
          {H5T_IEEE_F32LE, H5T_IEEE_F32BE, ir::DType::kFloat32},
          {H5T_IEEE_F64LE, H5T_IEEE_F64BE, ir::DType::kFloat64}};
}

TEST(Hdf5Test, EveryNumberTypeInBothByteOrders) {
  const std::vector<double> values = {0, 1, 2, 100};
  for (const TypeCase& type : Types()) {
    for (const hid_t stored : {type.little, type.big}) {
      for (const bool latest : {false, true}) {
        std::vector<double> data = values;  // libhdf5 converts in place
        H5Tconvert(H5T_NATIVE_DOUBLE, stored, data.size(), data.data(), nullptr, H5P_DEFAULT);
        Hdf5Writer file({.latest = latest});
        file.Write("w", stored, {4}, data.data());
        const ir::ConstantPtr constant = Dataset(file.Finish(), "w");
        ASSERT_NE(constant, nullptr);
        EXPECT_EQ(constant->type().dtype, type.dtype);
        EXPECT_EQ(Values<double>(constant), values) << ir::Name(type.dtype);
        const bool in_place = stored == type.little || ir::SizeOf(type.dtype) == 1;
        EXPECT_EQ(constant->Describe(), in_place ? "view" : "reader");
      }
    }
  }
}

// As h5py defines NumPy's float16: IEEE 754 binary16.
TEST(Hdf5Test, Float16) {
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  const std::vector<uint16_t> bits = {0x3c00, 0xc000, 0x7bff};  // 1, -2, 65504
  Hdf5Writer file;
  file.Write("w", half, {3}, bits.data());
  H5Tclose(half);
  const ir::ConstantPtr constant = Dataset(file.Finish(), "w");
  EXPECT_EQ(constant->type().dtype, ir::DType::kFloat16);
  EXPECT_THAT(Values<float>(constant), ElementsAre(1, -2, 65504));
}

// As Keras's H5IOStore writes bfloat16: two opaque bytes, and an attribute.
TEST(Hdf5Test, BFloat16IsOpaqueWithAnAttribute) {
  for (const std::string name : {"bfloat16", "float8"}) {
    const hid_t opaque = H5Tcreate(H5T_OPAQUE, 2);
    const std::vector<uint16_t> bits = {0x3f80, 0xc000};  // 1, -2
    Hdf5Writer file;
    file.Write("w", opaque, {2}, bits.data());
    H5Tclose(opaque);
    file.WriteStrings("w", "dtype", {name}, 0, true);
    const std::string content = file.Finish();
    if (name == "bfloat16") {
      const ir::ConstantPtr constant = Dataset(content, "w");
      EXPECT_EQ(constant->type().dtype, ir::DType::kBFloat16);
      EXPECT_THAT(Values<float>(constant), ElementsAre(1, -2));
    } else {
      EXPECT_EQ(
          ErrorOf(content),
          "w.h5: w: archive-11: a weight has elements of 2 bytes of the HDF5 class opaque, "
          "which is no dtype that is read here\n"
          "  help: Cast the weight to a dtype of Keras (float32, int8, bool …) and save again.");
    }
  }
}

TEST(Hdf5Test, BoolIsAnEnumerationAndAnyOtherByteIsTrue) {
  const hid_t boolean = H5Tenum_create(H5T_STD_I8LE);
  int8_t value = 0;
  H5Tenum_insert(boolean, "FALSE", &value);
  value = 1;
  H5Tenum_insert(boolean, "TRUE", &value);
  const std::vector<int8_t> bytes = {0, 1, 77};
  Hdf5Writer file;
  file.Write("w", boolean, {3}, bytes.data());
  H5Tclose(boolean);
  const ir::ConstantPtr constant = Dataset(file.Finish(), "w");
  EXPECT_EQ(constant->type().dtype, ir::DType::kBool);
  EXPECT_THAT(Values<int32_t>(constant), ElementsAre(0, 1, 1));
}

TEST(Hdf5Test, ScalarsAndEmptyArrays) {
  const float value = 2.5F;
  Hdf5Writer file;
  file.Write("scalar", H5T_IEEE_F32LE, {}, &value);
  file.Write("empty", H5T_IEEE_F32LE, {0, 4}, nullptr);
  file.Write("never_written", H5T_IEEE_F32LE, {2}, nullptr);
  const std::string content = file.Finish();
  EXPECT_EQ(Dataset(content, "scalar")->type().ToString(), "float32[]");
  EXPECT_THAT(Values<float>(Dataset(content, "scalar")), ElementsAre(2.5F));
  EXPECT_EQ(Dataset(content, "empty")->type().ToString(), "float32[0, 4]");
  EXPECT_THAT(Values<float>(Dataset(content, "empty")), ElementsAre());
  EXPECT_THAT(Values<float>(Dataset(content, "never_written")), ElementsAre(0, 0));
}

TEST(Hdf5Test, CompactDataIsAView) {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(properties, H5D_COMPACT);
  const std::vector<float> values = {1, 2, 3};
  Hdf5Writer file;
  file.Write("w", H5T_IEEE_F32LE, {3}, values.data(), properties);
  const ir::ConstantPtr constant = Dataset(file.Finish(), "w");
  EXPECT_EQ(constant->Describe(), "view");
  EXPECT_THAT(Values<float>(constant), ElementsAre(1, 2, 3));
}

TEST(Hdf5Test, ChunksWithEveryFilterChain) {
  std::vector<float> values(7 * 10 * 3);
  std::iota(values.begin(), values.end(), -50.0F);
  for (int filters = 0; filters < 8; ++filters) {
    const hid_t properties = Chunked({3, 4, 2});
    if ((filters & 1) != 0) H5Pset_shuffle(properties);
    if ((filters & 2) != 0) H5Pset_deflate(properties, 6);
    if ((filters & 4) != 0) H5Pset_fletcher32(properties);
    Hdf5Writer file;
    file.Write("w", H5T_IEEE_F32LE, {7, 10, 3}, values.data(), properties);
    const ir::ConstantPtr constant = Dataset(file.Finish(), "w");
    EXPECT_EQ(constant->Describe(), "reader");
    EXPECT_EQ(Values<float>(constant), values) << filters;
  }
}

TEST(Hdf5Test, ManyChunksMakeADeepIndex) {
  std::vector<int32_t> values(100 * 100);
  std::iota(values.begin(), values.end(), 0);
  Hdf5Writer file;
  file.Write("w", H5T_STD_I32LE, {100, 100}, values.data(), Chunked({1, 7}));
  EXPECT_EQ(Values<int32_t>(Dataset(file.Finish(), "w")), values);
}

TEST(Hdf5Test, ChunksThatWereNeverWrittenHaveTheFillValue) {
  const hid_t properties = Chunked({2});
  const int32_t fill = 7;
  H5Pset_fill_value(properties, H5T_STD_I32LE, &fill);
  Hdf5Writer file;
  file.Write("w", H5T_STD_I32LE, {5}, nullptr, properties);
  const hid_t dataset = H5Dopen2(file.file(), "w", H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  const hsize_t start = 3;
  const hsize_t count = 1;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &count, nullptr);
  const hid_t memory = H5Screate_simple(1, &count, nullptr);
  const int32_t value = 1;
  H5Dwrite(dataset, H5T_STD_I32LE, memory, space, H5P_DEFAULT, &value);
  H5Sclose(memory);
  H5Sclose(space);
  H5Dclose(dataset);
  EXPECT_THAT(Values<int32_t>(Dataset(file.Finish(), "w")), ElementsAre(7, 7, 7, 1, 7));
}

TEST(Hdf5Test, AThousandLayers) {
  Hdf5Writer file;
  for (int i = 0; i < 1000; ++i) {
    const std::string layer = "layers/dense_" + std::to_string(i) + "/vars/";
    file.Write(layer + "0", {static_cast<float>(i)});
    file.Write(layer + "1", {1, 2});
  }
  const auto read = Read(file.Finish());
  ASSERT_TRUE(read.has_value()) << read.error().ToString();
  EXPECT_EQ(read->contents().datasets.size(), 2000U);
  EXPECT_THAT(Values<float>(read->contents().datasets.find("layers/dense_765/vars/0")->second),
              ElementsAre(765));
}

TEST(Hdf5Test, UserBlocksShiftTheData) {
  for (const hsize_t size : {512, 2048}) {
    Hdf5Writer file({.user_block = size});
    file.Write("w", {1, 2});
    const std::string content = file.Finish();
    EXPECT_FALSE(Hdf5File::LooksLikeHdf5(ImageOf(content).bytes));
    EXPECT_TRUE(Hdf5File::HasUserBlock(ImageOf(content).bytes));
    EXPECT_THAT(Values<float>(Dataset(content, "w")), ElementsAre(1, 2));
  }
}

TEST(Hdf5Test, AttributesOfGroups) {
  Hdf5Writer file;
  file.MakeGroup("g");
  file.WriteStrings("g", "variable", {"a", "", "long name"});
  file.WriteStrings("g", "fixed", {"abc", "d"}, 3);
  const int32_t number = 1;
  const hid_t group = H5Oopen(file.file(), "g", H5P_DEFAULT);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute =
      H5Acreate2(group, "number", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, H5T_STD_I32LE, &number);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Oclose(group);
  const auto read = Read(file.Finish());
  ASSERT_TRUE(read.has_value());
  EXPECT_THAT(**read->ReadStrings("g", "variable"), ElementsAre("a", "", "long name"));
  EXPECT_THAT(**read->ReadStrings("g", "fixed"), ElementsAre("abc", "d"));
  EXPECT_EQ(*read->ReadStrings("g", "none"), nullptr);
  const auto wrong = read->ReadStrings("g", "number");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().ToString(),
            "w.h5: g: archive-8: attribute `number` cannot be read as text\n"
            "  help: Save the model again with `model.save(\"model.keras\")`.");
}

TEST(Hdf5Test, LinksAndOtherFilesAreRefused) {
  for (const bool latest : {false, true}) {
    Hdf5Writer file({.latest = latest});
    file.Write("a", {1});
    H5Lcreate_soft("/a", file.file(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/a", file.file(), "external", H5P_DEFAULT, H5P_DEFAULT);
    const hid_t outside = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(outside, "/etc/hostname", 0, 4);
    file.Write("outside", H5T_IEEE_F32LE, {1}, nullptr, outside);
    const std::string error = ErrorOf(file.Finish());
    EXPECT_THAT(error, HasSubstr("w.h5: soft: archive-10: a soft link instead of an object"));
    EXPECT_THAT(error, HasSubstr("w.h5: external: archive-10: an external link instead of"));
    EXPECT_THAT(error,
                HasSubstr("w.h5: outside: archive-10: a weight's data lies in another file"));
  }
}

TEST(Hdf5Test, VirtualDatasetsAreRefused) {
  Hdf5Writer file({.latest = true});
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t size = 2;
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  H5Pset_virtual(properties, space, "other.h5", "/a", space);
  H5Sclose(space);
  file.Write("w", H5T_IEEE_F32LE, {2}, nullptr, properties);
  EXPECT_THAT(ErrorOf(file.Finish()),
              HasSubstr("w.h5: w: archive-10: a weight's data lies in another file"));
}

TEST(Hdf5Test, CyclesAndDepthEnd) {
  Hdf5Writer cyclic;
  cyclic.MakeGroup("g");
  H5Lcreate_hard(cyclic.file(), "/", cyclic.file(), "/g/again", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_EQ(ErrorOf(cyclic.Finish()),
            "w.h5: g/again: archive-10: the group is reached by two paths\n"
            "  help: Keras writes no such links; save the model again with Keras.");
  std::string path = "g";
  for (int i = 0; i < 100; ++i) path += "/g";
  Hdf5Writer deep;
  deep.MakeGroup(path);
  EXPECT_THAT(ErrorOf(deep.Finish()), HasSubstr("archive-9: groups are nested more than 64 deep"));
}

TEST(Hdf5Test, ClaimsBeyondTheFileAreRefused) {
  Hdf5Writer bomb;
  bomb.Write("w", H5T_IEEE_F32LE, {1000000, 1000000}, nullptr, Chunked({1, 1000}));
  EXPECT_THAT(ErrorOf(bomb.Finish()),
              HasSubstr("archive-9: a weight claims 4000000000000 bytes in a file of"));
  Hdf5Writer file;
  file.Write("w", {1, 2, 3});
  std::string content = file.Finish();
  EXPECT_THAT(ErrorOf(content.substr(0, content.size() - 1)),
              HasSubstr("archive-7: the HDF5 file is truncated: it has"));
  // A dimension of the shape, which only the dataspace's message has: 3 becomes 3 + 2^40.
  const std::string three("\3\0\0\0\0\0\0\0", 8);
  bool found = false;
  for (size_t at = content.find(three); at != std::string::npos; at = content.find(three, at + 1)) {
    std::string lie = content;
    lie[at + 5] = 1;
    found |=
        ErrorOf(lie).find("archive-7: a weight claims 4398046511116 bytes") != std::string::npos;
  }
  EXPECT_TRUE(found);
}

TEST(Hdf5Test, UnreadFiltersAreNamed) {
  const hid_t properties = Chunked({4});
  const unsigned none = 0;
  H5Pset_filter(properties, H5Z_FILTER_NBIT, H5Z_FLAG_OPTIONAL, 0, &none);
  const std::vector<float> values = {1, 2, 3, 4};
  Hdf5Writer file;
  file.Write("w", H5T_IEEE_F32LE, {4}, values.data(), properties);
  EXPECT_THAT(ErrorOf(file.Finish()),
              HasSubstr("archive-12: a weight is compressed by the HDF5 filter nbit; only gzip, "
                        "shuffle and fletcher32 are read here"));
}

TEST(Hdf5Test, GroupsInFractalHeapsAreNamed) {
  Hdf5Writer file({.latest = true});
  for (int i = 0; i < 20; ++i) file.Write("layers/" + std::to_string(i), {1});
  EXPECT_THAT(ErrorOf(file.Finish()),
              HasSubstr("w.h5: layers: archive-15: the group keeps its links in a fractal heap"));
}

// Every byte of a small file changed in turn: whatever it says then, nothing outside of it is read
// (AddressSanitizer watches), and it ends.
TEST(Hdf5Test, NoChangedByteReadsOutside) {
  for (const bool latest : {false, true}) {
    Hdf5Writer file({.latest = latest});
    file.Write("layers/a/vars/0", {1, 2, 3});
    file.WriteStrings("layers/a", "name", {"a", "b"});
    const std::vector<float> values(12, 1.0F);
    const hid_t properties = Chunked({2, 3});
    if (!latest) H5Pset_deflate(properties, 6);
    file.Write("c", H5T_IEEE_F32LE, {3, 4}, values.data(),
               latest ? (H5Pclose(properties), H5P_DEFAULT) : properties);
    const std::string content = file.Finish();
    size_t read_whole = 0;
    for (size_t at = 0; at < content.size(); ++at) {
      for (const int flip : {0x01, 0xff}) {
        std::string changed = content;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        const auto read = Read(changed);
        if (!read) continue;
        for (const auto& [path, value] : read->contents().datasets) {
          if (value->byte_size() < 1 << 20) (void)ir::EvaluateBytes(*value).has_value();
        }
        if (read->HasGroup("layers/a")) (void)read->ReadStrings("layers/a", "name").has_value();
        ++read_whole;
      }
    }
    EXPECT_GT(read_whole, content.size()) << "most bytes are data or gaps";
  }
}

}  // namespace
}  // namespace keras_litert::archive
