// Opens the input as a model file (zip or HDF5) and reads everything that it offers. No input may
// crash, hang or need memory out of proportion to its size.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "archive/hdf5_file.h"
#include "archive/json.h"
#include "archive/readers.h"

namespace keras_litert::archive {
namespace {

constexpr size_t kMaxWeight = size_t{8} << 20;  // larger ones are not evaluated, for speed

void Evaluate(const ir::Constant& constant) {
  if (constant.byte_size() > kMaxWeight) return;
  const auto bytes = ir::EvaluateBytes(constant);
  constant.Release();
  (void)constant.Describe();
  (void)bytes.has_value();
}

void ReadAll(const Archive& archive) {
  (void)ParseJson(archive.config(), "config.json").has_value();
  for (const StoredWeight& weight : archive.Weights()) {
    Evaluate(*weight.value);
    (void)archive.Find(weight.path);
  }
  for (const std::string& path : archive.AssetPaths()) (void)archive.ReadAsset(path).has_value();
}

Image ImageOf(const uint8_t* data, size_t size) {
  // A copy of its own, so that a read beyond the end is found.
  auto bytes = std::make_shared<std::vector<std::byte>>(
      reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
  bytes->shrink_to_fit();
  return Image{*bytes, bytes, {}};
}

}  // namespace
}  // namespace keras_litert::archive

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keras_litert::archive;
  if (const auto archive = OpenImage(ImageOf(data, size), "input")) ReadAll(**archive);
  // HDF5 also as the weights of a .keras file, without a zip around it.
  const auto file =
      Hdf5File::Read(ImageOf(data, size), "weights", [](std::string_view) { return false; });
  if (file) {
    for (const auto& [path, value] : file->contents().datasets) Evaluate(*value);
    for (const auto& [path, address] : file->contents().groups) {
      (void)file->ReadStrings(path, "name").has_value();
    }
  }
  (void)ParseJson({reinterpret_cast<const char*>(data), size}, "config.json").has_value();
  return 0;
}
