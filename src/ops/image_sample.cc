#include "ops/image_sample.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/image_color.h"
#include "ops/image_runtime.h"
#include "ops/image_window.h"
#include "ops/linear.h"
#include "ops/matrix_factors.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

Value Int(Builder& b, int64_t value) {
  return b.Scalar(static_cast<double>(value), DType::kInt32);
}

// An index that may lie outside [0, size) as one that lies inside.
Value Fold(Builder& b, Value index, Dim size, FillMode mode) {
  const Value n = b.SizeOf(size);
  const Value last = lrt::Sub(b, n, Int(b, 1));
  switch (mode) {
    case FillMode::kConstant:
    case FillMode::kNearest:
      return Elementwise(b, BuiltinOperator::MINIMUM,
                         Elementwise(b, BuiltinOperator::MAXIMUM, index, Int(b, 0)), last);
    case FillMode::kWrap:
      return Elementwise(b, BuiltinOperator::FLOOR_MOD, index, n);
    case FillMode::kMirror: {
      // Of period 2·(n - 1): |((i + n - 1) mod 2·(n - 1)) - (n - 1)|
      const Value half = lrt::Maximum(b, last, Int(b, 1));
      const Value place = Elementwise(b, BuiltinOperator::FLOOR_MOD, lrt::Add(b, index, half),
                                      lrt::Add(b, half, half));
      return lrt::Minimum(b, lrt::Unary(b, BuiltinOperator::ABS, lrt::Sub(b, place, half)), last);
    }
    case FillMode::kReflect: {
      // Of period 2·n: the second half runs backwards.
      const Value place = Elementwise(b, BuiltinOperator::FLOOR_MOD, index, lrt::Add(b, n, n));
      return lrt::Minimum(b, place, lrt::Sub(b, lrt::Add(b, last, n), place));
    }
  }
  return Value();
}

Value Inside(Builder& b, Value index, Dim size) {
  return lrt::Compare(b, BuiltinOperator::LOGICAL_AND,
                      Elementwise(b, BuiltinOperator::GREATER_EQUAL, index, Int(b, 0)),
                      Elementwise(b, BuiltinOperator::LESS, index, b.SizeOf(size)));
}

std::optional<FillMode> ReadFillMode(Builder& b, const std::string& name) {
  constexpr std::pair<std::string_view, FillMode> kModes[] = {{"constant", FillMode::kConstant},
                                                              {"nearest", FillMode::kNearest},
                                                              {"wrap", FillMode::kWrap},
                                                              {"mirror", FillMode::kMirror},
                                                              {"reflect", FillMode::kReflect}};
  for (const auto& [mode_name, mode] : kModes) {
    if (mode_name == name) return mode;
  }
  b.Fail("sample-1", fmt::format("fill_mode '{}' is not known", name));
  return std::nullopt;
}

std::optional<SampleAttributes> ReadSampling(Builder& b, const std::string& interpolation,
                                             const std::string& fill_mode, double fill_value) {
  if (interpolation != "nearest" && interpolation != "bilinear") {
    b.Fail("sample-2", fmt::format("interpolation '{}' is not known", interpolation));
    return std::nullopt;
  }
  const std::optional<FillMode> mode = ReadFillMode(b, fill_mode);
  if (!mode) return std::nullopt;
  return SampleAttributes{interpolation == "bilinear", *mode, fill_value};
}

Argument MapCoordinatesOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "inputs");
  Value coordinates = a.Tensor(1, "coordinates");
  const int64_t order = a.Int(2, "order");
  const std::optional<FillMode> mode = ReadFillMode(b, a.String(3, "fill_mode", "constant"));
  const double fill_value = a.Float(4, "fill_value", 0);
  if (!x.ok() || !coordinates.ok() || !mode) return Value();
  if (order != 0 && order != 1) {
    return b.Fail("sample-3", fmt::format("map_coordinates: the order {} is not 0 or 1", order));
  }
  if (coordinates.rank() < 2 || coordinates.dim(0) != Dim(x.rank()) || x.rank() > 4) {
    return b.Fail("sample-4", fmt::format("map_coordinates: {} are no coordinates in {}",
                                          coordinates.shape().ToString(), x.shape().ToString()));
  }
  Shape places = coordinates.shape();
  places.Erase(0);
  Dim count = 1;
  for (Dim d : places) count = b.symbols().Product(count, d);
  coordinates = lrt::Reshape(b, lrt::Cast(b, coordinates, DType::kFloat32), Shape{x.rank(), count});
  std::vector<Value> each;
  for (int i = 0; i < x.rank(); ++i) each.push_back(Range(b, coordinates, 0, i, i + 1));
  Shape whole = x.shape();
  whole.Insert(0, 1);
  whole.Append(1);
  return lrt::Reshape(
      b, SampleAt(b, lrt::Reshape(b, x, whole), each, {order == 1, *mode, fill_value}), places);
}

// transform [n, 8] = (a0, a1, a2, b0, b1, b2, c0, c1): the pixel (x, y) of channel k is read from
//   x' = a0·x + a1·y + c1·k + a2,   y' = b0·x + b1·y + c0·k + b2
// which is what Keras computes (the c's are no perspective).
Argument AffineTransformOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  Value transform = a.Tensor(1, "transform");
  const std::string interpolation = a.String(2, "interpolation", "bilinear");
  const std::string fill_mode = a.String(3, "fill_mode", "constant");
  const double fill_value = a.Float(4, "fill_value", 0);
  const std::optional<SampleAttributes> sampling =
      ReadSampling(b, interpolation, fill_mode, fill_value);
  const ImageBatch batch(b, "affine_transform", images, ReadImageFormat(b, a, 5));
  Value x = batch.value();
  if (!x.ok() || !transform.ok() || !sampling) return Value();
  if (transform.rank() < 1 || transform.rank() > 2 || transform.dim(-1) != Dim(8)) {
    return b.Fail("affine-1", fmt::format("affine_transform: transform must be [8] or [batch, 8], "
                                          "got {}",
                                          transform.shape().ToString()));
  }
  // Constants that have no c leave the channels together.
  bool by_channel = true;
  if (transform.is_constant()) {
    auto numbers = ir::EvaluateAs<double>(transform.constant());
    by_channel = false;
    if (!numbers) return b.Fail("affine-2", "affine_transform: the transform cannot be read");
    for (size_t i = 0; i < numbers->size(); ++i) by_channel |= i % 8 >= 6 && (*numbers)[i] != 0;
  }
  x = lrt::Cast(b, x, ir::IsFloat(x.dtype()) ? x.dtype() : DType::kFloat32);
  transform = lrt::Cast(b, transform, DType::kFloat32);
  if (transform.rank() == 1) transform = lrt::ExpandDims(b, transform, 0);
  const Dim n = transform.dim(0);
  auto factor = [&](int i) {
    return lrt::Reshape(b, Range(b, transform, 1, i, i + 1), {n, 1, 1, 1});
  };
  const Dim height = x.dim(1);
  const Dim width = x.dim(2);
  const Dim channels = x.dim(3);
  const Value row = lrt::Reshape(b, FloatIota(b, height), {1, height, 1, 1});
  const Value column = lrt::Reshape(b, FloatIota(b, width), {1, 1, width, 1});
  auto coordinate = [&](int of_x, int of_y, int of_channel, int offset) {
    Value y =
        lrt::Add(b, lrt::Add(b, lrt::Mul(b, factor(of_y), row), lrt::Mul(b, factor(of_x), column)),
                 factor(offset));
    Dim places = b.symbols().Product(height, width);
    if (by_channel) {
      const Value channel = lrt::Reshape(b, FloatIota(b, channels), {1, 1, 1, channels});
      y = lrt::Add(b, y, lrt::Mul(b, factor(of_channel), channel));
      places = b.symbols().Product(places, channels);
    }
    return lrt::Reshape(b, y, {n, places});
  };
  const Value to_x = coordinate(0, 1, 7, 2);
  const Value to_y = coordinate(3, 4, 6, 5);
  const Shape shape = x.shape();
  std::vector<Value> places{to_y, to_x};
  if (by_channel) {
    Shape each = shape;
    each.Append(1);
    x = lrt::Reshape(b, x, each);
    const Dim all = b.symbols().Product(b.symbols().Product(height, width), channels);
    const Value channel = lrt::Reshape(b, FloatIota(b, channels), {1, 1, channels});
    places.push_back(lrt::Reshape(
        b, BroadcastTo(b, channel, {1, b.symbols().Product(height, width), channels}), {1, all}));
  }
  const Value y = lrt::Reshape(b, SampleAt(b, x, places, *sampling), shape);
  return batch.Restore(lrt::Cast(b, y, images.dtype()));
}

// The eight numbers that take each end point to its start point, by two equations a point:
//   u = (p0·x + p1·y + p2) / (p6·x + p7·y + 1),  v = (p3·x + p4·y + p5) / (p6·x + p7·y + 1)
// with (u, v) of the start and (x, y) of the end: [n, 8, 1].
Value Homography(Builder& b, Value start, Value end) {
  auto part = [&](Value v, int i) { return Range(b, v, 2, i, i + 1); };  // [n, 4, 1]
  const Value x = part(end, 0);
  const Value y = part(end, 1);
  const Value zero = FullLike(b, x, 0, DType::kFloat32);
  const Value one = FullLike(b, x, 1, DType::kFloat32);
  auto equations = [&](Value target, bool first) {
    const Value minus = lrt::Unary(b, BuiltinOperator::NEG, target);
    const Value px = lrt::Mul(b, minus, x);
    const Value py = lrt::Mul(b, minus, y);
    return lrt::Concatenation(b,
                              first ? std::vector<Value>{x, y, one, zero, zero, zero, px, py}
                                    : std::vector<Value>{zero, zero, zero, x, y, one, px, py},
                              2);
  };
  const Value u = part(start, 0);
  const Value v = part(start, 1);
  return SolveLinear(b, lrt::Concatenation(b, {equations(u, true), equations(v, false)}, 1),
                     lrt::Concatenation(b, {u, v}, 1));
}

Argument PerspectiveTransformOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  Value start = a.Tensor(1, "start_points");
  Value end = a.Tensor(2, "end_points");
  const std::string interpolation = a.String(3, "interpolation", "bilinear");
  const double fill_value = a.Float(4, "fill_value", 0);
  const std::optional<SampleAttributes> sampling =
      ReadSampling(b, interpolation, "constant", fill_value);
  const ImageBatch batch(b, "perspective_transform", images, ReadImageFormat(b, a, 5));
  const Value x = batch.value();
  if (!x.ok() || !start.ok() || !end.ok() || !sampling) return Value();
  for (Value* points : {&start, &end}) {
    const int rank = points->rank();
    if ((rank != 2 && rank != 3) || points->dim(-2) != Dim(4) || points->dim(-1) != Dim(2)) {
      return b.Fail("perspective-1",
                    fmt::format("perspective_transform: points must be [4, 2] or [batch, 4, 2], "
                                "got {}",
                                points->shape().ToString()));
    }
    *points = lrt::Cast(b, *points, DType::kFloat32);
    if (rank == 2) *points = lrt::ExpandDims(b, *points, 0);
  }
  const Value p = Homography(b, start, end);
  if (!p.ok()) return Value();
  const Dim n = p.dim(0);
  auto factor = [&](int i) { return lrt::Reshape(b, Range(b, p, 1, i, i + 1), {n, 1, 1}); };
  const Dim height = x.dim(1);
  const Dim width = x.dim(2);
  const Value row = lrt::Reshape(b, FloatIota(b, height), {1, height, 1});
  const Value column = lrt::Reshape(b, FloatIota(b, width), {1, 1, width});
  auto form = [&](int i) {
    return lrt::Add(b, lrt::Mul(b, factor(i), column), lrt::Mul(b, factor(i + 1), row));
  };
  const Value divisor = Add(b, form(6), 1.0);
  auto coordinate = [&](int i) {
    return lrt::Reshape(b, lrt::Div(b, lrt::Add(b, form(i), factor(i + 2)), divisor),
                        {n, b.symbols().Product(height, width)});
  };
  return batch.Restore(
      lrt::Reshape(b, SampleAt(b, x, {coordinate(3), coordinate(0)}, *sampling), x.shape()));
}

// Every pixel is read from a place beside it: alpha · gaussian_blur(σ · N(0, 1)) away, along each
// axis. The random numbers are LiteRT's, not Keras's.
Argument ElasticTransformOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const double alpha = a.Float(1, "alpha", 20);
  const double sigma = a.Float(2, "sigma", 5);
  const std::string interpolation = a.String(3, "interpolation", "bilinear");
  const std::string fill_mode = a.String(4, "fill_mode", "reflect");
  const double fill_value = a.Float(5, "fill_value", 0);
  const Argument& seed = a.Get(6, "seed");
  const std::optional<SampleAttributes> sampling =
      ReadSampling(b, interpolation, fill_mode, fill_value);
  const ImageBatch batch(b, "elastic_transform", images, ReadImageFormat(b, a, 7));
  const Value x = batch.value();
  if (!x.ok() || !sampling) return Value();
  if (!(sigma > 0) || sigma > 1000 || !ir::IsFloat(x.dtype())) {
    return b.Fail("elastic-1", "elastic_transform: sigma must be positive, the images floats");
  }
  const Dim n = x.dim(0);
  const Dim height = x.dim(1);
  const Dim width = x.dim(2);
  tflite::RandomOptionsT options;
  if (seed.kind() == Argument::Kind::kInt && seed.integer().is_static()) {
    options.seed = seed.integer().value();
    options.seed2 = 1;
  }
  const Shape shape{n, height, width, 2};
  const Value noise = b.Emit(BuiltinOperator::RANDOM_STANDARD_NORMAL, std::move(options),
                             {b.ShapeVector(shape)}, {DType::kFloat32, shape});
  const int window = static_cast<int>(6 * sigma) | 1;
  const Value moves = GaussianBlur(b, Multiply(b, noise, sigma), {window, window}, {sigma, sigma});
  const Dim places = b.symbols().Product(height, width);
  auto coordinate = [&](int channel, Value own) {
    const Value move = Multiply(b, Range(b, moves, 3, channel, channel + 1), alpha);
    return lrt::Reshape(b, lrt::Add(b, own, move), {n, places});
  };
  const Value row = lrt::Reshape(b, FloatIota(b, height), {1, height, 1, 1});
  const Value column = lrt::Reshape(b, FloatIota(b, width), {1, 1, width, 1});
  return batch.Restore(lrt::Reshape(
      b, SampleAt(b, x, {coordinate(1, row), coordinate(0, column)}, *sampling), x.shape()));
}

// ---- scale_and_translate ----

// W [out, in] of one axis: row i reads around (i + 0.5 - t) / s - 0.5; nothing where that is
// outside.
Value ScaleMatrix(Builder& b, Dim in, int64_t out, Value scale, Value translation,
                  std::string_view kernel, bool antialias) {
  const Value inverse = lrt::Div(b, b.Scalar(1, DType::kFloat32), scale);
  std::vector<float> centers(static_cast<size_t>(out));
  for (size_t i = 0; i < centers.size(); ++i) centers[i] = static_cast<float>(i) + 0.5F;
  const Value center = b.Constant(DType::kFloat32, {out, 1}, centers);
  const Value sample = Subtract(
      b, lrt::Sub(b, lrt::Mul(b, center, inverse), lrt::Mul(b, translation, inverse)), 0.5);
  const Value size = lrt::Cast(b, b.SizeOf(in), DType::kFloat32);
  const Value place = lrt::Reshape(b, FloatIota(b, in), {1, in});
  Value distance = lrt::Unary(b, BuiltinOperator::ABS, lrt::Sub(b, sample, place));
  if (antialias) distance = lrt::Div(b, distance, Maximum(b, inverse, 1.0));
  const Value weights = ResizeKernelWeights(b, distance, kernel);
  if (!weights.ok()) return weights;
  const Value sum = Sum(b, weights, std::vector<int>{1}, true);
  const Value zero = b.Scalar(0, DType::kFloat32);
  const Value heavy =
      Elementwise(b, BuiltinOperator::GREATER, lrt::Unary(b, BuiltinOperator::ABS, sum),
                  b.Scalar(1000.0 * std::numeric_limits<float>::epsilon(), DType::kFloat32));
  const Value inside = lrt::Compare(
      b, BuiltinOperator::LOGICAL_AND,
      Elementwise(b, BuiltinOperator::GREATER_EQUAL, sample, b.Scalar(-0.5, DType::kFloat32)),
      Elementwise(b, BuiltinOperator::LESS_EQUAL, sample, Subtract(b, size, 0.5)));
  const Value keep = lrt::Compare(b, BuiltinOperator::LOGICAL_AND, heavy, inside);
  const Value safe = Select(b, heavy, sum, b.Scalar(1, DType::kFloat32));
  return Select(b, keep, lrt::Div(b, weights, safe), zero);
}

// y = W x along each of the spatial axes; integers are rounded and kept in their range.
Argument ScaleAndTranslateOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const Argument& shape = a.Get(1, "output_shape");
  Value scale = lrt::Cast(b, a.Tensor(2, "scale"), DType::kFloat32);
  Value translation = lrt::Cast(b, a.Tensor(3, "translation"), DType::kFloat32);
  const std::optional<std::vector<int>> axes = a.Ints(4, "spatial_dims");
  const std::string method = a.String(5, "method", "");
  const bool antialias = a.Bool(6, "antialias", true);
  if (!images.ok() || !scale.ok() || !translation.ok() || !axes) return Value();
  const auto count = static_cast<int64_t>(axes->size());
  if (!shape.is_list() || static_cast<int>(shape.items().size()) != images.rank() ||
      scale.rank() != 1 || translation.rank() != 1 || scale.dim(0) != Dim(count) ||
      translation.dim(0) != Dim(count)) {
    return b.Fail("scale-1",
                  "scale_and_translate: output_shape must have the images' rank, scale "
                  "and translation one number for each of spatial_dims");
  }
  const std::string kernel = method.ends_with("linear")  ? "bilinear"
                             : method.ends_with("cubic") ? "bicubic"
                                                         : method;
  Value x = images;
  if (!ir::IsFloat(x.dtype())) x = lrt::Cast(b, x, DType::kFloat32);
  for (int64_t i = 0; i < count; ++i) {
    const std::optional<int> axis = NormalizeAxis(b, (*axes)[static_cast<size_t>(i)], x.rank());
    if (!axis) return Value();
    const Argument& size = shape.items()[static_cast<size_t>(*axis)];
    if (size.kind() != Argument::Kind::kInt || !size.integer().is_static() ||
        size.integer().value() < 1 || size.integer().value() > (1 << 16)) {
      return b.Fail("scale-2", fmt::format("scale_and_translate: axis {} is scaled to {}", *axis,
                                           size.ToString()));
    }
    auto one = [&](Value v) { return lrt::Reshape(b, Range(b, v, 0, i, i + 1), Shape()); };
    const Value matrix = ScaleMatrix(b, x.dim(*axis), size.integer().value(), one(scale),
                                     one(translation), kernel, antialias);
    if (!matrix.ok()) return matrix;
    const LastAxis last(b, x, {*axis});
    x = last.RestoreResized(
        Matmul(b, last.value(), lrt::Transpose(b, lrt::Cast(b, matrix, x.dtype()), {1, 0})));
    if (!x.ok()) return x;
  }
  if (ir::IsFloat(images.dtype())) return x;
  const Value own = lrt::Cast(b, images, DType::kFloat32);
  x = lrt::Unary(b, BuiltinOperator::ROUND, x);
  x = Elementwise(b, BuiltinOperator::MAXIMUM, x, Min(b, own, std::nullopt));
  x = Elementwise(b, BuiltinOperator::MINIMUM, x, Max(b, own, std::nullopt));
  return lrt::Cast(b, x, images.dtype());
}

}  // namespace

Value FloatIota(Builder& b, Dim size) {
  if (!size.is_static()) {
    return lrt::Range(b, b.Scalar(0, DType::kFloat32),
                      lrt::Cast(b, b.SizeOf(size), DType::kFloat32), b.Scalar(1, DType::kFloat32),
                      size);
  }
  std::vector<float> values(static_cast<size_t>(size.value()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return b.Constant(DType::kFloat32, Shape{size}, values);
}

//   Σ over the 2ᵏ corners:   Π weights · GATHER(x [n, Π sizes, c], Σ index · stride)
Value SampleAt(Builder& b, Value x, const std::vector<Value>& coordinates,
               const SampleAttributes& attributes) {
  if (!x.ok()) return x;
  const size_t axes = coordinates.size();
  const DType dtype = x.dtype();
  const Dim n = x.dim(0);
  const Dim channels = x.dim(-1);
  Dim elements = 1;
  std::vector<Dim> strides(axes, Dim(1));
  for (size_t i = axes; i-- > 0;) {
    strides[i] = elements;
    elements = b.symbols().Product(elements, x.dim(static_cast<int>(i) + 1));
  }
  const bool integers = !ir::IsFloat(dtype);
  if (integers && attributes.linear) x = lrt::Cast(b, x, DType::kFloat32);
  // One image needs no batch axis.
  const bool single = n == Dim(1);
  std::vector<Dim> sizes;
  for (size_t i = 0; i < axes; ++i) sizes.push_back(x.dim(static_cast<int>(i) + 1));
  x = lrt::Reshape(b, x, single ? Shape{elements, channels} : Shape{n, elements, channels});

  struct Neighbour {
    Value offset;  // int32: index · stride
    Value inside;  // bool; of kConstant only
    Value weight;  // float32; of `linear` only
  };
  std::vector<std::vector<Neighbour>> neighbours;
  Shape places{n, 1};
  for (size_t i = 0; i < axes; ++i) {
    const Value place = coordinates[i];
    if (!place.ok()) return Value();
    if (place.dim(1) != Dim(1)) places.Set(1, place.dim(1));
    auto neighbour = [&](Value index, Value weight) {
      Neighbour result;
      result.offset =
          lrt::Mul(b, Fold(b, index, sizes[i], attributes.fill_mode), b.SizeOf(strides[i]));
      result.weight = weight;
      if (attributes.fill_mode == FillMode::kConstant) result.inside = Inside(b, index, sizes[i]);
      return result;
    };
    const Value low =
        lrt::Unary(b, BuiltinOperator::FLOOR, attributes.linear ? place : Add(b, place, 0.5));
    const Value index = lrt::Cast(b, low, DType::kInt32);
    if (!attributes.linear) {
      neighbours.push_back({neighbour(index, Value())});
      continue;
    }
    const Value high = lrt::Sub(b, place, low);
    neighbours.push_back(
        {neighbour(index, Subtract(b, 1.0, high)), neighbour(lrt::Add(b, index, Int(b, 1)), high)});
  }
  Value sum;
  for (size_t corner = 0; corner < (attributes.linear ? size_t{1} << axes : 1); ++corner) {
    Value offset;
    Value inside;
    Value weight;
    for (size_t i = 0; i < axes; ++i) {
      const Neighbour& own = neighbours[i][attributes.linear ? corner >> i & 1 : 0];
      offset = i == 0 ? own.offset : lrt::Add(b, offset, own.offset);
      if (own.weight.ok()) weight = i == 0 ? own.weight : lrt::Mul(b, weight, own.weight);
      if (own.inside.ok()) {
        inside =
            i == 0 ? own.inside : lrt::Compare(b, BuiltinOperator::LOGICAL_AND, inside, own.inside);
      }
    }
    Value y = single ? lrt::Gather(b, x, lrt::Reshape(b, offset, Shape{places[1]}), 0)
                     : lrt::Gather(b, x, BroadcastTo(b, offset, places), 1, 1);
    y = lrt::Reshape(b, y, {n, places[1], channels});
    auto column = [&](Value v) { return lrt::ExpandDims(b, v, 2); };
    if (inside.ok()) {
      y = Select(b, column(inside), y, b.Scalar(attributes.fill_value, y.dtype()));
    }
    if (weight.ok()) y = lrt::Mul(b, y, lrt::Cast(b, column(weight), y.dtype()));
    sum = corner == 0 ? y : lrt::Add(b, sum, y);
  }
  if (integers && attributes.linear) {
    const Value size = lrt::Unary(b, BuiltinOperator::FLOOR,
                                  Add(b, lrt::Unary(b, BuiltinOperator::ABS, sum), 0.5));
    sum = lrt::Mul(b, lrt::Unary(b, BuiltinOperator::SIGN, sum), size);
  }
  return lrt::Cast(b, sum, dtype);
}

std::span<const OpEntry> ImageSampleOps() {
  static constexpr OpEntry kOps[] = {
      {"image.affine_transform", AffineTransformOp},
      {"image.elastic_transform", ElasticTransformOp},
      {"image.map_coordinates", MapCoordinatesOp},
      {"image.perspective_transform", PerspectiveTransformOp},
      {"image.scale_and_translate", ScaleAndTranslateOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
