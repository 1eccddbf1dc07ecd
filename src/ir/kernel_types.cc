#include "ir/kernel_types.h"

#include <algorithm>
#include <vector>

namespace keras_litert::ir {
namespace {

using enum DType;
using Op = BuiltinOperator;

constexpr DTypeSet kF = {kFloat32};
constexpr DTypeSet kFI = {kFloat32, kInt32};
constexpr DTypeSet kFIL = {kFloat32, kInt32, kInt64};
constexpr DTypeSet kSmall = {kInt8, kUInt8, kInt16};
constexpr DTypeSet kNumbers = kFIL | kSmall;
constexpr DTypeSet kWithBool = kNumbers | DTypeSet{kBool};
// Kernels that move elements by their size.
constexpr DTypeSet kAny = kWithBool | DTypeSet{kUInt16, kUInt32};
constexpr DTypeSet kBits = {kInt8, kUInt8, kInt16, kUInt16, kInt32, kUInt32};
constexpr DTypeSet kBoolOnly = {kBool};
constexpr DTypeSet kIndex = {kInt32, kInt64};
constexpr DTypeSet kCastable = kAny | DTypeSet{kFloat16, kBFloat16, kFloat64, kComplex64};
constexpr uint32_t kAll = OperandGroup::kAll;

// code, inputs, outputs, types. Sorted by code below; several rows of one operator lie together
// here.
std::vector<OperandGroup> Rows() {
  std::vector<OperandGroup> rows = {
      {Op::CAST, kAll, kAll, kCastable},
      // Arithmetic.
      {Op::ADD, 0b11, 1, kFIL},
      {Op::SUB, 0b11, 1, kFIL},
      {Op::MUL, 0b11, 1, kFIL | DTypeSet{kUInt32}},
      {Op::DIV, 0b11, 1, kFI},
      {Op::FLOOR_DIV, 0b11, 1, kFI},
      {Op::FLOOR_MOD, 0b11, 1, kFIL},
      {Op::POW, 0b11, 1, kFI},
      {Op::MAXIMUM, 0b11, 1, kNumbers},
      {Op::MINIMUM, 0b11, 1, kNumbers},
      {Op::SQUARED_DIFFERENCE, 0b11, 1, kFI},
      {Op::ADD_N, kAll, 1, kFI},
      {Op::BITWISE_XOR, 0b11, 1, kBits},
      {Op::RIGHT_SHIFT, 0b11, 1, kBits},
      {Op::STABLEHLO_SHIFT_LEFT, 0b11, 1, {kInt8, kInt16, kInt32}},
      {Op::STABLEHLO_ADD, 0b11, 1, kAny},
      {Op::STABLEHLO_AND, 0b11, 1, kBits | DTypeSet{kBool, kInt64}},
      {Op::STABLEHLO_MULTIPLY, 0b11, 1, kAny},
      {Op::STABLEHLO_MAXIMUM, 0b11, 1, kAny},
      {Op::STABLEHLO_MINIMUM, 0b11, 1, kAny},
      // Comparisons: the result is bool whatever is compared.
      {Op::EQUAL, 0b11, 0, kFIL | kBoolOnly},
      {Op::NOT_EQUAL, 0b11, 0, kFIL | kBoolOnly},
      {Op::LESS, 0b11, 0, kFIL},
      {Op::LESS_EQUAL, 0b11, 0, kFIL},
      {Op::GREATER, 0b11, 0, kFIL},
      {Op::GREATER_EQUAL, 0b11, 0, kFIL},
      {Op::LOGICAL_AND, 0b11, 1, kBoolOnly},
      {Op::LOGICAL_OR, 0b11, 1, kBoolOnly},
      {Op::LOGICAL_NOT, 1, 1, kBoolOnly},
      {Op::SELECT, 0b110, 1, kAny},
      {Op::SELECT_V2, 0b110, 1, kAny},
      // Reductions.
      {Op::SUM, 1, 1, kFIL},
      {Op::MEAN, 1, 1, kFIL},
      {Op::REDUCE_PROD, 1, 1, kFIL},
      {Op::REDUCE_MAX, 1, 1, kNumbers},
      {Op::REDUCE_MIN, 1, 1, kNumbers},
      {Op::REDUCE_ANY, 1, 1, kBoolOnly},
      {Op::REDUCE_ALL, 1, 1, kBoolOnly},
      {Op::ARG_MAX, 1, 0, {kFloat32, kInt32, kInt8, kUInt8, kBool}},
      {Op::ARG_MIN, 1, 0, {kFloat32, kInt32, kInt8, kUInt8, kBool}},
      {Op::CUMSUM, 1, 1, kFIL},
      {Op::TOPK_V2, 1, 1, kNumbers},
      {Op::SEGMENT_SUM, 1, 1, kFI},
      {Op::UNSORTED_SEGMENT_SUM, 1, 1, kFI},
      {Op::UNSORTED_SEGMENT_MAX, 1, 1, kFI},
      {Op::UNSORTED_SEGMENT_MIN, 1, 1, kFI},
      {Op::UNSORTED_SEGMENT_PROD, 1, 1, kFI},
      {Op::BUCKETIZE, 1, 0, kFIL},
      // Moving elements.
      {Op::GATHER, 1, 1, kWithBool},
      {Op::GATHER, 0b10, 0, kIndex},
      {Op::GATHER_ND, 1, 1, kWithBool},
      {Op::GATHER_ND, 0b10, 0, kIndex},
      {Op::SCATTER_ND, 1, 0, {kInt32}},
      {Op::SCATTER_ND, 0b10, 1, {kFloat32, kInt32, kInt64, kInt8, kUInt8, kBool}},
      {Op::EMBEDDING_LOOKUP, 1, 0, {kInt32}},
      {Op::EMBEDDING_LOOKUP, 0b10, 1, kAny},
      {Op::TILE, 1, 1, kAny},
      {Op::BROADCAST_TO, 1, 1, kAny},
      {Op::PAD, 1, 1, kWithBool},
      {Op::PADV2, 0b101, 1, kWithBool},
      {Op::MIRROR_PAD, 1, 1, kAny},
      {Op::REVERSE_V2, 1, 1, kWithBool},
      {Op::REVERSE_SEQUENCE, 1, 1, kFIL | DTypeSet{kUInt8, kInt16}},
      {Op::ONE_HOT, 1, 0, kIndex},
      {Op::ONE_HOT, 0b1100, 1, {kFloat32, kInt32, kInt64, kInt8, kUInt8, kBool}},
      {Op::FILL, 0b10, 1, kAny},
      {Op::RANGE, 0b111, 1, kFIL},
      {Op::TRANSPOSE, 1, 1, kAny},
      {Op::CONCATENATION, kAll, 1, kWithBool | DTypeSet{kUInt32}},
      {Op::PACK, kAll, 1, kNumbers | DTypeSet{kUInt32}},
      {Op::UNPACK, 1, kAll, {kFloat32, kInt32, kInt8, kUInt8, kInt16, kBool}},
      {Op::SPLIT, 0b10, kAll, kNumbers},
      {Op::SPLIT_V, 1, kAll, kNumbers},
      {Op::SLICE, 1, 1, kAny},
      {Op::STRIDED_SLICE, 1, 1, kAny},
      {Op::DYNAMIC_UPDATE_SLICE, 0b11, 1, kAny},
      {Op::WHERE, 1, 0, {kFloat32, kInt32, kInt64, kInt8, kUInt8, kUInt32, kBool}},
      {Op::MATRIX_DIAG, 1, 1, kNumbers},
      {Op::MATRIX_SET_DIAG, 0b11, 1, kNumbers},
      {Op::SPACE_TO_BATCH_ND, 1, 1, kAny},
      {Op::BATCH_TO_SPACE_ND, 1, 1, kAny},
      {Op::SPACE_TO_DEPTH, 1, 1, {kFloat32, kInt32, kInt64, kInt8, kUInt8}},
      {Op::DEPTH_TO_SPACE, 1, 1, {kFloat32, kInt32, kInt64, kInt8, kUInt8}},
      {Op::STABLEHLO_GATHER, 1, 1, kAny},
      {Op::STABLEHLO_GATHER, 0b10, 0, kIndex},
      {Op::STABLEHLO_PAD, 0b11, 1, kAny},
      {Op::DILATE, 0b101, 1, kAny},
      {Op::RESIZE_NEAREST_NEIGHBOR,
       1,
       1,
       {kFloat32, kInt32, kUInt32, kInt8, kUInt8, kInt16, kUInt16, kBool}},
      // Element-wise functions.
      {Op::ABS, 1, 1, kFI},
      {Op::NEG, 1, 1, kFIL | DTypeSet{kInt8, kInt16}},
      {Op::SIGN, 1, 1, kFI},
      {Op::ZEROS_LIKE, 1, 1, kFIL},
      // Pooling takes 8-bit maxima as they are.
      {Op::MAX_POOL_2D, 1, 1, {kFloat32, kInt8, kUInt8}},
  };
  // Whatever is not above of these computes floats only: inputs 0 and, where there are, weights and
  // bias.
  for (Op code : {Op::SQUARE,
                  Op::FLOOR,
                  Op::CEIL,
                  Op::ROUND,
                  Op::RELU,
                  Op::RELU6,
                  Op::RELU_N1_TO_1,
                  Op::RELU_0_TO_1,
                  Op::EXP,
                  Op::LOG,
                  Op::SQRT,
                  Op::RSQRT,
                  Op::SIN,
                  Op::COS,
                  Op::TANH,
                  Op::LOGISTIC,
                  Op::ELU,
                  Op::LEAKY_RELU,
                  Op::GELU,
                  Op::HARD_SWISH,
                  Op::SOFTMAX,
                  Op::LOG_SOFTMAX,
                  Op::AVERAGE_POOL_2D,
                  Op::L2_POOL_2D,
                  Op::L2_NORMALIZATION,
                  Op::LOCAL_RESPONSE_NORMALIZATION,
                  Op::RESIZE_BILINEAR}) {
    rows.push_back({code, 1, 1, kF});
  }
  for (Op code : {Op::ATAN2, Op::PRELU, Op::BATCH_MATMUL}) rows.push_back({code, 0b11, 1, kF});
  for (Op code : {Op::CONV_2D, Op::DEPTHWISE_CONV_2D, Op::CONV_3D, Op::FULLY_CONNECTED}) {
    rows.push_back({code, 0b111, 1, kF});
  }
  rows.push_back({Op::TRANSPOSE_CONV, 0b1110, 1, kF});
  rows.push_back({Op::CONV_3D_TRANSPOSE, 0b1110, 1, kF});
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& x, const auto& y) { return x.code < y.code; });
  return rows;
}

template <typename Visit>
void VisitGroup(const Operator& op, const OperandGroup& group, Visit visit) {
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.inputs[i] != nullptr && OperandGroup::Contains(group.inputs, i)) visit(*op.inputs[i]);
  }
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    if (OperandGroup::Contains(group.outputs, i)) visit(*op.outputs[i]);
  }
}

}  // namespace

std::string DTypeSet::ToString() const {
  std::string text;
  for (int i = 0; i <= static_cast<int>(kResource); ++i) {
    const auto dtype = static_cast<DType>(i);
    if (!Has(dtype)) continue;
    if (!text.empty()) text += ", ";
    text += Name(dtype);
  }
  return text;
}

std::span<const OperandGroup> OperandGroups(BuiltinOperator code) {
  static const std::vector<OperandGroup> kRows = Rows();
  const auto [first, last] = std::equal_range(
      kRows.begin(), kRows.end(), OperandGroup{.code = code},
      [](const OperandGroup& x, const OperandGroup& y) { return x.code < y.code; });
  return {first, last};
}

bool IsPredicate(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::EQUAL:
    case BuiltinOperator::NOT_EQUAL:
    case BuiltinOperator::LESS:
    case BuiltinOperator::LESS_EQUAL:
    case BuiltinOperator::GREATER:
    case BuiltinOperator::GREATER_EQUAL:
    case BuiltinOperator::LOGICAL_AND:
    case BuiltinOperator::LOGICAL_OR:
      return true;
    default:
      return false;
  }
}

DType GroupType(const Operator& op, const OperandGroup& group) {
  DType dtype = kString;
  bool found = false;
  VisitGroup(op, group, [&](const Tensor& tensor) {
    if (!found) dtype = tensor.type.dtype;
    found = true;
  });
  return dtype;
}

bool IsQuantized(const Operator& op, const OperandGroup& group) {
  bool quantized = false;
  VisitGroup(op, group, [&](const Tensor& t) { quantized |= t.quantization != nullptr; });
  return quantized;
}

}  // namespace keras_litert::ir
