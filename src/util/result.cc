#include "util/result.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace keras_litert {

std::string Diagnostic::Where() const {
  constexpr size_t kShown = 8;
  // All of them where only one would be left out: its name is no longer than "and 1 more".
  const size_t count = more_paths.size() + 1;
  const size_t shown = count <= kShown + 1 ? count : kShown;
  std::string text = path;
  for (size_t i = 1; i < shown; ++i) text += ", " + more_paths[i - 1];
  if (shown < count) text += " and " + std::to_string(count - shown) + " more";
  return text;
}

std::string Diagnostic::ToString() const {
  std::string text = Where();
  if (!text.empty()) text += ": ";
  if (!code.empty()) text += code + ": ";
  text += message;
  if (!hint.empty()) text += "\n  help: " + hint;
  return text;
}

Error::Error(std::vector<Diagnostic> diagnostics) {
  std::map<std::tuple<std::string, std::string, std::string>, size_t> seen;
  for (Diagnostic& diagnostic : diagnostics) {
    const auto [first, is_new] = seen.try_emplace(
        {diagnostic.code, diagnostic.message, diagnostic.hint}, diagnostics_.size());
    if (is_new) {
      diagnostics_.push_back(std::move(diagnostic));
      continue;
    }
    Diagnostic& same = diagnostics_[first->second];
    diagnostic.more_paths.insert(diagnostic.more_paths.begin(), std::move(diagnostic.path));
    for (std::string& path : diagnostic.more_paths) {
      if (path != same.path && std::find(same.more_paths.begin(), same.more_paths.end(), path) ==
                                   same.more_paths.end()) {
        same.more_paths.push_back(std::move(path));
      }
    }
  }
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
