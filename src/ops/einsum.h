// keras.ops.einsum.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// An equation of einsum for operands of known ranks. A letter is a label; the axes of "..." get the
// labels '0' (the last), '1', … so that they align from the right.
struct EinsumEquation {
  std::vector<std::string> inputs;
  std::string output;
};

// Fails (false, an error in `b`) for equations that do not fit the ranks, and for diagonals ("ii").
bool ParseEinsum(Builder& b, std::string_view equation, const std::vector<int>& ranks,
                 EinsumEquation* result);

// Sums of products as the equation says. Two operands become one FULLY_CONNECTED (one of them
// constant), one BATCH_MATMUL or one MUL, with transposes and reshapes only where the order of the
// labels asks for them; more operands are joined from the left. `bias` (failed Value for none) is
// added to the result, whose axes with the labels `bias_labels`, in the result's order, it has.
Value Einsum(Builder& b, const EinsumEquation& equation, std::vector<Value> operands,
             Value bias = Value(), std::string_view bias_labels = {});
Value Einsum(Builder& b, std::string_view equation, const std::vector<Value>& operands);

}  // namespace keras_litert::ops
