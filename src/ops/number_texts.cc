#include "ops/number_texts.h"

#include "ops/words.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;
using ir::Dim;
using ir::DType;

uint64_t Power(uint64_t base, int exponent) {
  uint64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= base;
  return power;
}

// The y with x * y = 1 modulo 2^64. REQUIRES: x is odd.
uint64_t Inverse(uint64_t x) {
  uint64_t y = x;  // right in the lowest 3 bits; each step doubles them
  for (int i = 0; i < 5; ++i) y *= 2 - x * y;
  return y;
}

}  // namespace

// With m(k) = x modulo 10^k, of x's sign (no absolute value, which the least int64 has not):
//
//   digit k = (m(k + 1) - m(k)) / 10^k, where dividing by 5^k is a multiplication with its inverse
//   digit k > 0 is written where m(k) != x
//   left of the last digit may stand a sign: it is where m(k) = x first
Texts DecimalTexts(Builder& b, Value x, int digits) {
  const Value column = lrt::ExpandDims(b, x, 1);
  const Value negative = lrt::Compare(b, BuiltinOperator::LESS, column, WordScalar(b, 0));
  const int64_t width = digits + 1;
  std::vector<uint64_t> up;
  std::vector<uint64_t> down;
  for (int k = 1; k < digits; ++k) {
    up.push_back(Power(10, k));
    down.push_back(0 - Power(10, k));
  }
  const Value divisors =
      lrt::Select(b, negative, WordTable(b, {digits - 1}, down), WordTable(b, {digits - 1}, up));
  const Value rests = lrt::FloorMod(b, column, divisors);  // m(1) … m(digits - 1)
  const Value low = lrt::Pad(b, lrt::Concatenation(b, {rests, column}, 1), {{}, {1, 0}});
  const Value high = lrt::Concatenation(b, {rests, column, column}, 1);

  std::vector<uint64_t> inverses;
  std::vector<int32_t> shifts;
  std::vector<uint8_t> first(static_cast<size_t>(width), 0);  // bools
  first[0] = 1;
  for (int k = 0; k < static_cast<int>(width); ++k) {
    inverses.push_back(Inverse(Power(5, k)));
    shifts.push_back(k);
  }
  // digit * 2^k, of x's sign: no more than 9 * 2^19.
  const Value scaled = lrt::Cast(
      b, lrt::Mul(b, lrt::Sub(b, high, low), WordTable(b, {width}, inverses)), DType::kInt32);
  const Value digit = lrt::Unary(b, BuiltinOperator::ABS,
                                 lrt::Binary(b, BuiltinOperator::RIGHT_SHIFT, scaled,
                                             b.Constant(DType::kInt32, {width}, shifts)));
  const Value written = lrt::Compare(b, BuiltinOperator::LOGICAL_OR,
                                     lrt::Compare(b, BuiltinOperator::NOT_EQUAL, low, column),
                                     b.Constant(DType::kBool, {1, width}, first));
  const Value characters = lrt::Select(b, written, lrt::Add(b, digit, b.Scalar('0', DType::kInt32)),
                                       b.Scalar('-', DType::kInt32));
  const Value count = lrt::Reduce(b, BuiltinOperator::SUM, lrt::Cast(b, written, DType::kInt32),
                                  {1}, /*keep_dims=*/false);
  const Value sign =
      lrt::Cast(b, lrt::Compare(b, BuiltinOperator::LESS, x, WordScalar(b, 0)), DType::kInt32);
  return {.bytes = lrt::Cast(b, lrt::Pad(b, characters, {{}, {0, 1}}), DType::kUInt8),
          .lengths = lrt::Add(b, count, sign),
          .max_length = static_cast<int>(width)};
}

Texts BoolTexts(Builder& b, Value x) {
  const std::vector<uint8_t> letters = {'e', 's', 'l', 'a', 'f', 0, 'e', 'u', 'r', 't', 0, 0};
  const Value which = lrt::Cast(b, x, DType::kInt32);
  return {.bytes = lrt::Gather(b, b.Constant(DType::kUInt8, {2, 6}, letters), which, 0),
          .lengths = lrt::Gather(b, b.Constant<int32_t>(DType::kInt32, {2}, {5, 4}), which, 0),
          .max_length = 5};
}

WordBytes Bytes(int begin, int count) {
  WordBytes bytes;
  for (int i = 0; i < 8; ++i) bytes[static_cast<size_t>(i)] = i < count ? begin + i : -1;
  return bytes;
}

Value ReadWords(Builder& b, const Texts& texts, int64_t words,
                const std::vector<std::vector<WordBytes>>& selections) {
  std::vector<int32_t> places(static_cast<size_t>(8 * words), texts.zero());  // of length 0
  for (int length = 1; length <= texts.max_length; ++length) {
    for (const WordBytes& word : selections[static_cast<size_t>(length) - 1]) {
      for (int at : word) places.push_back(at < 0 ? texts.zero() : length - 1 - at);
    }
  }
  const Value table = b.Constant(DType::kInt32, {texts.max_length + 1, 8 * words}, places);
  const Value bytes = lrt::Gather(b, texts.bytes, lrt::Gather(b, table, texts.lengths, 0), 1,
                                  /*batch_dims=*/1);
  const Dim n = bytes.dim(0);
  return b.Emit(BuiltinOperator::BITCAST, {lrt::Reshape(b, bytes, {n, words, 8})},
                {DType::kInt64, {n, words}});
}

}  // namespace keras_litert::ops
