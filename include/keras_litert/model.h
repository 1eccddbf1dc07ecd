// Converts a model that is in memory: what a `.keras` archive holds, without the archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "keras_litert/options.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert {

// An array of the caller's: row-major, little-endian, without gaps. Nothing is copied: `bytes` must
// stay as they are until the call that reads them returns (a Graph's constants: until Write()
// returns), or `owner` keeps them alive.
struct Array {
  std::string dtype;           // Keras's spelling: "float32", "bfloat16", "bool" …
  std::vector<int64_t> shape;  // sizes ≥ 0
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner = nullptr;  // may be null
};

// What a `.keras` archive says.
struct MemoryModel {
  // config.json: {"class_name": …, "config": …}.
  std::string config;
  std::string keras_version;  // "3.15.1"
  // By the paths of model.weights.h5: "layers/conv2d/vars/0".
  std::map<std::string, Array, std::less<>> weights;
  // By the paths of the archive: "assets/layers/string_lookup/vocabulary.txt".
  std::map<std::string, std::string, std::less<>> assets;
};

// As Convert() for the archive that would hold `model`: the same bytes, the same errors.
Result<ConvertReport> Convert(const MemoryModel& model, const std::filesystem::path& output,
                              const ConvertOptions& options = {});

}  // namespace keras_litert
