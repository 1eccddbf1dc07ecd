// Converts a saved Keras model into a LiteRT file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "keras_litert/options.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert {

// Reads the `.keras`, `.h5` or `.hdf5` file `model` and writes `output` (`.tflite`).
//
// The file is written beside its target and renamed when complete: where an error is returned,
// `output` is as it was before. The error carries every problem of the model, not the first only.
// Same input and options: same bytes. Thread-safe; never prints, never throws.
Result<ConvertReport> Convert(const std::filesystem::path& model,
                              const std::filesystem::path& output,
                              const ConvertOptions& options = {});

// The names that ConvertOptions::dump_after takes, in the order in which they run.
std::vector<std::string> PassNames();

}  // namespace keras_litert
