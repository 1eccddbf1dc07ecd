// Numbers as integers: real = scale · (q − zero_point).
//
//   int8   asymmetric, one scale a tensor:  [min, max] ∪ {0} onto [-128, 127]
//   int16  symmetric, one scale a tensor:   [-m, m] onto [-32767, 32767], m = max(|min|, |max|)
//
// as LiteRT's quantization specification has activations
// (ai.google.dev/edge/litert/models/quantization_spec).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "ir/constant.h"
#include "ir/generated_schema.h"
#include "ir/graph.h"
#include "util/result.h"

namespace keras_litert::quantize {

// What a tensor's values span.
struct Range {
  float min = 0;
  float max = 0;

  bool IsFinite() const;  // both ends; false for NaN
  void Include(const Range& other);
};

// What calibration knows of a tensor: all its values, and the part of them that int8 is to span;
// the steps of int16 are small enough for all.
struct Observed {
  Range all;
  Range kept;
  // By channel, the last axis; null where ChannelsToObserve() names none. Include() leaves it.
  std::shared_ptr<const std::vector<double>> mean = nullptr;

  void Include(const Observed& other);
};

// By tensors of the main graph.
using Ranges = std::unordered_map<const ir::Tensor*, Observed>;

struct Affine {
  ir::DType dtype = ir::DType::kInt8;
  float scale = 1;
  int32_t zero_point = 0;

  bool operator==(const Affine&) const = default;
};

// The integers for a range. REQUIRES: finite; dtype is int8, uint8 or int16.
Affine AffineOf(Range range, ir::DType dtype);
// The same numbers by uint8 instead of int8.
Affine AsUnsigned(Affine affine);

std::shared_ptr<const tflite::QuantizationParametersT> ToParameters(const Affine& affine);

// The range of a constant; fails where it cannot be read.
Result<Range> RangeOf(const ir::ConstantPtr& x);
// x in integers; what lies outside of their range becomes the nearest that there is.
// REQUIRES: x is float32.
ir::ConstantPtr ToAffine(const ir::ConstantPtr& x, const Affine& affine);

}  // namespace keras_litert::quantize
