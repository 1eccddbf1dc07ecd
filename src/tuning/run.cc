#include "tuning/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <random>
#include <system_error>

namespace keras_litert {

ScratchFile::ScratchFile(const std::filesystem::path& beside)
    : path_(beside.string() + ".calibrate-" + std::to_string(std::random_device{}()) + ".tflite") {}

ScratchFile::~ScratchFile() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Result<std::vector<litert::Array>> RunBatch(litert::LoadedModel& model,
                                            const std::vector<litert::Array>& batch,
                                            const std::vector<std::string>& names) {
  // The runtime orders inputs its own way, and drops none.
  std::vector<litert::Array> ordered;
  for (const std::string& name : model.input_names()) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      return Fail("", "runtime-3", "LiteRT knows an input '" + name + "' that the model lacks");
    }
    ordered.push_back(batch[static_cast<size_t>(found - names.begin())]);
  }
  return model.Run(ordered);
}

Result<const litert::Array*> OutputNamed(const litert::LoadedModel& model,
                                         const std::vector<litert::Array>& outputs,
                                         const std::string& name) {
  const auto& names = model.output_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return Fail("", "runtime-3", fmt::format("LiteRT does not know output '{}'", name));
  }
  return &outputs[static_cast<size_t>(found - names.begin())];
}

}  // namespace keras_litert
