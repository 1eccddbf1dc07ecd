// The facts are those of LiteRT's own version table (op_version.cc of its converter) and of the
// versions that the runtime registers (register.cc). Each rule says "needs version v when …", and
// an operator gets the greatest version of the rules that apply, so rules need no order.
#include "litert/op_version.h"

#include <algorithm>
#include <array>

namespace keras_litert::litert {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Operator;
using ir::Tensor;

constexpr uint32_t Bit(DType dtype) {
  return 1U << static_cast<uint32_t>(dtype);
}

constexpr uint32_t kBool = Bit(DType::kBool);
constexpr uint32_t kI8 = Bit(DType::kInt8);
constexpr uint32_t kU8 = Bit(DType::kUInt8);
constexpr uint32_t kI16 = Bit(DType::kInt16);
constexpr uint32_t kU16 = Bit(DType::kUInt16);
constexpr uint32_t kI32 = Bit(DType::kInt32);
constexpr uint32_t kU32 = Bit(DType::kUInt32);
constexpr uint32_t kI64 = Bit(DType::kInt64);
constexpr uint32_t kF16 = Bit(DType::kFloat16);
constexpr uint32_t kBF16 = Bit(DType::kBFloat16);
constexpr uint32_t kF32 = Bit(DType::kFloat32);
constexpr uint32_t kF64 = Bit(DType::kFloat64);
constexpr uint32_t kC64 = Bit(DType::kComplex64);
constexpr uint32_t kString = Bit(DType::kString);

constexpr int kOutput = -1;  // the first output, in the place of an input's index

// `code` needs `version` when the operand's dtype is one of `dtypes`.
struct DTypeRule {
  BuiltinOperator code;
  int version;
  uint32_t dtypes;
  int operand = 0;
};

using enum BuiltinOperator;

constexpr DTypeRule kDTypeRules[] = {
    {ABS, 2, kI8 | kU8},
    {ABS, 5, kI32},
    {ADD, 2, kI8},
    {ADD, 4, kI64},
    {ADD, 6, kF16},
    {ARG_MAX, 2, kI8},
    {ARG_MAX, 3, kBool},
    {ARG_MIN, 2, kI8},
    {ARG_MIN, 3, kBool},
    {AVERAGE_POOL_2D, 2, kI8},
    {AVERAGE_POOL_2D, 3, kI16},
    {BATCH_MATMUL, 2, kI8},
    {BATCH_MATMUL, 3, kI16},
    {BATCH_TO_SPACE_ND, 2, kI8},
    {BATCH_TO_SPACE_ND, 4, kI16},
    {BROADCAST_TO, 3, kI8 | kI16},
    {CAST, 2, kU32},
    {CAST, 3, kI8},
    {CAST, 4, kU16},
    {CAST, 5, kF16 | kF64},
    {CAST, 7, kBF16},
    {CAST, 2, kU32, kOutput},
    {CAST, 3, kI8, kOutput},
    {CAST, 4, kU16, kOutput},
    {CAST, 5, kF16 | kF64, kOutput},
    {CAST, 7, kBF16, kOutput},
    {CONCATENATION, 2, kI8},
    {CONCATENATION, 3, kI16},
    {CONCATENATION, 4, kU32},
    {CONCATENATION, 6, kF16},
    {COS, 2, kF16},
    {DEPTH_TO_SPACE, 2, kI8},
    {DEQUANTIZE, 2, kI8},
    {DEQUANTIZE, 3, kI16 | kF16},
    {DYNAMIC_UPDATE_SLICE, 2, kI64, 2},
    {DYNAMIC_UPDATE_SLICE, 3, kF16},
    {DYNAMIC_UPDATE_SLICE, 4, kI16},
    {DYNAMIC_UPDATE_SLICE, 6, kBF16},
    {EQUAL, 2, kI8},
    {EQUAL, 3, kString},
    {EQUAL, 5, kI16},
    {EXP, 2, kI8 | kI16},
    {FILL, 2, kBool | kString, 1},
    {FILL, 3, kI8 | kI16, 1},
    {FILL, 4, kF16, 1},
    {FLOOR_DIV, 2, kF32},
    {FLOOR_DIV, 3, kI8 | kI16},
    {FLOOR_MOD, 2, kI8 | kI16},
    {GATHER, 2, kI8},
    {GATHER, 3, kBool},
    {GATHER, 4, kI16},
    {GATHER, 6, kI16, 1},
    {GATHER_ND, 2, kString},
    {GATHER_ND, 3, kI16},
    {GATHER_ND, 4, kI16, 1},
    {GATHER_ND, 5, kBool},
    {GELU, 2, kI8 | kU8},
    {GELU, 3, kF16},
    {GREATER, 2, kI8},
    {GREATER_EQUAL, 2, kI8},
    {GREATER_EQUAL, 3, kI16},
    {L2_NORMALIZATION, 2, kI8, kOutput},
    {LEAKY_RELU, 2, kI16},
    {LESS, 2, kI8},
    {LESS, 3, kI16},
    {LESS_EQUAL, 2, kI8},
    {LOG, 2, kI8 | kI16},
    {LOG_SOFTMAX, 2, kI8},
    {LOGISTIC, 2, kI8},
    {LOGISTIC, 3, kI16},
    {MAXIMUM, 2, kI8},
    {MAXIMUM, 4, kI16},
    {MINIMUM, 2, kI8},
    {MINIMUM, 4, kI16},
    {MAX_POOL_2D, 2, kI8},
    {MAX_POOL_2D, 3, kI16},
    {MEAN, 2, kI8},
    {MEAN, 3, kI16},
    {MIRROR_PAD, 2, kI8},
    {MIRROR_PAD, 3, kI16},
    {MUL, 2, kI8},
    {MUL, 4, kI16},
    {MUL, 5, kI64},
    {MUL, 6, kC64},
    {MUL, 7, kU32},
    {MUL, 8, kF16},
    {NOT_EQUAL, 2, kI8},
    {NOT_EQUAL, 3, kString},
    {NOT_EQUAL, 4, kI16},
    {PACK, 2, kI8},
    {PACK, 3, kI16},
    {PACK, 4, kU32},
    {PAD, 2, kI8},
    {PAD, 3, kI16},
    {PAD, 5, kBool},
    {PADV2, 2, kI8},
    {PADV2, 3, kI16},
    {PADV2, 5, kBool},
    {QUANTIZE, 2, kI16, kOutput},
    {RANGE, 2, kI64},
    {REDUCE_MAX, 2, kI8},
    {REDUCE_MAX, 3, kI16},
    {REDUCE_MIN, 2, kI8},
    {REDUCE_MIN, 3, kI16},
    {REDUCE_PROD, 2, kI8 | kI16},
    {RELU, 2, kI8 | kU8},
    {RELU, 3, kI16},
    {RELU6, 2, kI8},
    {RELU6, 3, kI16},
    {RESIZE_BILINEAR, 2, kI8},
    {RESIZE_BILINEAR, 4, kI16},
    {RESIZE_NEAREST_NEIGHBOR, 2, kI8},
    {RESIZE_NEAREST_NEIGHBOR, 4, kI16},
    {REVERSE_V2, 2, kBool},
    {REVERSE_V2, 3, kI8},
    {RSQRT, 2, kI8},
    {RSQRT, 3, kI16},
    {SELECT, 2, kI8, 1},
    {SELECT, 4, kU32, 1},
    {SELECT_V2, 2, kU32, 1},
    {SIGN, 2, kI32},
    {SIN, 2, kF16},
    {SLICE, 2, kI8},
    {SLICE, 3, kString},
    {SLICE, 4, kI16},
    {SLICE, 6, kU32},
    {SLICE, 8, kF16},
    {SOFTMAX, 2, kI8},
    {SOFTMAX, 3, kI16},
    {SOFTMAX, 4, kF16},
    {SPACE_TO_BATCH_ND, 2, kI8},
    {SPACE_TO_BATCH_ND, 4, kI16},
    {SPACE_TO_DEPTH, 2, kI8},
    {SPARSE_TO_DENSE, 2, kI64, 2},
    {SPARSE_TO_DENSE, 3, kI8 | kU8, 2},
    {SPLIT, 2, kI8, 1},
    {SPLIT, 3, kI32, 1},
    {SPLIT, 4, kI16, 1},
    {SPLIT_V, 2, kI8},
    {SQRT, 2, kI8 | kI16},
    {SQUARED_DIFFERENCE, 2, kI8},
    {SQUEEZE, 2, kString},
    {STRIDED_SLICE, 2, kI8},
    {STRIDED_SLICE, 3, kBool},
    {STRIDED_SLICE, 5, kString},
    {STRIDED_SLICE, 7, kU32},
    {SUB, 2, kI8},
    {SUB, 4, kI64},
    {SUM, 2, kI8},
    {TANH, 2, kI8},
    {TANH, 3, kI16},
    {TILE, 2, kString},
    {TILE, 3, kI8},
    {TOPK_V2, 2, kI8},
    {TOPK_V2, 3, kI16},
    {TOPK_V2, 3, kI16, 1},
    {TRANSPOSE, 2, kI8},
    {TRANSPOSE, 3, kBool},
    {TRANSPOSE, 5, kI16},
    {TRANSPOSE, 8, kBF16},
    {TRANSPOSE, 9, kF16},
    {TRANSPOSE_CONV, 2, kI8, 1},
    {UNPACK, 2, kI8 | kU8},
    {UNPACK, 3, kBool},
    {UNPACK, 4, kI16},
    {UNPACK, 5, kF16 | kBF16},
    {WHERE, 2, ~kBool},
};

// `code` needs `version` when the first input has more than `rank` axes.
struct RankRule {
  BuiltinOperator code;
  int version;
  int rank;
};

constexpr RankRule kRankRules[] = {
    {PAD, 4, 4},       {PADV2, 4, 4},     {SLICE, 5, 4},     {STRIDED_SLICE, 4, 4},
    {TRANSPOSE, 4, 4}, {TRANSPOSE, 6, 5}, {TRANSPOSE, 8, 6},
};

// As RankRule, but over both inputs and only where their shapes differ.
constexpr RankRule kBroadcastRules[] = {{DIV, 2, 4}, {MAXIMUM, 3, 4}, {MINIMUM, 3, 4}, {SUB, 3, 4}};

const Tensor* Input(const Operator& op, size_t index) {
  return index < op.inputs.size() ? op.inputs[index] : nullptr;
}
bool Is(const Tensor* tensor, DType dtype) {
  return tensor != nullptr && tensor->type.dtype == dtype;
}
int Rank(const Tensor* tensor) {
  return tensor != nullptr ? tensor->type.shape.rank() : 0;
}

size_t NumScales(const Tensor* tensor) {
  return tensor != nullptr && tensor->quantization ? tensor->quantization->scale.size() : 0;
}
// One scale for each index of `axis`.
bool IsPerChannel(const Tensor* tensor, int axis) {
  return NumScales(tensor) > 0 &&
         ir::Dim(static_cast<int64_t>(NumScales(tensor))) == tensor->type.shape[axis];
}
// As above, for more than one scale, along the axis that the quantization names.
bool IsPerAxis(const Tensor* tensor) {
  return NumScales(tensor) > 1 && IsPerChannel(tensor, tensor->quantization->quantized_dimension);
}

// The dtypes of a product with weights, each with its own kernel.
struct Product {
  bool hybrid;  // float32 activations, int8 weights
  bool int8;    // all int8
  bool int16;   // int16 activations, int8 or int16 weights
};
Product ProductOf(const Operator& op, size_t x, size_t weights) {
  const Tensor* in = Input(op, x);
  const Tensor* w = Input(op, weights);
  const Tensor* out = op.output();
  return {.hybrid = Is(in, DType::kFloat32) && Is(w, DType::kInt8) && Is(out, DType::kFloat32),
          .int8 = Is(in, DType::kInt8) && Is(w, DType::kInt8) && Is(out, DType::kInt8),
          .int16 = Is(in, DType::kInt16) && (Is(w, DType::kInt8) || Is(w, DType::kInt16)) &&
                   Is(out, DType::kInt16)};
}

int Conv2DVersion(const Operator& op) {
  const Product product = ProductOf(op, 0, 1);
  const Tensor* filter = Input(op, 1);
  int version = 1;
  if (product.hybrid) version = IsPerChannel(filter, 0) ? 5 : 2;
  if (product.int8) version = 3;
  if (product.int16) version = 4;
  const bool grouped = Rank(Input(op, 0)) == 4 && Rank(filter) == 4 &&
                       Input(op, 0)->type.shape[3] != filter->type.shape[3];
  if (grouped) version = std::max(version, 6);
  const auto* options = op.options.AsConv2DOptions();
  if (product.int16 && options != nullptr && options->quantized_bias_type != tflite::TensorType{}) {
    version = 8;
  }
  return version;
}

int DepthwiseConv2DVersion(const Operator& op) {
  const Product product = ProductOf(op, 0, 1);
  int version = 1;
  const auto* options = op.options.AsDepthwiseConv2DOptions();
  if (options != nullptr && (options->dilation_w_factor != 1 || options->dilation_h_factor != 1)) {
    version = 2;
  }
  if (product.int8) version = 3;
  if (product.int16) version = 5;
  if (product.hybrid) version = IsPerChannel(Input(op, 1), 3) ? 6 : 4;
  return version;
}

int FullyConnectedVersion(const Operator& op) {
  const Product product = ProductOf(op, 0, 1);
  const auto* options = op.options.AsFullyConnectedOptions();
  int version = 1;
  if (product.hybrid) {
    version = IsPerChannel(Input(op, 1), 0)                               ? 12
              : options != nullptr && options->asymmetric_quantize_inputs ? 9
                                                                          : 3;
  }
  if (Is(Input(op, 1), DType::kInt4)) version = 12;
  if (product.int8) version = 4;
  if (product.int16) {
    version = options != nullptr && options->quantized_bias_type != tflite::TensorType{} ? 11 : 7;
  }
  if (options != nullptr && options->keep_num_dims) version = std::max(version, 5);
  if (op.inputs.size() == 2) version = std::max(version, 6);
  return version;
}

int TransposeConvVersion(const Operator& op) {
  const auto* options = op.options.AsTransposeConvOptions();
  int version = Input(op, 3) != nullptr ? 3 : 1;
  if (options != nullptr) {
    if (options->fused_activation_function != tflite::ActivationFunctionType::NONE) version = 4;
    if (ProductOf(op, 2, 1).int16 && options->quantized_bias_type != tflite::TensorType{}) {
      version = 5;
    }
  }
  return version;
}

int MulVersion(const Operator& op) {
  const Tensor* x = Input(op, 0);
  const Tensor* y = Input(op, 1);
  if (NumScales(x) > 0 && NumScales(y) > 0 && NumScales(op.output()) > 0) {
    const double rescale = static_cast<double>(x->quantization->scale[0]) *
                           y->quantization->scale[0] / op.output()->quantization->scale[0];
    if (rescale >= 1) return 3;
  }
  return Is(x, DType::kInt16) && NumScales(x) == 0 && NumScales(y) == 0 ? 7 : 1;
}

// What dtypes and ranks alone do not tell.
int AttributeVersion(const Operator& op) {
  const Tensor* x = Input(op, 0);
  switch (op.code) {
    case CONV_2D:
      return Conv2DVersion(op);
    case DEPTHWISE_CONV_2D:
      return DepthwiseConv2DVersion(op);
    case FULLY_CONNECTED:
      return FullyConnectedVersion(op);
    case TRANSPOSE_CONV:
      return TransposeConvVersion(op);
    case MUL:
      return MulVersion(op);
    case BROADCAST_TO:
      return 2;  // version 1 had another operator code and was withdrawn
    case ABS:
      return !Is(x, DType::kInt16) ? 1 : NumScales(x) > 0 ? 3 : 4;
    case ADD: {
      if (!Is(x, DType::kInt16)) return 1;
      if (NumScales(x) == 0) return 5;
      const auto* options = op.options.AsAddOptions();
      return options != nullptr && !options->pot_scale_int16 ? 3 : 1;
    }
    case SUB: {
      const auto* options = op.options.AsSubOptions();
      return Is(x, DType::kInt16) && options != nullptr && !options->pot_scale_int16 ? 5 : 1;
    }
    case BATCH_MATMUL: {
      const auto* options = op.options.AsBatchMatMulOptions();
      return options != nullptr && options->asymmetric_quantize_inputs && ProductOf(op, 0, 1).hybrid
                 ? 4
                 : 1;
    }
    case BATCH_TO_SPACE_ND:
    case SPACE_TO_BATCH_ND:
      return Rank(x) != 4 ? 3 : 1;
    case DEQUANTIZE:
      return Is(x, DType::kInt8) && IsPerAxis(x) ? 5 : 1;
    case QUANTIZE:
      return IsPerAxis(op.output()) ? 3 : 1;
    case EMBEDDING_LOOKUP:
      if (Is(Input(op, 1), DType::kInt4)) return 4;
      return NumScales(Input(op, 1)) > 1 && IsPerChannel(Input(op, 1), 0) ? 4 : 1;
    case GATHER: {
      const auto* options = op.options.AsGatherOptions();
      return options != nullptr && options->batch_dims != 0 ? 5 : 1;
    }
    case RESIZE_BILINEAR: {
      const auto* options = op.options.AsResizeBilinearOptions();
      return options != nullptr && options->half_pixel_centers ? 3 : 1;
    }
    case RESIZE_NEAREST_NEIGHBOR: {
      const auto* options = op.options.AsResizeNearestNeighborOptions();
      return options != nullptr && (options->half_pixel_centers || options->align_corners) ? 3 : 1;
    }
    case SELECT:
      return std::any_of(op.inputs.begin(), op.inputs.end(),
                         [](const Tensor* t) { return Rank(t) == 5; })
                 ? 3
                 : 1;
    case STRIDED_SLICE: {
      const auto* options = op.options.AsStridedSliceOptions();
      if (options == nullptr) return 1;
      if (options->offset) return 8;
      return options->ellipsis_mask != 0 || options->new_axis_mask != 0 ? 6 : 1;
    }
    case TOPK_V2:
      return op.outputs.size() > 1 && Is(op.outputs[1], DType::kInt16) ? 3 : 1;
    default:
      return 1;
  }
}

}  // namespace

int OperatorVersion(const Operator& op) {
  if (op.outputs.empty()) return 1;
  int version = AttributeVersion(op);
  for (const DTypeRule& rule : kDTypeRules) {
    if (rule.code != op.code) continue;
    const Tensor* operand =
        rule.operand == kOutput ? op.output() : Input(op, static_cast<size_t>(rule.operand));
    if (operand != nullptr && (rule.dtypes & Bit(operand->type.dtype)) != 0) {
      version = std::max(version, rule.version);
    }
  }
  const Tensor* x = Input(op, 0);
  const Tensor* y = Input(op, 1);
  for (const RankRule& rule : kRankRules) {
    if (rule.code == op.code && Rank(x) > rule.rank) version = std::max(version, rule.version);
  }
  for (const RankRule& rule : kBroadcastRules) {
    if (rule.code == op.code && x != nullptr && y != nullptr && x->type.shape != y->type.shape &&
        std::max(Rank(x), Rank(y)) > rule.rank) {
      version = std::max(version, rule.version);
    }
  }
  return version;
}

}  // namespace keras_litert::litert
