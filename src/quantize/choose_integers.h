// Which operators compute in integers: those that are asked to, that LiteRT has such kernels for,
// whose values have steps enough, and that gain by it.
#pragma once

#include <string>
#include <unordered_map>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/recipe.h"
#include "quantize/tensor_ranges.h"

namespace keras_litert::quantize {

// The recipes, static ones only, of operators of the main graph.
using StaticRecipes = std::unordered_map<const ir::Operator*, Recipe>;
// What became of the operators that were asked for, by operator: also why one stayed float.
using StaticReports = std::unordered_map<const ir::Operator*, QuantizedOperator>;
// What computes in integers, and in which: int8 or int16.
using Integers = std::unordered_map<const ir::Operator*, ir::DType>;

struct ChosenIntegers {
  Integers integers;
  // Of all that has a recipe, but for what computes in floats because it gains nothing alone. All
  // have recipe "float32" by now; those in `integers` have no reason, others have one.
  StaticReports reports;
};

// Whether an input or output type of QuantizeOptions is one of integers.
bool IsIntegerType(const std::string& name);

ChosenIntegers ChooseIntegers(const ir::Module& module, const StaticRecipes& recipes,
                              const TensorRanges& ranges, const QuantizeOptions& options);

}  // namespace keras_litert::quantize
