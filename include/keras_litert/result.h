// Errors as values.
//
// A Diagnostic says where (a layer path or a file), what is wrong and what the user can do about
// it. An Error carries one or more of them, because a model with five problems should be reported
// once, not five times. The library never prints, never throws across its interface and never
// aborts.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keras_litert {

// One problem. Printed as `path: code: message` with `hint` on a line of its own; a problem that
// several layers share is one Diagnostic, printed as `path, path and 3 more: code: …`.
struct Diagnostic {
  std::string path;                          // "encoder/dense_3", "model.keras", or empty
  std::string code;                          // stable, kebab-case: "dense-1", "archive-truncated"
  std::string message;                       // what is wrong, with the values that show it
  std::string hint;                          // what the user can do; may be empty
  std::vector<std::string> more_paths = {};  // where else: further layers

  // `path` and the first of `more_paths`.
  std::string Where() const;
  std::string ToString() const;
  bool operator==(const Diagnostic&) const = default;
};

class Error {
 public:
  explicit Error(Diagnostic diagnostic) { diagnostics_.push_back(std::move(diagnostic)); }
  // Diagnostics that differ in their path alone become one. REQUIRES: diagnostics is not empty.
  explicit Error(std::vector<Diagnostic> diagnostics);

  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  std::string ToString() const;

 private:
  std::vector<Diagnostic> diagnostics_;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

// Builds the failing side of any Result or Status.
std::unexpected<Error> Fail(std::string path, std::string code, std::string message,
                            std::string hint = "");

// Evaluates a Status or Result and returns its error from the enclosing function.
#define KL_RETURN_IF_ERROR(expression)                      \
  do {                                                      \
    if (auto kl_status = (expression); !kl_status)          \
      return std::unexpected(std::move(kl_status).error()); \
  } while (false)

#define KL_CONCATENATE_(a, b) a##b
#define KL_CONCATENATE(a, b) KL_CONCATENATE_(a, b)

// Evaluates a Result, returns its error from the enclosing function, or binds its value to
// `declaration`.
#define KL_ASSIGN_OR_RETURN(declaration, expression) \
  KL_ASSIGN_OR_RETURN_(KL_CONCATENATE(kl_result_, __LINE__), declaration, expression)
#define KL_ASSIGN_OR_RETURN_(result, declaration, expression)     \
  auto result = (expression);                                     \
  if (!result) return std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)

}  // namespace keras_litert
