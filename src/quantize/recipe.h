// Recipes by name, and which operator gets which.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "util/result.h"

namespace keras_litert::quantize {

enum class Recipe : uint8_t {
  kFloat32,
  kFloat16,              // weights float16, DEQUANTIZE in front of the operator
  kDynamicInt8,          // weights int8, activations quantized by the kernel as it runs
  kWeightOnlyInt8,       // weights int8, DEQUANTIZE in front of the operator
  kStaticInt8,           // weights and activations int8, ranges calibrated
  kStaticInt16,          // weights int8, activations int16, ranges calibrated
  kDynamicInt4,          // as kDynamicInt8, weights int4 where there are such kernels
  kDynamicInt4Blocks32,  // the same, with a scale for each block of a row
  kDynamicInt4Blocks64,
  kDynamicInt4Blocks128,
};

std::string_view Name(Recipe recipe);
bool IsInt4(Recipe recipe);
// Weights that share a scale, in a row; 0: the recipe has no blocks.
int BlockSize(Recipe recipe);
// True where activations are integers, whose ranges samples must tell.
bool IsStatic(Recipe recipe);

// True where `text` matches `pattern`, in which `*` stands for any characters and `?` for one.
bool Matches(std::string_view pattern, std::string_view text);

// The recipes of one conversion.
class RecipeBook {
 public:
  // Fails (quantize-1) on a recipe or (quantize-2) on an operator that does not exist, all at once.
  static Result<RecipeBook> Make(const QuantizeOptions& options);

  bool empty() const { return base_ == Recipe::kFloat32 && rules_.empty(); }
  // True where some operator may get a recipe that needs calibration.
  bool needs_calibration() const;
  // True where some operator may get integer weights.
  bool rounds_weights() const;
  // The recipe of an operator that computes for `layer`. Remembers which rules matched.
  Recipe For(std::string_view layer, ir::BuiltinOperator op);
  // An error (quantize-3) for each rule that matched none of the operators that were asked for;
  // `layers` are the paths of the model, for a near match.
  std::vector<Diagnostic> Unmatched(const std::vector<std::string>& layers) const;

 private:
  struct Rule {
    std::string layer;
    std::string op;
    Recipe recipe;
    bool matched = false;
  };

  Recipe base_ = Recipe::kFloat32;
  std::vector<Rule> rules_;
};

}  // namespace keras_litert::quantize
