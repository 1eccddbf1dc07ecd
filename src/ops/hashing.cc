// The graph for n numbers, at a glance (W: the longest text, 11 bytes for int32, 20 for int64):
//
//   x [n] -> bytes [n, W + 2], from the right, and lengths [n]
//   -> the 64-bit words that the hash function reads, by tables of positions for each length
//   -> the hash [n] -> its remainder [n]
//
// FarmHash has a formula for each class of lengths (1–3, 4–7, 8–16, 17–32). All are of one form:
// sums of products of words, rotated sums of words, and one last mixing. So the graph computes that
// form once, with coefficients looked up by length, instead of every formula and a choice.
//
// Sources: Fingerprint64 is farmhashna::Hash64 of github.com/google/farmhash; SipHash-2-4 is
// Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); the cross is TensorFlow's
// SparseCross operator.
#include "ops/hashing.h"

#include <fmt/core.h>

#include <algorithm>

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;
using ir::Dim;
using ir::Shape;

constexpr uint64_t kFarm0 = 0xc3a5c85c97cb3127;
constexpr uint64_t kFarm1 = 0xb492b66fbe98f273;
constexpr uint64_t kFarm2 = 0x9ae16a3b2f90404f;

// ---- 64-bit words ----

// Two views of the same words: numbers, int64[...], to add and multiply modulo 2^64; bits,
// uint32[..., 2] with the low half first. Each is made from the other where it is first needed.
class Words {
 public:
  static Words Numbers(Builder& b, Value numbers) { return Words(b, numbers, Value()); }
  static Words Bits(Builder& b, Value bits) { return Words(b, Value(), bits); }

  Value numbers() {
    if (!numbers_.ok() && bits_.ok()) {
      Shape shape = bits_.shape();
      shape.Erase(shape.rank() - 1);
      numbers_ = b_->Emit(BuiltinOperator::BITCAST, {bits_}, {DType::kInt64, shape});
    }
    return numbers_;
  }
  Value bits() {
    if (!bits_.ok() && numbers_.ok()) {
      Shape shape = numbers_.shape();
      shape.Append(2);
      bits_ = b_->Emit(BuiltinOperator::BITCAST, {numbers_}, {DType::kUInt32, shape});
    }
    return bits_;
  }

 private:
  Words(Builder& b, Value numbers, Value bits) : b_(&b), numbers_(numbers), bits_(bits) {}

  Builder* b_;
  Value numbers_;
  Value bits_;
};

Value Table(Builder& b, const Shape& shape, const std::vector<uint64_t>& words) {
  return b.Constant(DType::kInt64, shape, std::vector<int64_t>(words.begin(), words.end()));
}
Value Number(Builder& b, uint64_t word) {
  return Table(b, {}, {word});
}
Words Xor(Builder& b, Words x, Words y) {
  return Words::Bits(b, lrt::Binary(b, BuiltinOperator::BITWISE_XOR, x.bits(), y.bits()));
}
Words Times(Builder& b, Words x, Value factor) {
  return Words::Numbers(b, lrt::Mul(b, x.numbers(), factor));
}

// x's elements in one axis.
Value Flat(Builder& b, Value x) {
  Dim n = 1;
  for (Dim dim : x.shape()) n = b.symbols().Product(n, dim);
  return lrt::Reshape(b, x, {n});
}

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

// x XOR (x >> 47), the shift filling with zeros: the high half's upper 17 bits.
Words ShiftMix(Builder& b, Words x) {
  const Value high = AtLast(b, x.bits(), 1);
  const Value top =
      lrt::Binary(b, BuiltinOperator::RIGHT_SHIFT, high, b.Scalar(47 - 32, DType::kUInt32));
  return Xor(b, x, Words::Numbers(b, lrt::Cast(b, top, DType::kInt64)));
}

// The remainder of words taken for unsigned numbers. FLOOR_MOD takes them for signed ones, which
// are 2^64 less from 2^63 on.
Value Remainder(Builder& b, Value words, int64_t bins) {
  const Value divisor = b.Constant<int64_t>(DType::kInt64, {}, {bins});
  const Value rest = lrt::FloorMod(b, words, divisor);
  const auto size = static_cast<uint64_t>(bins);
  const uint64_t wrapped = (UINT64_MAX % size + 1) % size;  // 2^64 modulo bins
  if (wrapped == 0) return rest;
  const Value negative = lrt::Compare(b, BuiltinOperator::LESS, words, Number(b, 0));
  const Value more = lrt::Select(b, negative, Number(b, wrapped), Number(b, 0));
  return lrt::FloorMod(b, lrt::Add(b, rest, more), divisor);
}

// ---- Texts ----

// n texts. bytes uint8[n, max_length + 1]: position i from the right, then whatever; the last one
// is 0. lengths int32[n], >= 1.
struct Texts {
  Value bytes;
  Value lengths;
  int max_length = 0;

  int zero() const { return max_length; }  // where bytes are 0
};

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

// The decimal texts of x int64[n], of at most `digits` digits and a sign. With m(k) = x modulo
// 10^k, of x's sign (no absolute value, which the least int64 has not):
//
//   digit k = (m(k + 1) - m(k)) / 10^k, where dividing by 5^k is a multiplication with its inverse
//   digit k > 0 is written where m(k) != x
//   left of the last digit may stand a sign: it is where m(k) = x first
Texts DecimalTexts(Builder& b, Value x, int digits) {
  const Value column = lrt::ExpandDims(b, x, 1);
  const Value negative = lrt::Compare(b, BuiltinOperator::LESS, column, Number(b, 0));
  const int64_t width = digits + 1;
  std::vector<uint64_t> up;
  std::vector<uint64_t> down;
  for (int k = 1; k < digits; ++k) {
    up.push_back(Power(10, k));
    down.push_back(0 - Power(10, k));
  }
  const Value divisors =
      lrt::Select(b, negative, Table(b, {digits - 1}, down), Table(b, {digits - 1}, up));
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
  const Value scaled =
      lrt::Cast(b, lrt::Mul(b, lrt::Sub(b, high, low), Table(b, {width}, inverses)), DType::kInt32);
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
      lrt::Cast(b, lrt::Compare(b, BuiltinOperator::LESS, x, Number(b, 0)), DType::kInt32);
  return {.bytes = lrt::Cast(b, lrt::Pad(b, characters, {{}, {0, 1}}), DType::kUInt8),
          .lengths = lrt::Add(b, count, sign),
          .max_length = static_cast<int>(width)};
}

// "true" and "false" of x bool[n].
Texts BoolTexts(Builder& b, Value x) {
  const std::vector<uint8_t> letters = {'e', 's', 'l', 'a', 'f', 0, 'e', 'u', 'r', 't', 0, 0};
  const Value which = lrt::Cast(b, x, DType::kInt32);
  return {.bytes = lrt::Gather(b, b.Constant(DType::kUInt8, {2, 6}, letters), which, 0),
          .lengths = lrt::Gather(b, b.Constant<int32_t>(DType::kInt32, {2}, {5, 4}), which, 0),
          .max_length = 5};
}

// Which bytes of a text, counted from the left, make up a word, lowest byte first; -1 is a 0.
using WordBytes = std::array<int, 8>;

WordBytes Bytes(int begin, int count) {
  WordBytes bytes;
  for (int i = 0; i < 8; ++i) bytes[static_cast<size_t>(i)] = i < count ? begin + i : -1;
  return bytes;
}

// The words that `select(length)` names, int64[n, words].
template <typename SelectFn>
Value ReadWords(Builder& b, const Texts& texts, int64_t words, SelectFn select) {
  std::vector<int32_t> places(static_cast<size_t>(8 * words), texts.zero());  // of length 0
  for (int length = 1; length <= texts.max_length; ++length) {
    for (const WordBytes& word : select(length)) {
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

// ---- FarmHash ----

constexpr int kFarmWords = 4;
constexpr int kFarmRotations = 3;

// How Fingerprint64 of a text of one length starts. Sums have a coefficient for each word and one
// for 1, the last.
struct FarmStart {
  using Sum = std::array<uint64_t, kFarmWords + 1>;
  std::array<WordBytes, kFarmWords> words;
  std::array<Sum, kFarmRotations> rotated = {};          // these sums, turned right by
  std::array<int, kFarmRotations> rotation = {1, 1, 1};  // so many bits (1 … 63)
  // u and v: coefficients of the rotated sums, and of words.
  std::array<std::array<uint64_t, kFarmRotations>, 2> of_rotated = {};
  std::array<Sum, 2> of_words = {};
  // What is mixed: with a = ShiftMix((u ^ v) * factor[0]), or u itself of texts shorter than 4:
  // ShiftMix((v ^ a) * factor[1]) * factor[2].
  std::array<uint64_t, 3> factor;
};

FarmStart StartOf(int length) {
  const auto size = static_cast<uint64_t>(length);
  const uint64_t mul = kFarm2 + 2 * size;
  FarmStart start;
  start.words.fill(Bytes(0, 0));
  start.factor = {mul, mul, mul};
  if (length < 4) {
    start.words[0] = Bytes(0, 1);
    start.words[1] = Bytes(length / 2, 1);
    start.words[2] = Bytes(length - 1, 1);
    start.of_words[0] = {0, 0, 4 * kFarm0, 0, size * kFarm0};
    start.of_words[1] = {kFarm2, kFarm2 << 8, 0, 0, 0};
    start.factor = {1, 1, kFarm2};
  } else if (length < 8) {
    start.words[0] = Bytes(0, 4);
    start.words[1] = Bytes(length - 4, 4);
    start.of_words[0] = {8, 0, 0, 0, size};
    start.of_words[1] = {0, 1, 0, 0, 0};
  } else if (length <= 16) {
    start.words[0] = Bytes(0, 8);
    start.words[1] = Bytes(length - 8, 8);
    start.rotated[0] = {0, 1, 0, 0, 0};
    start.rotated[1] = {1, 0, 0, 0, kFarm2};
    start.rotation = {37, 25, 1};
    start.of_rotated = {{{mul, 0, 0}, {0, mul, 0}}};
    start.of_words[0] = {1, 0, 0, 0, kFarm2};
    start.of_words[1] = {0, mul, 0, 0, 0};
  } else {
    start.words[0] = Bytes(0, 8);
    start.words[1] = Bytes(8, 8);
    start.words[2] = Bytes(length - 8, 8);
    start.words[3] = Bytes(length - 16, 8);
    start.rotated[0] = {kFarm1, 1, 0, 0, 0};
    start.rotated[1] = {0, 0, mul, 0, 0};
    start.rotated[2] = {0, 1, 0, 0, kFarm2};
    start.rotation = {43, 30, 18};
    start.of_rotated = {{{1, 1, 0}, {0, 0, 1}}};
    start.of_words[0] = {0, 0, 0, kFarm2, 0};
    start.of_words[1] = {kFarm1, 0, mul, 0, 0};
  }
  return start;
}

// int64[n]. REQUIRES: max_length <= 32.
Value Fingerprint64(Builder& b, const Texts& texts) {
  // A word w turned right by k is floor(w / 2^k) + w * 2^(64 - k), and with its halves L and H the
  // quotient is floor(L / 2^k) + H * 2^(32 - k), or floor(H / 2^(k - 32)) from k = 32 on. So its
  // multiples are sums of products with shifted halves and with w.
  constexpr int kTerms = 3 * kFarmRotations + kFarmWords + 1;
  std::vector<uint64_t> rotated((kFarmRotations * (kFarmWords + 1)), 0);  // of length 0
  std::vector<uint64_t> shifts(kFarmRotations, 0);
  std::vector<uint64_t> mixed(2 * kTerms, 0);
  std::vector<uint64_t> factors(3, 0);
  for (int length = 1; length <= texts.max_length; ++length) {
    const FarmStart start = StartOf(length);
    for (const FarmStart::Sum& sum : start.rotated) {
      rotated.insert(rotated.end(), sum.begin(), sum.end());
    }
    for (int k : start.rotation) {
      // The shifts of both halves, as one word.
      shifts.push_back(k < 32 ? static_cast<uint64_t>(k) : static_cast<uint64_t>(k - 32) << 32);
    }
    for (size_t i = 0; i < 2; ++i) {
      for (size_t j = 0; j < kFarmRotations; ++j) {
        const uint64_t c = start.of_rotated[i][j];
        const int k = start.rotation[j];
        mixed.push_back(k < 32 ? c : 0);
        mixed.push_back(k < 32 ? c << (32 - k) : c);
      }
      for (size_t j = 0; j < kFarmRotations; ++j) {
        mixed.push_back(start.of_rotated[i][j] << (64 - start.rotation[j]));
      }
      mixed.insert(mixed.end(), start.of_words[i].begin(), start.of_words[i].end());
    }
    factors.insert(factors.end(), start.factor.begin(), start.factor.end());
  }
  const int64_t rows = texts.max_length + 1;
  auto look_up = [&](const Shape& shape, const std::vector<uint64_t>& table) {
    return lrt::Gather(b, Table(b, shape, table), texts.lengths, 0);
  };
  // Rows of products with `terms` [n, m], summed: coefficients [n, k, m] -> [n, k].
  auto sums = [&](Value terms, Value coefficients) {
    return lrt::Reduce(b, BuiltinOperator::SUM,
                       lrt::Mul(b, lrt::ExpandDims(b, terms, 1), coefficients), {2},
                       /*keep_dims=*/false);
  };

  Value words = ReadWords(b, texts, kFarmWords, [](int length) { return StartOf(length).words; });
  if (!words.ok()) return words;
  const Dim n = words.dim(0);
  words = lrt::PadV2(b, words, {{}, {0, 1}}, Number(b, 1));
  const Value turned =
      sums(words, look_up({rows, kFarmRotations, kFarmWords + 1}, rotated));  // before their turn
  const Value halves =
      lrt::Binary(b, BuiltinOperator::RIGHT_SHIFT, Words::Numbers(b, turned).bits(),
                  Words::Numbers(b, look_up({rows, kFarmRotations}, shifts)).bits());
  const Value terms = lrt::Concatenation(
      b,
      {lrt::Reshape(b, lrt::Cast(b, halves, DType::kInt64), {n, 2 * kFarmRotations}), turned,
       words},
      1);
  const std::vector<Value> uv =
      lrt::Split(b, sums(terms, look_up({rows, 2, kTerms}, mixed)), 1, 2);  // [n, 1] each
  const std::vector<Value> factor = lrt::Split(b, look_up({rows, 3}, factors), 1, 3);

  Words u = Words::Numbers(b, uv[0]);
  const Words v = Words::Numbers(b, uv[1]);
  Words a = ShiftMix(b, Times(b, Xor(b, u, v), factor[0]));
  const Value is_short = lrt::Compare(
      b, BuiltinOperator::LESS, lrt::ExpandDims(b, texts.lengths, 1), b.Scalar(4, DType::kInt32));
  a = Words::Numbers(b, lrt::Select(b, is_short, u.numbers(), a.numbers()));
  Words hash = Times(b, ShiftMix(b, Times(b, Xor(b, v, a), factor[1])), factor[2]);
  return lrt::Reshape(b, hash.numbers(), {n});
}

}  // namespace

Value HashBins(Builder& b, Value x, int64_t bins, const std::optional<HashKey>& key) {
  if (!x.ok()) return x;
  (void)key;
  const DType dtype = x.dtype();
  if (dtype != DType::kBool && !ir::IsFloat(dtype) &&
      (!ir::IsInteger(dtype) || dtype == DType::kUInt64)) {
    return b.Fail("hash-1", fmt::format("{} has no hash here", ir::Name(dtype)),
                  "Hash integers of up to 64 bits, with a sign.");
  }
  const Shape shape = x.shape();
  x = Flat(b, x);
  Texts texts;
  if (dtype == DType::kBool) {
    texts = BoolTexts(b, x);
  } else {
    const bool narrow = ir::IsInteger(dtype) && ir::SizeOf(dtype) <= 4;
    texts = DecimalTexts(b, lrt::Cast(b, x, DType::kInt64), narrow ? 10 : 19);
  }
  const Value hashes = Fingerprint64(b, texts);
  return lrt::Reshape(b, Remainder(b, hashes, bins), shape);
}

Value CrossBins(Builder& b, const std::vector<Value>& xs, int64_t bins) {
  constexpr uint64_t kSeed = 0xdecafcaffe;
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995;
  if (xs.empty()) return b.Fail("hash-2", "a cross of no features");
  Words hash = Words::Numbers(b, Number(b, kSeed));
  for (Value x : xs) {
    if (!x.ok()) return x;
    if (x.dtype() != DType::kBool && (!ir::IsInteger(x.dtype()) || x.dtype() == DType::kUInt64)) {
      return b.Fail("hash-1", fmt::format("{} has no hash here", ir::Name(x.dtype())),
                    "Cross integers of up to 64 bits, with a sign.");
    }
    // One axis: operators on bits add one, and broadcast up to four.
    const Words feature = Words::Numbers(b, lrt::Cast(b, Flat(b, x), DType::kInt64));
    const Value factor = Number(b, kFactor);
    const Words mixed = Times(b, ShiftMix(b, Times(b, feature, factor)), factor);
    hash = Xor(b, Xor(b, hash, Words::Numbers(b, factor)), mixed);
    hash = ShiftMix(b, Times(b, ShiftMix(b, Times(b, hash, factor)), factor));
  }
  return lrt::Reshape(b, Remainder(b, hash.numbers(), bins), xs[0].shape());
}

}  // namespace keras_litert::ops
