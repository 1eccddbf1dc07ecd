// Images read at places between their pixels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// What lies outside: a number; the nearest element; the tensor again; the tensor mirrored at its
// outer elements (kMirror: c b | a b c | b a) or at its edges (kReflect: b a | a b c | c b).
enum class FillMode { kConstant, kNearest, kWrap, kMirror, kReflect };

struct SampleAttributes {
  bool linear = true;  // else the nearest element: floor(place + 0.5)
  FillMode fill_mode = FillMode::kConstant;
  double fill_value = 0;
};

// x [n, *sizes, c] at [n, p] (or [1, p]) places, one float32 tensor of coordinates for each of the
// sizes: [n, p, c] of x's dtype. Interpolated integers are rounded, halves away from 0.
Value SampleAt(Builder& b, Value x, const std::vector<Value>& coordinates,
               const SampleAttributes& attributes);

// 0, 1, … size - 1 in float32: a constant, or made when the file runs.
Value FloatIota(Builder& b, Dim size);

}  // namespace keras_litert::ops
