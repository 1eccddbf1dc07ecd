#include "exit_code.h"

#include <string_view>
#include <utility>

namespace keras_litert::cli {
namespace {

// Families of diagnostics ("archive" of "archive-2") that are no problem of the model itself.
constexpr std::pair<std::string_view, ExitCode> kFamilies[] = {
    {"usage", ExitCode::kUsage},     {"option", ExitCode::kUsage},
    {"file", ExitCode::kFile},       {"archive", ExitCode::kFile},
    {"write", ExitCode::kFile},      {"tflite", ExitCode::kFile},
    {"npz", ExitCode::kFile},        {"arrays", ExitCode::kUsage},
    {"runtime", ExitCode::kRuntime}, {"internal", ExitCode::kInternal},
};

ExitCode CodeOf(const Diagnostic& diagnostic) {
  const std::string_view code = diagnostic.code;
  const std::string_view family = code.substr(0, code.rfind('-'));
  for (const auto& [name, exit_code] : kFamilies) {
    if (family == name) return exit_code;
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
