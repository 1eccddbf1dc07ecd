// Inspect() for LiteRT files.
#pragma once

#include <filesystem>

#include "keras_litert/inspect.h"

namespace keras_litert {

// Reads the tables of `file`, whoever wrote it: operators and options that this compiler does not
// know are no error. Everything is checked before it is used. Errors: tflite-1 (no LiteRT file, or
// a damaged one), file-1 ….
Result<InspectReport> InspectTflite(const std::filesystem::path& file);

}  // namespace keras_litert
