// Rounding to 8-bit floats, which LiteRT does not have: the values stay in a wider type.
#pragma once

#include <optional>
#include <string_view>

#include "ir/builder.h"

namespace keras_litert::ops {

using ir::Builder;
using ir::Value;

// Formats of "FP8 Formats for Deep Learning" (Micikevicius et al. 2022), by Keras's names.
struct Float8 {
  int mantissa_bits;
  int min_exponent;  // of normal numbers
  double max;
  bool has_infinity;  // what lies beyond `max`; else NaN
};
std::optional<Float8> Float8ByName(std::string_view name);

// Floats of any shape, each rounded to the format's nearest value, ties to the even one.
Value RoundToFloat8(Builder& b, Value x, const Float8& format);

}  // namespace keras_litert::ops
