// Which of LiteRT's operators compute in integers, and how their scales belong together.
//
// The facts are the kernels' own checks (LiteRT's tflite/kernels) and its quantization
// specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ir/graph.h"
#include "quantize/affine.h"

namespace keras_litert::quantize {

enum class Scales : uint8_t {
  kWeights,  // a product with constant weights: scales by channel, and a bias in their product
  kOwn,      // every operand has its own
  kSame,     // all values that go in and come out share one
  kFixed,    // the result's is the operator's
};

struct IntegerKernel {
  ir::BuiltinOperator code{};
  Scales scales{};
  uint32_t inputs = 1;   // bit i: input i is a value (no index, size or condition); bit 31: all
  uint32_t outputs = 1;  // likewise
  bool int16 = true;     // has a kernel for int16 too
  // kWeights:
  size_t weights = 0;  // inputs
  size_t bias = 0;
  int axis = 0;  // of the weights: the output channels

  static constexpr uint32_t kAll = uint32_t{1} << 31;
  bool IsValueInput(size_t i) const { return inputs == kAll || (i < 31 && (inputs >> i & 1) != 0); }
  // REQUIRES: there is one.
  size_t FirstValueInput() const {
    size_t i = 0;
    while (!IsValueInput(i)) ++i;
    return i;
  }
  bool IsValueOutput(size_t i) const {
    return outputs == kAll || (i < 31 && (outputs >> i & 1) != 0);
  }
};

// Null where there is none for `code`.
const IntegerKernel* FindIntegerKernel(ir::BuiltinOperator code);

// The result's scale of a kFixed operator. REQUIRES: dtype is int8 or int16.
Affine FixedOutput(ir::BuiltinOperator code, ir::DType dtype);

// Whether the result is clipped at a number, as RELU6's at 6, by itself or by what is fused into
// it.
bool ClipsAtNumber(const ir::Operator& op);

}  // namespace keras_litert::quantize
