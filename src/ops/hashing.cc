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
// Sources: Fingerprint64 is farmhashna::Hash64 of github.com/google/farmhash; the cross
// is TensorFlow's SparseCross operator.
#include "ops/hashing.h"

#include <fmt/core.h>

#include "ops/words.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;
using ir::Dim;
using ir::DType;
using ir::Shape;

constexpr uint64_t kFarm0 = 0xc3a5c85c97cb3127;
constexpr uint64_t kFarm1 = 0xb492b66fbe98f273;
constexpr uint64_t kFarm2 = 0x9ae16a3b2f90404f;

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
  std::vector<std::vector<WordBytes>> selections;
  constexpr int kTerms = 3 * kFarmRotations + kFarmWords + 1;
  std::vector<uint64_t> rotated((kFarmRotations * (kFarmWords + 1)), 0);  // of length 0
  std::vector<uint64_t> shifts(kFarmRotations, 0);
  std::vector<uint64_t> mixed(2 * kTerms, 0);
  std::vector<uint64_t> factors(3, 0);
  for (int length = 1; length <= texts.max_length; ++length) {
    const FarmStart start = StartOf(length);
    selections.emplace_back(start.words.begin(), start.words.end());
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
    return lrt::Gather(b, WordTable(b, shape, table), texts.lengths, 0);
  };
  // Rows of products with `terms` [n, m], summed: coefficients [n, k, m] -> [n, k].
  auto sums = [&](Value terms, Value coefficients) {
    return lrt::Reduce(b, BuiltinOperator::SUM,
                       lrt::Mul(b, lrt::ExpandDims(b, terms, 1), coefficients), {2},
                       /*keep_dims=*/false);
  };

  Value words = ReadWords(b, texts, kFarmWords, selections);
  if (!words.ok()) return words;
  const Dim n = words.dim(0);
  words = lrt::PadV2(b, words, {{}, {0, 1}}, WordScalar(b, 1));
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

// x's elements in one axis.
Value Flat(Builder& b, Value x) {
  Dim n = 1;
  for (Dim dim : x.shape()) n = b.symbols().Product(n, dim);
  return lrt::Reshape(b, x, {n});
}

}  // namespace

Value HashBins(Builder& b, Value x, int64_t bins, const std::optional<HashKey>& key) {
  if (!x.ok()) return x;
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
  const Value hashes = key ? SipHash(b, texts, *key) : Fingerprint64(b, texts);
  return lrt::Reshape(b, Remainder(b, hashes, bins), shape);
}

Value CrossBins(Builder& b, const std::vector<Value>& xs, int64_t bins) {
  constexpr uint64_t kSeed = 0xdecafcaffe;
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995;
  if (xs.empty()) return b.Fail("hash-2", "a cross of no features");
  Words hash = Words::Numbers(b, WordScalar(b, kSeed));
  for (Value x : xs) {
    if (!x.ok()) return x;
    if (x.dtype() != DType::kBool && (!ir::IsInteger(x.dtype()) || x.dtype() == DType::kUInt64)) {
      return b.Fail("hash-1", fmt::format("{} has no hash here", ir::Name(x.dtype())),
                    "Cross integers of up to 64 bits, with a sign.");
    }
    // One axis: operators on bits add one, and broadcast up to four.
    const Words feature = Words::Numbers(b, lrt::Cast(b, Flat(b, x), DType::kInt64));
    const Value factor = WordScalar(b, kFactor);
    const Words mixed = Times(b, ShiftMix(b, Times(b, feature, factor)), factor);
    hash = Xor(b, Xor(b, hash, Words::Numbers(b, factor)), mixed);
    hash = ShiftMix(b, Times(b, ShiftMix(b, Times(b, hash, factor)), factor));
  }
  return lrt::Reshape(b, Remainder(b, hash.numbers(), bins), xs[0].shape());
}

}  // namespace keras_litert::ops
