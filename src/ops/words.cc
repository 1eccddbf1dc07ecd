#include "ops/words.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;

// x[..., index], without that axis.
Value AtLast(Builder& b, Value x, int32_t index) {
  if (!x.ok()) return x;
  const auto rank = static_cast<size_t>(x.rank());
  std::vector<int32_t> begin(rank, 0);
  std::vector<int32_t> end(rank, 0);
  begin.back() = index;
  end.back() = index + 1;
  const int32_t last = 1 << (rank - 1);
  Shape shape = x.shape();
  shape.Erase(x.rank() - 1);
  return lrt::StridedSlice(
      b, x, b.Vector(begin), b.Vector(end), b.Vector(std::vector<int32_t>(rank, 1)),
      {.begin_mask = last - 1, .end_mask = last - 1, .shrink_axis_mask = last}, {x.dtype(), shape});
}

}  // namespace

Value Words::numbers() {
  if (!numbers_.ok() && bits_.ok()) {
    Shape shape = bits_.shape();
    shape.Erase(shape.rank() - 1);
    numbers_ = b_->Emit(BuiltinOperator::BITCAST, {bits_}, {DType::kInt64, shape});
  }
  return numbers_;
}
Value Words::bits() {
  if (!bits_.ok() && numbers_.ok()) {
    Shape shape = numbers_.shape();
    shape.Append(2);
    bits_ = b_->Emit(BuiltinOperator::BITCAST, {numbers_}, {DType::kUInt32, shape});
  }
  return bits_;
}

Value WordTable(Builder& b, const Shape& shape, const std::vector<uint64_t>& words) {
  return b.Constant(DType::kInt64, shape, std::vector<int64_t>(words.begin(), words.end()));
}
Value WordScalar(Builder& b, uint64_t word) {
  return WordTable(b, {}, {word});
}
Words Xor(Builder& b, Words x, Words y) {
  return Words::Bits(b, lrt::Binary(b, BuiltinOperator::BITWISE_XOR, x.bits(), y.bits()));
}
Words Times(Builder& b, Words x, Value factor) {
  return Words::Numbers(b, lrt::Mul(b, x.numbers(), factor));
}

Words ShiftMix(Builder& b, Words x) {
  // The upper 17 bits, of the high half.
  const Value high = AtLast(b, x.bits(), 1);
  const Value top =
      lrt::Binary(b, BuiltinOperator::RIGHT_SHIFT, high, b.Scalar(47 - 32, DType::kUInt32));
  return Xor(b, x, Words::Numbers(b, lrt::Cast(b, top, DType::kInt64)));
}

Value Remainder(Builder& b, Value words, int64_t bins) {
  const Value divisor = b.Constant<int64_t>(DType::kInt64, {}, {bins});
  const Value rest = lrt::FloorMod(b, words, divisor);
  // FLOOR_MOD takes words for signed numbers, which are 2^64 less from 2^63 on.
  const auto size = static_cast<uint64_t>(bins);
  const uint64_t wrapped = (UINT64_MAX % size + 1) % size;  // 2^64 modulo bins
  if (wrapped == 0) return rest;
  const Value negative = lrt::Compare(b, BuiltinOperator::LESS, words, WordScalar(b, 0));
  const Value more = lrt::Select(b, negative, WordScalar(b, wrapped), WordScalar(b, 0));
  return lrt::FloorMod(b, lrt::Add(b, rest, more), divisor);
}

}  // namespace keras_litert::ops
