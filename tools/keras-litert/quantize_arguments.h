// What `convert` is told about quantization.
#pragma once

#include <string>
#include <vector>

#include "keras_litert/quantize.h"
#include "keras_litert/result.h"

namespace keras_litert::cli {

struct QuantizeArguments {
  std::string recipe;              // --quantize
  std::vector<std::string> rules;  // --quantize-rule, as given: "encoder/*@CONV_2D=float16"
  std::string file;                // --quantize-file
  std::string samples;             // --calibrate
  std::string method;              // --calibrate-method
  std::string input_type;          // --input-type
  std::string output_type;         // --output-type
  std::string runtime;             // --runtime
};

// The file's recipe and rules, then those of the command line, which so come last and count.
// Errors: usage-11 for a rule that cannot be read, quantize-6 for a file that is no recipe file.
Result<QuantizeOptions> ReadQuantizeOptions(const QuantizeArguments& arguments);

// "--calibrate-method" values.
std::vector<std::string> RangeMethodNames();

// "--quantize" values: every recipe's name and alias.
std::vector<std::string> RecipeNames();

}  // namespace keras_litert::cli
