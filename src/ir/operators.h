// One function per LiteRT builtin operator: it infers the result's type from the operands and
// appends the operator.
//
// These are the assembler of this compiler. They know LiteRT's operators, not Keras's: no dtype
// promotion, no defaults, no decomposition (src/ops/ does that). Operands must satisfy what the
// operator demands; `Verify` (ir/verify.h) checks it for whole graphs. Failed operands give failed
// results (see builder.h).
#pragma once

#include <vector>

#include "ir/builder.h"

namespace keras_litert::lrt {

using ir::Builder;
using ir::BuiltinOperator;
using ir::Dim;
using ir::DType;
using ir::Graph;
using ir::Shape;
using ir::SymbolTable;
using ir::TensorType;
using ir::Value;

using Activation = tflite::ActivationFunctionType;
using Padding = tflite::Padding;

// The shape that NumPy broadcasting gives. Two different dynamic sizes are taken to be equal at run
// time. Returns false where static sizes disagree.
bool Broadcast(const Shape& a, const Shape& b, Shape* result);

// ---- Element-wise, binary; operands of one dtype, broadcast (operators_elementwise.cc) ----
Value Add(Builder& b, Value x, Value y, Activation activation = Activation::NONE);
Value Sub(Builder& b, Value x, Value y, Activation activation = Activation::NONE);
Value Mul(Builder& b, Value x, Value y, Activation activation = Activation::NONE);
Value Div(Builder& b, Value x, Value y, Activation activation = Activation::NONE);
// FLOOR_DIV, FLOOR_MOD, POW, MAXIMUM, MINIMUM, SQUARED_DIFFERENCE, ATAN2, BITWISE_XOR, RIGHT_SHIFT
// …: `code` names an operator without options whose result has the operands' dtype.
Value Binary(Builder& b, BuiltinOperator code, Value x, Value y);
Value FloorDiv(Builder& b, Value x, Value y);
Value FloorMod(Builder& b, Value x, Value y);
Value Maximum(Builder& b, Value x, Value y);
Value Minimum(Builder& b, Value x, Value y);
// EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, LOGICAL_AND, LOGICAL_OR: the result
// is bool.
Value Compare(Builder& b, BuiltinOperator code, Value x, Value y);

// ---- Element-wise, unary (operators_elementwise.cc) ----
// Any operator without options whose result has its operand's type: ABS, NEG, EXP, LOG, SQRT,
// RSQRT, SQUARE, SIN, COS, TANH, LOGISTIC, RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, ELU, HARD_SWISH,
// FLOOR, CEIL, ROUND, SIGN, LOGICAL_NOT, LOG_SOFTMAX, ZEROS_LIKE.
Value Unary(Builder& b, BuiltinOperator code, Value x);
Value Gelu(Builder& b, Value x, bool approximate);
Value LeakyRelu(Builder& b, Value x, float alpha);
Value PRelu(Builder& b, Value x, Value alpha);
// Over the last axis: softmax(beta * x).
Value Softmax(Builder& b, Value x, float beta = 1);
// To another dtype; `x` itself where it has it already; folded lazily for constants.
Value Cast(Builder& b, Value x, DType dtype);
// condition ? x : y, all three broadcast. SELECT_V2.
Value Select(Builder& b, Value condition, Value x, Value y);

// ---- Shape and data movement (operators_shape.cc) ----
// `shape` may have one size that does not follow from the others; it is written as -1. With more of
// them the shape is computed at run time. Folded for constants; `x` itself where nothing changes.
Value Reshape(Builder& b, Value x, const Shape& shape);
// To sizes that an int32 vector has when the file runs; `shape` is what is known of them.
Value Reshape(Builder& b, Value x, Value sizes, const Shape& shape);
// Inserts an axis of size 1 before `axis` (0 … rank).
Value ExpandDims(Builder& b, Value x, int axis);
// Removes axes of size 1, ascending.
Value Squeeze(Builder& b, Value x, const std::vector<int>& axes);
// Axis i of the result is axis permutation[i] of `x`. Folded lazily for constants.
Value Transpose(Builder& b, Value x, const std::vector<int>& permutation);
Value Concatenation(Builder& b, const std::vector<Value>& xs, int axis);
// Stacks along a new axis.
Value Pack(Builder& b, const std::vector<Value>& xs, int axis);
// Unstacks a static axis.
std::vector<Value> Unpack(Builder& b, Value x, int axis);
// Equal parts of a static axis.
std::vector<Value> Split(Builder& b, Value x, int axis, int parts);
// Parts of the given sizes.
std::vector<Value> SplitV(Builder& b, Value x, int axis, const std::vector<Dim>& sizes);
struct StridedSliceMasks {
  int32_t begin_mask = 0;
  int32_t end_mask = 0;
  int32_t ellipsis_mask = 0;
  int32_t new_axis_mask = 0;
  int32_t shrink_axis_mask = 0;
};
Value StridedSlice(Builder& b, Value x, Value begin, Value end, Value strides,
                   StridedSliceMasks masks, TensorType type);
// x[begin : begin + size] on every axis; size -1 is "to the end" and `shape` is the result's.
Value Slice(Builder& b, Value x, Value begin, Value size, const Shape& shape);
// The same with constant bounds. STRIDED_SLICE where `x` has unknown sizes: there SLICE's kernel
// leaves its result's size open until it runs, whatever the bounds, and so all that follows. Rank
// at most 5. REQUIRES: begin is not negative.
Value Slice(Builder& b, Value x, const std::vector<int32_t>& begin,
            const std::vector<int32_t>& size, const Shape& shape);
// out = x[..., indices, ...] along `axis`, the first `batch_dims` axes shared.
Value Gather(Builder& b, Value x, Value indices, int axis, int batch_dims = 0);
Value GatherNd(Builder& b, Value x, Value indices);
Value ScatterNd(Builder& b, Value indices, Value updates, Value shape_vector, const Shape& shape);
Value Tile(Builder& b, Value x, const std::vector<int32_t>& multiples);
// To a shape that `x` broadcasts to.
Value BroadcastTo(Builder& b, Value x, const Shape& shape);
// One (before, after) per axis. PAD fills with zeros, PADV2 with `value`.
struct AxisPadding {
  int64_t before = 0;
  int64_t after = 0;
  bool operator==(const AxisPadding&) const = default;
};
Value Pad(Builder& b, Value x, const std::vector<AxisPadding>& padding);
Value PadV2(Builder& b, Value x, const std::vector<AxisPadding>& padding, Value value);
Value MirrorPad(Builder& b, Value x, const std::vector<AxisPadding>& padding,
                tflite::MirrorPadMode mode);
Value ReverseV2(Builder& b, Value x, const std::vector<int>& axes);
Value OneHot(Builder& b, Value indices, int depth, Value on, Value off, int axis);
// A tensor of `shape` filled with a scalar.
Value Fill(Builder& b, const Shape& shape, Value value);
// start, start + delta, … < limit; `size` is the result's.
Value Range(Builder& b, Value start, Value limit, Value delta, Dim size);
// int32 vector of x's sizes.
Value ShapeOf(Builder& b, Value x);
Value DynamicUpdateSlice(Builder& b, Value x, Value update, Value start_indices);

// ---- Reductions (operators_reduce.cc) ----
// MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY, REDUCE_ALL. Axes may be negative.
Value Reduce(Builder& b, BuiltinOperator code, Value x, const std::vector<int>& axes,
             bool keep_dims);
// ARG_MAX, ARG_MIN: int32 or int64 indices along one axis, which disappears.
Value ArgReduce(Builder& b, BuiltinOperator code, Value x, int axis,
                DType index_type = DType::kInt32);
Value Cumsum(Builder& b, Value x, int axis, bool exclusive = false, bool reverse = false);
struct TopKResult {
  Value values;
  Value indices;  // int32
};
// Of the last axis, descending.
TopKResult TopK(Builder& b, Value x, int k);

// ---- Neural networks (operators_nn.cc); images are NHWC ----
struct Window2D {
  int stride_h = 1;
  int stride_w = 1;
  int dilation_h = 1;
  int dilation_w = 1;
  Padding padding = Padding::VALID;
};
// Size of a convolution's or pooling's output along one axis (LiteRT: ComputeOutSize).
Dim WindowedSize(SymbolTable& symbols, Dim in, int filter, int stride, int dilation,
                 Padding padding);
// filter [out, h, w, in / groups]; bias [out] or absent.
Value Conv2D(Builder& b, Value x, Value filter, Value bias, const Window2D& window,
             Activation activation = Activation::NONE);
// filter [1, h, w, in * multiplier].
Value DepthwiseConv2D(Builder& b, Value x, Value filter, Value bias, const Window2D& window,
                      int multiplier, Activation activation = Activation::NONE);
// filter [out, h, w, in]; `shape` is the result's, its dynamic sizes are computed at run time.
Value TransposeConv(Builder& b, Value x, Value filter, Value bias, const Shape& shape,
                    const Window2D& window, Activation activation = Activation::NONE);
struct Window3D {
  int stride_d = 1;
  int stride_h = 1;
  int stride_w = 1;
  int dilation_d = 1;
  int dilation_h = 1;
  int dilation_w = 1;
  Padding padding = Padding::VALID;
};
// x NDHWC, filter [d, h, w, in, out]; bias [out] or absent.
Value Conv3D(Builder& b, Value x, Value filter, Value bias, const Window3D& window,
             Activation activation = Activation::NONE);
// filter [d, h, w, out, in].
Value Conv3DTranspose(Builder& b, Value x, Value filter, Value bias, const Shape& shape,
                      const Window3D& window, Activation activation = Activation::NONE);
struct PoolWindow {
  int height = 1;
  int width = 1;
  int stride_h = 1;
  int stride_w = 1;
  Padding padding = Padding::VALID;
};
Value AveragePool2D(Builder& b, Value x, const PoolWindow& window);
Value MaxPool2D(Builder& b, Value x, const PoolWindow& window);
// x [..., in], weights [out, in], bias [out] or absent; keeps x's leading axes.
Value FullyConnected(Builder& b, Value x, Value weights, Value bias,
                     Activation activation = Activation::NONE);
// Batched x · y, leading axes broadcast; adj_x and adj_y transpose the last two axes first.
Value BatchMatMul(Builder& b, Value x, Value y, bool adj_x = false, bool adj_y = false);
Value ResizeBilinear(Builder& b, Value x, Dim height, Dim width, bool align_corners,
                     bool half_pixel_centers);
Value ResizeNearestNeighbor(Builder& b, Value x, Dim height, Dim width, bool align_corners,
                            bool half_pixel_centers);
Value SpaceToDepth(Builder& b, Value x, int block);
Value DepthToSpace(Builder& b, Value x, int block);

// ---- Control flow (operators_control.cc) ----
// Runs `body` while `condition` gives true; both graphs have the loop variables' types as inputs.
// The body's outputs are the next values. Results have the types of `body`'s outputs.
std::vector<Value> While(Builder& b, Graph& condition, Graph& body,
                         const std::vector<Value>& variables);
// Runs one of two graphs on `inputs`; both give the same types.
std::vector<Value> If(Builder& b, Value condition, Graph& then_graph, Graph& else_graph,
                      const std::vector<Value>& inputs);

// A mask activation of an operator: RELU, RELU6 … as the operator that computes it alone, or none.
Value ApplyActivation(Builder& b, Value x, Activation activation);

}  // namespace keras_litert::lrt
