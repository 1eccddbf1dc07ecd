// Conversion of a model that is already open: what Convert() does behind archive::Open.
#pragma once

#include <filesystem>
#include <string>

#include "archive/archive.h"
#include "keras_litert/options.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert {

// As Convert(); `name` names the model in errors. The report's `seconds` is left out.
Result<ConvertReport> ConvertArchive(const archive::Archive& archive, const std::string& name,
                                     const std::filesystem::path& output,
                                     const ConvertOptions& options);

}  // namespace keras_litert
