#include "quantize/kernels.h"

#include <algorithm>
#include <iterator>

namespace keras_litert::quantize {
namespace {

using enum ir::BuiltinOperator;
using enum Scales;
constexpr uint32_t kAll = IntegerKernel::kAll;

constexpr IntegerKernel kKernels[] = {
    // Products with weights: code, scales, inputs, outputs, int16, weights, bias, axis.
    {CONV_2D, kWeights, 0b1, 1, true, 1, 2, 0},
    {DEPTHWISE_CONV_2D, kWeights, 0b1, 1, true, 1, 2, 3},
    {FULLY_CONNECTED, kWeights, 0b1, 1, true, 1, 2, 0},
    {TRANSPOSE_CONV, kWeights, 0b100, 1, true, 1, 3, 0},
    // Arithmetic.
    {BATCH_MATMUL, kOwn, 0b11},
    {ADD, kOwn, 0b11},
    {SUB, kOwn, 0b11},
    {MUL, kOwn, 0b11},
    {SQUARED_DIFFERENCE, kOwn, 0b11, 1, false},
    {MEAN, kOwn},
    {SUM, kOwn},
    // Functions.
    {RELU, kOwn},
    {RELU6, kOwn},
    {RELU_N1_TO_1, kOwn, 1, 1, false},
    {RELU_0_TO_1, kOwn, 1, 1, false},
    {LEAKY_RELU, kOwn},
    {PRELU, kOwn, 0b11, 1, false},
    {ELU, kOwn, 1, 1, false},
    {GELU, kOwn, 1, 1, false},
    {HARD_SWISH, kOwn, 1, 1, false},
    {ABS, kOwn},
    {EXP, kOwn},
    {LOG, kOwn},
    {SQRT, kOwn},
    {RSQRT, kOwn},
    {LOGISTIC, kFixed},
    {TANH, kFixed},
    {SOFTMAX, kFixed},
    {LOG_SOFTMAX, kFixed, 1, 1, false},
    {L2_NORMALIZATION, kFixed, 1, 1, false},
    // Comparisons and positions: the results are no quantized numbers.
    {EQUAL, kOwn, 0b11, 0, false},
    {NOT_EQUAL, kOwn, 0b11, 0, false},
    {LESS, kOwn, 0b11, 0, false},
    {LESS_EQUAL, kOwn, 0b11, 0, false},
    {GREATER, kOwn, 0b11, 0, false},
    {GREATER_EQUAL, kOwn, 0b11, 0, false},
    {ARG_MAX, kOwn, 1, 0, false},
    {ARG_MIN, kOwn, 1, 0, false},
    // Windows and choices.
    {AVERAGE_POOL_2D, kSame},
    {MAX_POOL_2D, kSame},
    {RESIZE_BILINEAR, kSame},
    {RESIZE_NEAREST_NEIGHBOR, kSame},
    {MAXIMUM, kSame, 0b11},
    {MINIMUM, kSame, 0b11},
    {REDUCE_MAX, kSame},
    {REDUCE_MIN, kSame},
    {SELECT, kSame, 0b110},
    {SELECT_V2, kSame, 0b110},
    {TOPK_V2, kSame, 1, 1, false},
    // Moving elements.
    {RESHAPE, kSame},
    {SQUEEZE, kSame},
    {EXPAND_DIMS, kSame},
    {TRANSPOSE, kSame},
    {CONCATENATION, kSame, kAll},
    {PACK, kSame, kAll},
    {UNPACK, kSame, 1, kAll},
    {SPLIT, kSame, 0b10, kAll},
    {SPLIT_V, kSame, 1, kAll},
    {SLICE, kSame},
    {STRIDED_SLICE, kSame},
    {GATHER, kSame},
    {GATHER_ND, kSame},
    {PAD, kSame},
    {PADV2, kSame, 0b101},
    {MIRROR_PAD, kSame},
    {TILE, kSame},
    {BROADCAST_TO, kSame},
    {REVERSE_V2, kSame, 1, 1, false},
    {SPACE_TO_DEPTH, kSame, 1, 1, false},
    {DEPTH_TO_SPACE, kSame, 1, 1, false},
    {SPACE_TO_BATCH_ND, kSame},
    {BATCH_TO_SPACE_ND, kSame},
    {DYNAMIC_UPDATE_SLICE, kSame, 0b11, 1, false},
};

}  // namespace

const IntegerKernel* FindIntegerKernel(ir::BuiltinOperator code) {
  const auto* found = std::find_if(std::begin(kKernels), std::end(kKernels),
                                   [&](const IntegerKernel& k) { return k.code == code; });
  return found != std::end(kKernels) ? found : nullptr;
}

Affine FixedOutput(ir::BuiltinOperator code, ir::DType dtype) {
  if (dtype == ir::DType::kInt16) return {dtype, 1.0F / 32768, 0};
  switch (code) {
    case LOG_SOFTMAX:
      return {dtype, 16.0F / 256, 127};
    case TANH:
    case L2_NORMALIZATION:
      return {dtype, 1.0F / 128, 0};
    default:  // LOGISTIC, SOFTMAX
      return {dtype, 1.0F / 256, -128};
  }
}

bool ClipsAtNumber(const ir::Operator& op) {
  using tflite::ActivationFunctionType;
  const auto clips = [](const auto* options) {
    return options != nullptr &&
           (options->fused_activation_function == ActivationFunctionType::RELU6 ||
            options->fused_activation_function == ActivationFunctionType::RELU_N1_TO_1);
  };
  switch (op.code) {
    case RELU6:
    case RELU_N1_TO_1:
    case RELU_0_TO_1:
      return true;
    default:
      return clips(op.options.AsConv2DOptions()) || clips(op.options.AsDepthwiseConv2DOptions()) ||
             clips(op.options.AsFullyConnectedOptions()) ||
             clips(op.options.AsTransposeConvOptions()) || clips(op.options.AsPool2DOptions()) ||
             clips(op.options.AsAddOptions()) || clips(op.options.AsSubOptions()) ||
             clips(op.options.AsMulOptions()) || clips(op.options.AsConcatenationOptions());
  }
}

}  // namespace keras_litert::quantize
