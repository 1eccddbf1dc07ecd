#include "ir/operators.h"

namespace keras_litert::lrt {
namespace {

template <typename Options>
void SetWindow2D(Options& options, const Window2D& window, Activation activation) {
  options.padding = window.padding;
  options.stride_h = window.stride_h;
  options.stride_w = window.stride_w;
  options.fused_activation_function = activation;
  if constexpr (requires { options.dilation_h_factor; }) {
    options.dilation_h_factor = window.dilation_h;
    options.dilation_w_factor = window.dilation_w;
  }
}

void SetWindow3D(tflite::Conv3DOptionsT& options, const Window3D& window, Activation activation) {
  options.padding = window.padding;
  options.stride_d = window.stride_d;
  options.stride_h = window.stride_h;
  options.stride_w = window.stride_w;
  options.dilation_d_factor = window.dilation_d;
  options.dilation_h_factor = window.dilation_h;
  options.dilation_w_factor = window.dilation_w;
  options.fused_activation_function = activation;
}

// NHWC result of a 2-D window with `channels` outputs.
Shape WindowedShape(Builder& b, Value x, int height, int width, const Window2D& w, Dim channels) {
  return Shape{
      x.dim(0), WindowedSize(b.symbols(), x.dim(1), height, w.stride_h, w.dilation_h, w.padding),
      WindowedSize(b.symbols(), x.dim(2), width, w.stride_w, w.dilation_w, w.padding), channels};
}

Value Pool(Builder& b, BuiltinOperator code, Value x, const PoolWindow& window) {
  tflite::Pool2DOptionsT options;
  options.padding = window.padding;
  options.stride_h = window.stride_h;
  options.stride_w = window.stride_w;
  options.filter_height = window.height;
  options.filter_width = window.width;
  const Window2D w{window.stride_h, window.stride_w, 1, 1, window.padding};
  return b.Emit(code, std::move(options), {x},
                {x.dtype(), WindowedShape(b, x, window.height, window.width, w, x.dim(3))});
}

int Size(Value x, int axis) {
  return static_cast<int>(x.dim(axis).value());
}

// Emits with an optional bias as the last input.
template <typename Options>
Value EmitBiased(Builder& b, BuiltinOperator code, Options options, std::vector<Value> inputs,
                 Value bias, TensorType type) {
  const size_t required = inputs.size();
  inputs.push_back(bias);
  return b.EmitMany(code, std::move(options), inputs, {std::move(type)}, required)[0];
}

}  // namespace

Dim WindowedSize(SymbolTable& symbols, Dim in, int filter, int stride, int dilation,
                 Padding padding) {
  if (padding == Padding::SAME) return symbols.CeilDiv(in, stride);
  const int64_t effective = (int64_t{filter} - 1) * dilation + 1;
  return symbols.FloorDiv(symbols.Sum(in, stride - effective), stride);
}

Value Conv2D(Builder& b, Value x, Value filter, Value bias, const Window2D& window,
             Activation activation) {
  tflite::Conv2DOptionsT options;
  SetWindow2D(options, window, activation);
  return EmitBiased(
      b, BuiltinOperator::CONV_2D, std::move(options), {x, filter}, bias,
      {x.dtype(), WindowedShape(b, x, Size(filter, 1), Size(filter, 2), window, filter.dim(0))});
}

Value DepthwiseConv2D(Builder& b, Value x, Value filter, Value bias, const Window2D& window,
                      int multiplier, Activation activation) {
  tflite::DepthwiseConv2DOptionsT options;
  SetWindow2D(options, window, activation);
  options.depth_multiplier = multiplier;
  return EmitBiased(
      b, BuiltinOperator::DEPTHWISE_CONV_2D, std::move(options), {x, filter}, bias,
      {x.dtype(), WindowedShape(b, x, Size(filter, 1), Size(filter, 2), window, filter.dim(3))});
}

Value TransposeConv(Builder& b, Value x, Value filter, Value bias, const Shape& shape,
                    const Window2D& window, Activation activation) {
  tflite::TransposeConvOptionsT options;
  SetWindow2D(options, window, activation);
  return EmitBiased(b, BuiltinOperator::TRANSPOSE_CONV, std::move(options),
                    {b.ShapeVector(shape), filter, x}, bias, {x.dtype(), shape});
}

Value Conv3D(Builder& b, Value x, Value filter, Value bias, const Window3D& w,
             Activation activation) {
  tflite::Conv3DOptionsT options;
  SetWindow3D(options, w, activation);
  SymbolTable& symbols = b.symbols();
  const Shape shape{
      x.dim(0),
      WindowedSize(symbols, x.dim(1), Size(filter, 0), w.stride_d, w.dilation_d, w.padding),
      WindowedSize(symbols, x.dim(2), Size(filter, 1), w.stride_h, w.dilation_h, w.padding),
      WindowedSize(symbols, x.dim(3), Size(filter, 2), w.stride_w, w.dilation_w, w.padding),
      filter.dim(4)};
  return EmitBiased(b, BuiltinOperator::CONV_3D, std::move(options), {x, filter}, bias,
                    {x.dtype(), shape});
}

Value Conv3DTranspose(Builder& b, Value x, Value filter, Value bias, const Shape& shape,
                      const Window3D& window, Activation activation) {
  tflite::Conv3DOptionsT options;
  SetWindow3D(options, window, activation);
  return EmitBiased(b, BuiltinOperator::CONV_3D_TRANSPOSE, std::move(options),
                    {b.ShapeVector(shape), filter, x}, bias, {x.dtype(), shape});
}

Value AveragePool2D(Builder& b, Value x, const PoolWindow& window) {
  return Pool(b, BuiltinOperator::AVERAGE_POOL_2D, x, window);
}

Value MaxPool2D(Builder& b, Value x, const PoolWindow& window) {
  return Pool(b, BuiltinOperator::MAX_POOL_2D, x, window);
}

Value FullyConnected(Builder& b, Value x, Value weights, Value bias, Activation activation) {
  tflite::FullyConnectedOptionsT options;
  options.fused_activation_function = activation;
  options.keep_num_dims = x.rank() != 2;
  Shape shape = x.shape();
  if (x.ok() && x.rank() > 0) shape.Set(-1, weights.dim(0));
  return EmitBiased(b, BuiltinOperator::FULLY_CONNECTED, std::move(options), {x, weights}, bias,
                    {x.dtype(), shape});
}

Value BatchMatMul(Builder& b, Value x, Value y, bool adj_x, bool adj_y) {
  if (!x.ok() || !y.ok()) return Value();
  tflite::BatchMatMulOptionsT options;
  options.adj_x = adj_x;
  options.adj_y = adj_y;
  auto leading = [](Value v) {
    return Shape(std::vector<Dim>(v.shape().begin(), v.shape().end() - 2));
  };
  Shape shape;
  if (x.rank() < 2 || y.rank() < 2 || !Broadcast(leading(x), leading(y), &shape)) {
    return b.Fail("batch-matmul-1", "shapes " + x.shape().ToString() + " and " +
                                        y.shape().ToString() + " do not multiply");
  }
  shape.Append(x.dim(adj_x ? -1 : -2));
  shape.Append(y.dim(adj_y ? -2 : -1));
  return b.Emit(BuiltinOperator::BATCH_MATMUL, std::move(options), {x, y}, {x.dtype(), shape});
}

Value ResizeBilinear(Builder& b, Value x, Dim height, Dim width, bool align_corners,
                     bool half_pixel_centers) {
  tflite::ResizeBilinearOptionsT options;
  options.align_corners = align_corners;
  options.half_pixel_centers = half_pixel_centers;
  return b.Emit(BuiltinOperator::RESIZE_BILINEAR, std::move(options),
                {x, b.ShapeVector({height, width})},
                {x.dtype(), {x.dim(0), height, width, x.dim(3)}});
}

Value ResizeNearestNeighbor(Builder& b, Value x, Dim height, Dim width, bool align_corners,
                            bool half_pixel_centers) {
  tflite::ResizeNearestNeighborOptionsT options;
  options.align_corners = align_corners;
  options.half_pixel_centers = half_pixel_centers;
  return b.Emit(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, std::move(options),
                {x, b.ShapeVector({height, width})},
                {x.dtype(), {x.dim(0), height, width, x.dim(3)}});
}

Value SpaceToDepth(Builder& b, Value x, int block) {
  tflite::SpaceToDepthOptionsT options;
  options.block_size = block;
  SymbolTable& symbols = b.symbols();
  return b.Emit(BuiltinOperator::SPACE_TO_DEPTH, std::move(options), {x},
                {x.dtype(),
                 {x.dim(0), symbols.FloorDiv(x.dim(1), block), symbols.FloorDiv(x.dim(2), block),
                  x.dim(3) * block * block}});
}

Value DepthToSpace(Builder& b, Value x, int block) {
  tflite::DepthToSpaceOptionsT options;
  options.block_size = block;
  return b.Emit(BuiltinOperator::DEPTH_TO_SPACE, std::move(options), {x},
                {x.dtype(),
                 {x.dim(0), x.dim(1) * block, x.dim(2) * block,
                  b.symbols().FloorDiv(x.dim(3), block * block)}});
}

}  // namespace keras_litert::lrt
