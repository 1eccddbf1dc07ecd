// What the tool's exit codes mean. docs/cli.md and `--help` state them; scripts depend on them.
#pragma once

#include "keras_litert/result.h"

namespace keras_litert::cli {

enum class ExitCode : int {
  kOk = 0,
  kModel = 1,     // the model cannot be converted, or the outputs differ
  kUsage = 2,     // the command line is wrong: options, names, shapes
  kFile = 3,      // a file cannot be read or written, or is damaged
  kRuntime = 4,   // the LiteRT runtime is missing or failed
  kInternal = 5,  // a bug of this tool
};

// The exit code for what the library returned, told from the diagnostics' codes. Diagnostics of
// several kinds are a problem of the model.
ExitCode ExitCodeFor(const Error& error);

}  // namespace keras_litert::cli
