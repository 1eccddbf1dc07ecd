// keras.random: RANDOM_UNIFORM, RANDOM_STANDARD_NORMAL and MULTINOMIAL, and what follows from them.
//
// The numbers are LiteRT's, not Keras's: of the same distribution, other ones. A seed makes the
// first run of a loaded file repeatable; each run continues the sequence. Without one they differ
// from load to load.
#include <fmt/core.h>

#include <cmath>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/sort.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// The argument `seed`: a number, (number, number) or None. What is known only when the file runs is
// an error: the operators have their seed in the file.
tflite::RandomOptionsT ReadSeed(Arguments& a, int position) {
  const Argument& seed = a.Get(position, "seed");
  bool known = true;
  auto number = [&](const Argument& s) -> int64_t {
    if (s.kind() == Argument::Kind::kInt && s.integer().is_static()) return s.integer().value();
    known = false;
    return 0;
  };
  tflite::RandomOptionsT options;
  if (seed.is_list() && seed.items().size() == 2) {
    options.seed = number(seed.items()[0]);
    options.seed2 = number(seed.items()[1]);
  } else if (!seed.is_none()) {
    options.seed = number(seed);
    options.seed2 = 1;
  }
  if (!known) {
    a.builder().Fail("random-3", fmt::format("{}: the seed is no number", a.function()),
                     "Give an int, a keras.random.SeedGenerator, or None.");
  }
  return options;
}

std::optional<Shape> ReadShape(Builder& b, Arguments& a) {
  const Argument& sizes = a.Get(0, "shape");
  Shape shape;
  bool fits = sizes.is_list();
  for (const Argument& size : sizes.items()) {
    fits &= size.kind() == Argument::Kind::kInt;
    if (!fits) break;
    fits &= !size.integer().is_static() || size.integer().value() >= 0;
    shape.Append(size.integer());
  }
  if (!fits) {
    b.Fail("random-1",
           fmt::format("{}: the shape {} is no list of sizes", a.function(), sizes.ToString()));
    return std::nullopt;
  }
  return shape;
}

Value Random(Builder& b, BuiltinOperator code, const Shape& shape,
             const tflite::RandomOptionsT& seed) {
  return b.Emit(code, seed, {b.ShapeVector(shape)}, {DType::kFloat32, shape});
}

// offset + scale · x
Value Scaled(Builder& b, Value x, const Operand& offset, const Operand& scale, DType dtype) {
  if (!offset.ok() || !scale.ok()) return Value();
  const Value y =
      Add(b, Multiply(b, x, scale.As(b, DType::kFloat32)), offset.As(b, DType::kFloat32));
  return lrt::Cast(b, y, dtype);
}

Operand NumberOr(Arguments& a, int position, std::string_view name, double fallback) {
  return a.Has(position, name) ? a.Number(position, name) : Operand(fallback);
}

Argument UniformOp(Builder& b, Arguments& a) {
  const std::optional<Shape> shape = ReadShape(b, a);
  const Operand low = NumberOr(a, 1, "minval", 0);
  const Operand high = NumberOr(a, 2, "maxval", 1);
  const DType dtype = a.DTypeName(3, "dtype").value_or(kFloatX);
  const tflite::RandomOptionsT seed = ReadSeed(a, 4);
  if (!shape || !low.ok() || !high.ok()) return Value();
  const Value x = Random(b, BuiltinOperator::RANDOM_UNIFORM, *shape, seed);
  const Value from = low.As(b, DType::kFloat32);
  return Scaled(b, x, from, lrt::Sub(b, high.As(b, DType::kFloat32), from), dtype);
}

Argument NormalOp(Builder& b, Arguments& a) {
  const std::optional<Shape> shape = ReadShape(b, a);
  const Operand mean = NumberOr(a, 1, "mean", 0);
  const Operand deviation = NumberOr(a, 2, "stddev", 1);
  const DType dtype = a.DTypeName(3, "dtype").value_or(kFloatX);
  const tflite::RandomOptionsT seed = ReadSeed(a, 4);
  if (!shape) return Value();
  const Value x = Random(b, BuiltinOperator::RANDOM_STANDARD_NORMAL, *shape, seed);
  return Scaled(b, x, mean, deviation, dtype);
}

// Within two standard deviations: √2·erfinv of uniform numbers between ±erf(√2).
Argument TruncatedNormalOp(Builder& b, Arguments& a) {
  const std::optional<Shape> shape = ReadShape(b, a);
  const Operand mean = NumberOr(a, 1, "mean", 0);
  const Operand deviation = NumberOr(a, 2, "stddev", 1);
  const DType dtype = a.DTypeName(3, "dtype").value_or(kFloatX);
  const tflite::RandomOptionsT seed = ReadSeed(a, 4);
  if (!shape) return Value();
  const double end = std::erf(std::sqrt(2.0));
  const Value x = Random(b, BuiltinOperator::RANDOM_UNIFORM, *shape, seed);
  Arguments inverse(b, "math.erfinv");
  inverse.AddPositional(Subtract(b, Multiply(b, x, 2 * end), end));
  const Value y = FindOp("math.erfinv")(b, inverse).tensor();
  return Scaled(b, Multiply(b, y, std::sqrt(2.0)), mean, deviation, dtype);
}

// floor(low + (high - low)·u), below high whatever the rounding.
Argument RandintOp(Builder& b, Arguments& a) {
  const std::optional<Shape> shape = ReadShape(b, a);
  const Operand low = a.Number(1, "minval");
  const Operand high = a.Number(2, "maxval");
  const DType dtype = a.DTypeName(3, "dtype").value_or(DType::kInt32);
  const tflite::RandomOptionsT seed = ReadSeed(a, 4);
  if (!shape || !low.ok() || !high.ok()) return Value();
  const Value x = Random(b, BuiltinOperator::RANDOM_UNIFORM, *shape, seed);
  const Value from = low.As(b, DType::kFloat32);
  const Value to = high.As(b, DType::kFloat32);
  const Value y =
      lrt::Unary(b, BuiltinOperator::FLOOR, Add(b, Multiply(b, x, lrt::Sub(b, to, from)), from));
  return lrt::Cast(b, Minimum(b, y, Subtract(b, to, 1.0)), dtype);
}

Argument CategoricalOp(Builder& b, Arguments& a) {
  const Value logits = lrt::Cast(b, a.Tensor(0, "logits"), DType::kFloat32);
  const int64_t samples = a.Int(1, "num_samples");
  const DType dtype = a.DTypeName(2, "dtype").value_or(DType::kInt32);
  const tflite::RandomOptionsT seed = ReadSeed(a, 3);
  if (!logits.ok()) return logits;
  if (logits.rank() != 2 || samples < 1 || samples > INT32_MAX) {
    return b.Fail("random-2", fmt::format("random.categorical: {} samples of logits {}", samples,
                                          logits.shape().ToString()));
  }
  const Value y = b.Emit(BuiltinOperator::MULTINOMIAL, seed,
                         {logits, b.Scalar(static_cast<double>(samples), DType::kInt32)},
                         {DType::kInt32, Shape{logits.dim(0), samples}});
  return lrt::Cast(b, y, dtype);
}

// In the order of random numbers.
Argument ShuffleOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t axis = a.Int(1, "axis", 0);
  const tflite::RandomOptionsT seed = ReadSeed(a, 2);
  if (!x.ok()) return x;
  const std::optional<int> positive = NormalizeAxis(b, axis, x.rank());
  if (!positive) return Value();
  const Value keys = Random(b, BuiltinOperator::RANDOM_UNIFORM, Shape{x.dim(*positive)}, seed);
  return lrt::Gather(b, x, SortLast(b, keys, true).indices, *positive);
}

}  // namespace

std::span<const OpEntry> RandomOps() {
  static constexpr OpEntry kOps[] = {
      {"random.categorical", CategoricalOp},
      {"random.normal", NormalOp},
      {"random.randint", RandintOp},
      {"random.shuffle", ShuffleOp},
      {"random.truncated_normal", TruncatedNormalOp},
      {"random.uniform", UniformOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
