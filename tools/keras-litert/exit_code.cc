#include "exit_code.h"

#include <string_view>
#include <utility>

namespace keras_litert::cli {
namespace {

// Diagnostics that are no problem of the model itself, by family ("archive" of "archive-2") or
// code.
constexpr std::pair<std::string_view, ExitCode> kCodes[] = {
    {"usage", ExitCode::kUsage},
    {"option", ExitCode::kUsage},  // what an option asks for does not fit the model
    {"file", ExitCode::kFile},
    {"archive", ExitCode::kFile},
    {"write", ExitCode::kFile},
    {"tflite", ExitCode::kFile},
    {"npz", ExitCode::kFile},
    {"arrays", ExitCode::kUsage},
    {"runtime", ExitCode::kRuntime},
    // Names of recipes, operators and layers.
    {"quantize-1", ExitCode::kUsage},
    {"quantize-2", ExitCode::kUsage},
    {"quantize-3", ExitCode::kUsage},
    {"quantize-6", ExitCode::kUsage},
    {"auto-2", ExitCode::kUsage},
    {"samples-7", ExitCode::kFile},  // an image that cannot be decoded
    {"samples", ExitCode::kUsage},   // what --calibrate names does not fit the model
    {"internal", ExitCode::kInternal},
};

ExitCode CodeOf(const Diagnostic& diagnostic) {
  const std::string_view code = diagnostic.code;
  const std::string_view family = code.substr(0, code.rfind('-'));
  for (const auto& [name, exit_code] : kCodes) {
    if (family == name || code == name) return exit_code;
  }
  return ExitCode::kModel;
}

}  // namespace

ExitCode ExitCodeFor(const Error& error) {
  const ExitCode first = CodeOf(error.diagnostics().front());
  for (const Diagnostic& diagnostic : error.diagnostics()) {
    if (CodeOf(diagnostic) != first) return ExitCode::kModel;
  }
  return first;
}

}  // namespace keras_litert::cli
