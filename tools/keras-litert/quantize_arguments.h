// What `convert` is told about quantization.
#pragma once

#include <string>
#include <vector>

#include "keras_litert/quantize.h"
#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert::cli {

struct QuantizeArguments {
  std::string recipe;              // --quantize
  std::vector<std::string> rules;  // --quantize-rule, as given: "encoder/*@CONV_2D=float16"
  std::string file;                // --quantize-file
  std::string samples;             // --calibrate
  std::string image_size;          // --image-size, as given: "224x224"
  std::string image_scale;         // --image-scale, as given: "-1:1"
  std::string method;              // --calibrate-method
  std::string input_type;          // --input-type
  std::string output_type;         // --output-type
  std::string runtime;             // --runtime
  // Of the recipe "auto".
  std::string min_sqnr;                   // --min-sqnr
  std::string max_loss;                   // --max-loss
  std::string max_size;                   // --max-size, as given: "250kB"
  std::vector<std::string> auto_recipes;  // --auto-recipe
  std::string save_recipe;                // --save-recipe
  bool advise = false;                    // --advise
  std::string report;                     // --report
};

// The file's recipe and rules, then those of the command line, which so come last and count.
// Errors: usage-11 for a rule that cannot be read, quantize-6 for a file that is no recipe file.
Result<QuantizeOptions> ReadQuantizeOptions(const QuantizeArguments& arguments);

// "--quantize" values: every recipe's name and alias.
std::vector<std::string> RecipeNames();

}  // namespace keras_litert::cli
