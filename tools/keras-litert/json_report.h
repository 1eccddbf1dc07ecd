// The reports as JSON: what `--json` prints. docs/cli.md states the keys; scripts depend on them.
#pragma once

#include <nlohmann/json.hpp>

#include "exit_code.h"
#include "keras_litert/inspect.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"
#include "keras_litert/verify.h"

namespace keras_litert::cli {

using Json = nlohmann::ordered_json;

Json ToJson(const ConvertReport& report);
Json ToJson(const InspectReport& report);
Json ToJson(const VerifyReport& report);
// {"errors": [{"path", "paths", "code", "message", "hint"}], "exit_code"}
Json ToJson(const Error& error, ExitCode exit_code);

// Prints `json` on standard output, indented. Bytes that are no UTF-8 become U+FFFD.
void PrintJson(const Json& json);

// "tflite", "keras" or "hdf5".
const char* Name(FileFormat format);

}  // namespace keras_litert::cli
