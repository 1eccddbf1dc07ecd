#include "ops/image_runtime.h"

#include <fmt/core.h>

#include <numbers>

#include "ir/operators.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

Value Int(Builder& b, int64_t value) {
  return b.Scalar(static_cast<double>(value), DType::kInt32);
}
Value Float(Builder& b, double value) {
  return b.Scalar(value, DType::kFloat32);
}

// size · to / from, rounded down.
Value Scaled(Builder& b, Value size, int to, int from) {
  return lrt::FloorDiv(b, lrt::Mul(b, size, Int(b, to)), Int(b, from));
}

Value Half(Builder& b, Value x) {
  return lrt::FloorDiv(b, x, Int(b, 2));
}

// Keys's cubic: ((1.5 x - 2.5) x) x + 1 up to 1, ((-0.5 x + 2.5) x - 4) x + 2 up to 2, then 0.
Value KeysCubic(Builder& b, Value x) {
  auto step = [&](Value y, double offset) {  // y · x + offset
    return lrt::Add(b, lrt::Mul(b, y, x), Float(b, offset));
  };
  const Value near = step(lrt::Mul(b, step(Float(b, 1.5), -2.5), x), 1);
  const Value far = step(step(step(Float(b, -0.5), 2.5), -4), 2);
  const Value y = lrt::Select(b, lrt::Compare(b, BuiltinOperator::LESS, x, Float(b, 1)), near, far);
  return lrt::Select(b, lrt::Compare(b, BuiltinOperator::LESS, x, Float(b, 2)), y, Float(b, 0));
}

// r sin(πx) sin(πx / r) / (πx)² up to the radius r, then 0; 1 at 0.
Value Lanczos(Builder& b, Value x, int radius) {
  const Value t = lrt::Mul(b, x, Float(b, std::numbers::pi));
  const Value sines =
      lrt::Mul(b, lrt::Unary(b, BuiltinOperator::SIN, t),
               lrt::Unary(b, BuiltinOperator::SIN, lrt::Mul(b, t, Float(b, 1.0 / radius))));
  const Value squared = lrt::Maximum(b, lrt::Unary(b, BuiltinOperator::SQUARE, t), Float(b, 1e-12));
  Value y = lrt::Div(b, lrt::Mul(b, sines, Float(b, radius)), squared);
  y = lrt::Select(b, lrt::Compare(b, BuiltinOperator::GREATER, x, Float(b, 1e-3)), y, Float(b, 1));
  return lrt::Select(b, lrt::Compare(b, BuiltinOperator::GREATER, x, Float(b, radius)), Float(b, 0),
                     y);
}

}  // namespace

Value ResizeKernelWeights(Builder& b, Value x, std::string_view interpolation) {
  if (interpolation == "bilinear") {
    return lrt::Maximum(b, lrt::Sub(b, Float(b, 1), x), Float(b, 0));
  }
  if (interpolation == "bicubic") return KeysCubic(b, x);
  if (interpolation == "lanczos3" || interpolation == "lanczos5") {
    return Lanczos(b, x, interpolation == "lanczos3" ? 3 : 5);
  }
  return b.Fail("resize-1", fmt::format("interpolation '{}' is not known", interpolation));
}

Value RuntimeResizeMatrix(Builder& b, Dim in, int out, std::string_view interpolation,
                          bool antialias) {
  const Value size = lrt::Cast(b, b.SizeOf(in), DType::kFloat32);
  const Value step = lrt::Mul(b, size, Float(b, 1.0 / out));
  std::vector<float> centers(static_cast<size_t>(out));
  for (size_t i = 0; i < centers.size(); ++i) centers[i] = static_cast<float>(i) + 0.5F;
  const Value samples =
      lrt::Sub(b, lrt::Mul(b, b.Constant(DType::kFloat32, {out, 1}, centers), step), Float(b, 0.5));
  const Value places = lrt::Range(b, Float(b, 0), size, Float(b, 1), in);
  Value x = lrt::Unary(b, BuiltinOperator::ABS, lrt::Sub(b, samples, places));
  if (antialias) x = lrt::Div(b, x, lrt::Maximum(b, step, Float(b, 1)));
  const Value weights = ResizeKernelWeights(b, x, interpolation);
  return lrt::Div(b, weights, lrt::Reduce(b, BuiltinOperator::SUM, weights, {1}, true));
}

RuntimeBox RuntimeAspectRatioCrop(Builder& b, Dim height, Dim width, int target_height,
                                  int target_width) {
  const Value h = b.SizeOf(height);
  const Value w = b.SizeOf(width);
  RuntimeBox box;
  box.height =
      lrt::Maximum(b, lrt::Minimum(b, h, Scaled(b, w, target_height, target_width)), Int(b, 1));
  box.width =
      lrt::Maximum(b, lrt::Minimum(b, w, Scaled(b, h, target_width, target_height)), Int(b, 1));
  box.h_start = Half(b, lrt::Sub(b, h, box.height));
  box.w_start = Half(b, lrt::Sub(b, w, box.width));
  return box;
}

RuntimeBox RuntimeCenterCrop(Builder& b, Dim height, Dim width, int target_height,
                             int target_width) {
  const Value rows = lrt::Sub(b, b.SizeOf(height), Int(b, target_height));
  const Value columns = lrt::Sub(b, b.SizeOf(width), Int(b, target_width));
  const Value large =
      lrt::Compare(b, BuiltinOperator::GREATER_EQUAL, lrt::Minimum(b, rows, columns), Int(b, 0));
  const RuntimeBox small = RuntimeAspectRatioCrop(b, height, width, target_height, target_width);
  return {.h_start = lrt::Select(b, large, Half(b, rows), small.h_start),
          .w_start = lrt::Select(b, large, Half(b, columns), small.w_start),
          .height = lrt::Select(b, large, Int(b, target_height), small.height),
          .width = lrt::Select(b, large, Int(b, target_width), small.width)};
}

Value RuntimeCrop(Builder& b, Value images, const RuntimeBox& box, bool channels_first) {
  if (!images.ok()) return images;
  const int axis = images.rank() - (channels_first ? 2 : 3);
  std::vector<Value> begin(static_cast<size_t>(images.rank()), Int(b, 0));
  std::vector<Value> size(begin.size(), Int(b, -1));
  begin[static_cast<size_t>(axis)] = box.h_start;
  begin[static_cast<size_t>(axis) + 1] = box.w_start;
  size[static_cast<size_t>(axis)] = box.height;
  size[static_cast<size_t>(axis) + 1] = box.width;
  Shape shape = images.shape();
  shape.Set(axis, b.symbols().NewOpaque());
  shape.Set(axis + 1, b.symbols().NewOpaque());
  return lrt::Slice(b, images, lrt::Pack(b, begin, 0), lrt::Pack(b, size, 0), shape);
}

Value RuntimePadToAspectRatio(Builder& b, Value x, const ResizeAttributes& a) {
  if (!x.ok()) return x;
  const int axis = a.channels_first ? 2 : 1;
  const Value h = b.SizeOf(x.dim(axis));
  const Value w = b.SizeOf(x.dim(axis + 1));
  auto missing = [&](Value size, Value other, int to, int from) {
    return Half(b, lrt::Sub(b, lrt::Maximum(b, size, Scaled(b, other, to, from)), size));
  };
  const Value rows = missing(h, w, a.height, a.width);
  const Value columns = lrt::Select(b, lrt::Compare(b, BuiltinOperator::GREATER, rows, Int(b, 0)),
                                    Int(b, 0), missing(w, h, a.width, a.height));
  std::vector<Value> amounts(4, Int(b, 0));
  amounts[static_cast<size_t>(axis)] = rows;
  amounts[static_cast<size_t>(axis) + 1] = columns;
  const Value one_side = lrt::Pack(b, amounts, 0);
  Shape shape = x.shape();
  shape.Set(axis, b.symbols().NewOpaque());
  shape.Set(axis + 1, b.symbols().NewOpaque());
  return b.Emit(BuiltinOperator::PADV2,
                {x, lrt::Pack(b, {one_side, one_side}, 1), b.Scalar(a.fill_value, x.dtype())},
                {x.dtype(), shape});
}

}  // namespace keras_litert::ops
