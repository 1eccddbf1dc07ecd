#include <algorithm>
#include <limits>

#include "ir/operators.h"

namespace keras_litert::lrt {
namespace {

int NormalizeAxis(int axis, int rank) {
  return axis < 0 ? axis + rank : axis;
}

Value PaddingVector(Builder& b, const std::vector<AxisPadding>& padding) {
  std::vector<int32_t> flat;
  for (const AxisPadding& axis : padding) {
    flat.push_back(static_cast<int32_t>(axis.before));
    flat.push_back(static_cast<int32_t>(axis.after));
  }
  return b.Constant(DType::kInt32, Shape{static_cast<int64_t>(padding.size()), 2}, flat);
}

Shape PaddedShape(Builder& b, Value x, const std::vector<AxisPadding>& padding) {
  Shape shape = x.shape();
  for (int i = 0; i < shape.rank() && i < static_cast<int>(padding.size()); ++i) {
    const auto& [before, after] = padding[static_cast<size_t>(i)];
    shape.Set(i, b.symbols().Sum(shape[i], before + after));
  }
  return shape;
}

}  // namespace

Value Reshape(Builder& b, Value x, const Shape& shape) {
  if (!x.ok() || x.shape() == shape) return x;
  if (x.is_constant() && shape.is_static()) {
    return b.Derived(x.constant(), "reshape " + shape.ToString(),
                     [&](const ir::ConstantPtr& c) { return ir::Reshaped(c, shape); });
  }
  tflite::ReshapeOptionsT options;
  Value target;
  if (shape.NumDynamic() <= 1) {
    std::vector<int32_t> sizes;
    for (Dim dim : shape) sizes.push_back(static_cast<int32_t>(dim.value_or_minus_one()));
    options.new_shape = sizes;
    target = b.Vector(sizes);
  } else {
    target = b.ShapeVector(shape);
  }
  return b.Emit(BuiltinOperator::RESHAPE, std::move(options), {x, target}, {x.dtype(), shape});
}

Value Reshape(Builder& b, Value x, Value sizes, const Shape& shape) {
  return b.Emit(BuiltinOperator::RESHAPE, tflite::ReshapeOptionsT(), {x, sizes},
                {x.dtype(), shape});
}

Value ExpandDims(Builder& b, Value x, int axis) {
  if (!x.ok()) return x;
  Shape shape = x.shape();
  shape.Insert(axis < 0 ? axis + shape.rank() + 1 : axis, 1);
  if (x.is_constant() || shape.NumDynamic() <= 1) return Reshape(b, x, shape);
  return b.Emit(BuiltinOperator::EXPAND_DIMS, {x, b.Scalar(axis, DType::kInt32)},
                {x.dtype(), shape});
}

Value Squeeze(Builder& b, Value x, const std::vector<int>& axes) {
  if (!x.ok() || axes.empty()) return x;
  tflite::SqueezeOptionsT options;
  for (int axis : axes) options.squeeze_dims.push_back(NormalizeAxis(axis, x.rank()));
  std::sort(options.squeeze_dims.begin(), options.squeeze_dims.end());
  Shape shape = x.shape();
  for (auto axis = options.squeeze_dims.rbegin(); axis != options.squeeze_dims.rend(); ++axis) {
    shape.Erase(*axis);
  }
  if (x.is_constant() || shape.NumDynamic() <= 1) return Reshape(b, x, shape);
  return b.Emit(BuiltinOperator::SQUEEZE, std::move(options), {x}, {x.dtype(), shape});
}

Value Transpose(Builder& b, Value x, const std::vector<int>& permutation) {
  if (!x.ok()) return x;
  Shape shape;
  bool identity = true;
  std::vector<int32_t> axes;
  for (size_t i = 0; i < permutation.size(); ++i) {
    const int axis = NormalizeAxis(permutation[i], x.rank());
    axes.push_back(axis);
    shape.Append(x.dim(axis));
    identity &= axis == static_cast<int>(i);
  }
  if (identity) return x;
  if (x.is_constant()) {
    std::string transform = "transpose";
    for (int32_t axis : axes) transform += " " + std::to_string(axis);
    return b.Derived(x.constant(), std::move(transform),
                     [&](const ir::ConstantPtr& c) { return ir::Transposed(c, axes); });
  }
  return b.Emit(BuiltinOperator::TRANSPOSE, {x, b.Vector(axes)}, {x.dtype(), shape});
}

Value Concatenation(Builder& b, const std::vector<Value>& xs, int axis) {
  if (xs.empty() || !xs[0].ok()) return Value();
  if (xs.size() == 1) return xs[0];
  axis = NormalizeAxis(axis, xs[0].rank());
  Shape shape = xs[0].shape();
  for (size_t i = 1; i < xs.size(); ++i) {
    if (!xs[i].ok()) return Value();
    for (int d = 0; d < shape.rank(); ++d) {
      if (d == axis) {
        shape.Set(d, b.symbols().Sum(shape[d], xs[i].dim(d)));
      } else if (!shape[d].is_static() && xs[i].dim(d).is_static()) {
        shape.Set(d, xs[i].dim(d));
      }
    }
  }
  tflite::ConcatenationOptionsT options;
  options.axis = axis;
  return b.Emit(BuiltinOperator::CONCATENATION, std::move(options), xs, {xs[0].dtype(), shape});
}

Value Pack(Builder& b, const std::vector<Value>& xs, int axis) {
  if (xs.empty() || !xs[0].ok()) return Value();
  Shape shape = xs[0].shape();
  axis = axis < 0 ? axis + shape.rank() + 1 : axis;
  shape.Insert(axis, static_cast<int64_t>(xs.size()));
  tflite::PackOptionsT options;
  options.values_count = static_cast<int32_t>(xs.size());
  options.axis = axis;
  return b.Emit(BuiltinOperator::PACK, std::move(options), xs, {xs[0].dtype(), shape});
}

std::vector<Value> Unpack(Builder& b, Value x, int axis) {
  axis = NormalizeAxis(axis, x.rank());
  const auto parts = static_cast<size_t>(x.dim(axis).value());
  Shape shape = x.shape();
  if (x.ok()) shape.Erase(axis);
  tflite::UnpackOptionsT options;
  options.num = static_cast<int32_t>(parts);
  options.axis = axis;
  return b.EmitMany(BuiltinOperator::UNPACK, std::move(options), {x},
                    std::vector<TensorType>(parts, TensorType{x.dtype(), shape}), 1);
}

std::vector<Value> Split(Builder& b, Value x, int axis, int parts) {
  axis = NormalizeAxis(axis, x.rank());
  Shape shape = x.shape();
  if (x.ok()) shape.Set(axis, b.symbols().FloorDiv(x.dim(axis), parts));
  tflite::SplitOptionsT options;
  options.num_splits = parts;
  return b.EmitMany(
      BuiltinOperator::SPLIT, std::move(options), {b.Scalar(axis, DType::kInt32), x},
      std::vector<TensorType>(static_cast<size_t>(parts), TensorType{x.dtype(), shape}), 2);
}

std::vector<Value> SplitV(Builder& b, Value x, int axis, const std::vector<Dim>& sizes) {
  axis = NormalizeAxis(axis, x.rank());
  std::vector<TensorType> types;
  for (Dim size : sizes) {
    Shape shape = x.shape();
    if (x.ok()) shape.Set(axis, size);
    types.push_back({x.dtype(), shape});
  }
  tflite::SplitVOptionsT options;
  options.num_splits = static_cast<int32_t>(sizes.size());
  return b.EmitMany(BuiltinOperator::SPLIT_V, std::move(options),
                    {x, b.ShapeVector(Shape(sizes)), b.Scalar(axis, DType::kInt32)},
                    std::move(types), 3);
}

Value StridedSlice(Builder& b, Value x, Value begin, Value end, Value strides,
                   StridedSliceMasks masks, TensorType type) {
  tflite::StridedSliceOptionsT options;
  options.begin_mask = masks.begin_mask;
  options.end_mask = masks.end_mask;
  options.ellipsis_mask = masks.ellipsis_mask;
  options.new_axis_mask = masks.new_axis_mask;
  options.shrink_axis_mask = masks.shrink_axis_mask;
  return b.Emit(BuiltinOperator::STRIDED_SLICE, std::move(options), {x, begin, end, strides},
                std::move(type));
}

Value Slice(Builder& b, Value x, Value begin, Value size, const Shape& shape) {
  return b.Emit(BuiltinOperator::SLICE, {x, begin, size}, {x.dtype(), shape});
}

Value Slice(Builder& b, Value x, const std::vector<int32_t>& begin,
            const std::vector<int32_t>& size, const Shape& shape) {
  if (!x.ok() || x.shape().is_static()) {
    return Slice(b, x, b.Vector(begin), b.Vector(size), shape);
  }
  std::vector<int32_t> end(begin.size(), 0);
  StridedSliceMasks masks;
  for (size_t i = 0; i < begin.size(); ++i) {
    if (size[i] < 0) {
      masks.end_mask |= 1 << i;
    } else {
      // Past the end of an open size, STRIDED_SLICE stops there.
      end[i] = static_cast<int32_t>(
          std::min<int64_t>(int64_t{begin[i]} + size[i], std::numeric_limits<int32_t>::max()));
    }
  }
  return StridedSlice(b, x, b.Vector(begin), b.Vector(end),
                      b.Vector(std::vector<int32_t>(begin.size(), 1)), masks, {x.dtype(), shape});
}

Value Gather(Builder& b, Value x, Value indices, int axis, int batch_dims) {
  axis = NormalizeAxis(axis, x.rank());
  Shape shape;
  for (int i = 0; i < axis; ++i) shape.Append(x.dim(i));
  for (int i = batch_dims; i < indices.rank(); ++i) shape.Append(indices.dim(i));
  for (int i = axis + 1; i < x.rank(); ++i) shape.Append(x.dim(i));
  tflite::GatherOptionsT options;
  options.axis = axis;
  options.batch_dims = batch_dims;
  return b.Emit(BuiltinOperator::GATHER, std::move(options), {x, indices}, {x.dtype(), shape});
}

Value GatherNd(Builder& b, Value x, Value indices) {
  Shape shape;
  for (int i = 0; i + 1 < indices.rank(); ++i) shape.Append(indices.dim(i));
  for (int i = static_cast<int>(indices.dim(-1).value()); i < x.rank(); ++i) shape.Append(x.dim(i));
  return b.Emit(BuiltinOperator::GATHER_ND, {x, indices}, {x.dtype(), shape});
}

Value ScatterNd(Builder& b, Value indices, Value updates, Value shape_vector, const Shape& shape) {
  return b.Emit(BuiltinOperator::SCATTER_ND, {indices, updates, shape_vector},
                {updates.dtype(), shape});
}

Value Tile(Builder& b, Value x, const std::vector<int32_t>& multiples) {
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    shape.Append(x.dim(i) * multiples[static_cast<size_t>(i)]);
  }
  return b.Emit(BuiltinOperator::TILE, {x, b.Vector(multiples)}, {x.dtype(), shape});
}

Value BroadcastTo(Builder& b, Value x, const Shape& shape) {
  if (!x.ok() || x.shape() == shape) return x;
  return b.Emit(BuiltinOperator::BROADCAST_TO, {x, b.ShapeVector(shape)}, {x.dtype(), shape});
}

Value Pad(Builder& b, Value x, const std::vector<AxisPadding>& padding) {
  return b.Emit(BuiltinOperator::PAD, {x, PaddingVector(b, padding)},
                {x.dtype(), PaddedShape(b, x, padding)});
}

Value PadV2(Builder& b, Value x, const std::vector<AxisPadding>& padding, Value value) {
  return b.Emit(BuiltinOperator::PADV2, {x, PaddingVector(b, padding), value},
                {x.dtype(), PaddedShape(b, x, padding)});
}

Value MirrorPad(Builder& b, Value x, const std::vector<AxisPadding>& padding,
                tflite::MirrorPadMode mode) {
  tflite::MirrorPadOptionsT options;
  options.mode = mode;
  return b.Emit(BuiltinOperator::MIRROR_PAD, std::move(options), {x, PaddingVector(b, padding)},
                {x.dtype(), PaddedShape(b, x, padding)});
}

Value ReverseV2(Builder& b, Value x, const std::vector<int>& axes) {
  std::vector<int32_t> positive;
  for (int axis : axes) positive.push_back(NormalizeAxis(axis, x.rank()));
  return b.Emit(BuiltinOperator::REVERSE_V2, {x, b.Vector(positive)}, x.type());
}

Value OneHot(Builder& b, Value indices, int depth, Value on, Value off, int axis) {
  Shape shape = indices.shape();
  const int position = axis < 0 ? axis + shape.rank() + 1 : axis;
  shape.Insert(position, depth);
  tflite::OneHotOptionsT options;
  options.axis = axis;
  return b.Emit(BuiltinOperator::ONE_HOT, std::move(options),
                {indices, b.Scalar(depth, DType::kInt32), on, off}, {on.dtype(), shape});
}

Value Fill(Builder& b, const Shape& shape, Value value) {
  return b.Emit(BuiltinOperator::FILL, {b.ShapeVector(shape), value}, {value.dtype(), shape});
}

Value Range(Builder& b, Value start, Value limit, Value delta, Dim size) {
  return b.Emit(BuiltinOperator::RANGE, {start, limit, delta}, {start.dtype(), Shape{size}});
}

Value ShapeOf(Builder& b, Value x) {
  tflite::ShapeOptionsT options;
  options.out_type = tflite::TensorType::INT32;
  return b.Emit(BuiltinOperator::SHAPE, std::move(options), {x},
                {DType::kInt32, Shape{static_cast<int64_t>(x.rank())}});
}

Value DynamicUpdateSlice(Builder& b, Value x, Value update, Value start_indices) {
  return b.Emit(BuiltinOperator::DYNAMIC_UPDATE_SLICE, {x, update, start_indices}, x.type());
}

}  // namespace keras_litert::lrt
