#include "util/result.h"

namespace keras_litert {

std::string Diagnostic::ToString() const {
  std::string text;
  if (!path.empty()) text += path + ": ";
  if (!code.empty()) text += code + ": ";
  text += message;
  if (!hint.empty()) text += "\n  help: " + hint;
  return text;
}

std::string Error::ToString() const {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics_) {
    if (!text.empty()) text += '\n';
    text += diagnostic.ToString();
  }
  return text;
}

std::unexpected<Error> Fail(std::string path, std::string code, std::string message,
                            std::string hint) {
  return std::unexpected(
      Error(Diagnostic{std::move(path), std::move(code), std::move(message), std::move(hint)}));
}

}  // namespace keras_litert
