// Converts a model that is in memory: what a `.keras` archive holds, without the archive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "keras_litert/array.h"
#include "keras_litert/options.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert {

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
