// The tool's command line: what it may say, and what it said.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keras_litert/options.h"
#include "keras_litert/result.h"
#include "quantize_arguments.h"

namespace keras_litert::cli {

struct ConvertArguments {
  std::string model;
  std::string output;               // never empty after parsing
  std::vector<std::string> shapes;  // as given: "image=1,224,224,3"
  std::optional<int64_t> static_batch;
  QuantizeArguments quantize;
  std::vector<std::string> dump_after;
  std::string dump_dir;  // empty: standard error
  bool quiet = false;
};

struct InspectArguments {
  std::string file;
  int64_t top = 10;
};

struct VerifyArguments {
  std::string model;
  std::string inputs;
  std::string expected;
  double tolerance = 1e-4;
  std::string runtime;
  bool quiet = false;
};

struct Request {
  enum class Command { kText, kConvert, kInspect, kVerify };

  Command command = Command::kText;
  std::string text;  // kText: help, version or completions, to be printed
  bool json = false;
  ConvertArguments convert;
  InspectArguments inspect;
  VerifyArguments verify;
};

// Reads the command line. Errors are usage-1 … with the subcommand as path.
Result<Request> ParseCommandLine(int argc, const char* const* argv);

// "image=1,224,224,3" as a name and sizes; -1 and ? stay dynamic.
Status ParseShape(const std::string& text, std::map<std::string, std::vector<int64_t>>& shapes);

// `encoder.keras` ⇒ `encoder.tflite`, in the same folder.
std::filesystem::path DefaultOutput(const std::filesystem::path& model);

// The names that --dump-after takes.
std::vector<std::string> DumpPoints();

}  // namespace keras_litert::cli
