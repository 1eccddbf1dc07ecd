// Help and shell completion, both made from the declared command line, so that neither can lag
// behind it.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>

namespace keras_litert::cli {

// The help text of the tool or of one subcommand; its footer holds the examples.
std::string HelpText(const CLI::App& app);

// The script that completes `keras-litert` in bash, zsh or fish. REQUIRES: `shell` is one of those.
std::string CompletionScript(const CLI::App& app, std::string_view shell);

}  // namespace keras_litert::cli
