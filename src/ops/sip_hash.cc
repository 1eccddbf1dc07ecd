#include "ops/sip_hash.h"

#include <algorithm>

#include "ops/words.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;
using ir::Dim;
using ir::DType;

// The state's four words as two pairs, v0 and v2, v1 and v3: what a round does to one it does to
// the other. int64[n, 2].
struct SipState {
  Words even;
  Words odd;
};

Words ConstantPair(Builder& b, uint64_t first, uint64_t second) {
  std::vector<uint32_t> halves;
  for (uint64_t word : {first, second}) {
    halves.push_back(static_cast<uint32_t>(word));
    halves.push_back(static_cast<uint32_t>(word >> 32));
  }
  return Words::Both(WordTable(b, {1, 2}, {first, second}),
                     b.Constant(DType::kUInt32, {1, 2, 2}, halves));
}

// x uint32[n, 2, 2], backwards along one axis.
Value Reversed(Builder& b, Value x, int axis) {
  if (!x.ok()) return x;
  const std::vector<int32_t> zeros(3, 0);
  std::vector<int32_t> steps(3, 1);
  steps[static_cast<size_t>(axis)] = -1;
  return lrt::StridedSlice(b, x, b.Vector(zeros), b.Vector(zeros), b.Vector(steps),
                           {.begin_mask = 7, .end_mask = 7}, x.type());
}

// Half of a SipRound: even += odd; odd = (odd turned left by `turns`) XOR even; then
// even[exchanged] has its halves exchanged. A word is turned left by k < 32 where each half is
// shifted left by k, and what falls out of it goes into the other half.
void HalfSipRound(Builder& b, SipState& state, std::array<int, 2> turns, size_t exchanged) {
  std::vector<uint32_t> factors;
  std::vector<uint32_t> shifts;
  std::vector<uint8_t> exchange(2, 0);  // bools
  for (int turn : turns) {
    factors.push_back(uint32_t{1} << turn);
    shifts.push_back(static_cast<uint32_t>(32 - turn));
  }
  exchange[exchanged] = 1;
  Words even = Words::Numbers(b, lrt::Add(b, state.even.numbers(), state.odd.numbers()));
  const Value odd = state.odd.bits();
  const Value left = lrt::Mul(b, odd, b.Constant(DType::kUInt32, {2, 1}, factors));
  const Value right =
      lrt::Binary(b, BuiltinOperator::RIGHT_SHIFT, odd, b.Constant(DType::kUInt32, {2, 1}, shifts));
  const Value bits = even.bits();
  state.odd = Xor(b, Xor(b, Words::Bits(b, left), Words::Bits(b, Reversed(b, right, 2))), even);
  state.even = Words::Bits(
      b, lrt::Select(b, b.Constant(DType::kBool, {2, 1}, exchange), Reversed(b, bits, 2), bits));
}

void SipRounds(Builder& b, SipState& state, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    HalfSipRound(b, state, {13, 16}, 0);
    state.odd = Words::Bits(b, Reversed(b, state.odd.bits(), 1));
    HalfSipRound(b, state, {21, 17}, 1);
    state.odd = Words::Bits(b, Reversed(b, state.odd.bits(), 1));
  }
}

}  // namespace

Value SipHash(Builder& b, const Texts& texts, const HashKey& key) {
  // A text has length / 8 + 1 blocks, the last with the length in its highest byte. Shorter texts
  // join at a later block.
  const int blocks = texts.max_length / 8 + 1;
  std::vector<uint64_t> sizes;
  for (int length = 0; length <= texts.max_length; ++length) {
    sizes.insert(sizes.end(), static_cast<size_t>(blocks - 1), 0);
    sizes.push_back(static_cast<uint64_t>(length) << 56);
  }
  std::vector<std::vector<WordBytes>> selections;
  for (int length = 1; length <= texts.max_length; ++length) {
    const int own = length / 8 + 1;
    std::vector<WordBytes>& read =
        selections.emplace_back(static_cast<size_t>(blocks - own), Bytes(0, 0));
    for (int i = 0; i < own; ++i) read.push_back(Bytes(8 * i, std::min(8, length - 8 * i)));
  }
  const Value words = ReadWords(b, texts, blocks, selections);
  if (!words.ok()) return words;
  const Dim n = words.dim(0);
  const std::vector<Value> block = lrt::Split(
      b,
      lrt::Add(
          b, words,
          lrt::Gather(b, WordTable(b, {texts.max_length + 1, blocks}, sizes), texts.lengths, 0)),
      1, blocks);

  SipState state = {
      .even = ConstantPair(b, key[0] ^ 0x736f6d6570736575, key[0] ^ 0x6c7967656e657261),
      .odd = ConstantPair(b, key[1] ^ 0x646f72616e646f6d, key[1] ^ 0x7465646279746573)};
  for (int i = 0; i < blocks; ++i) {
    SipState before = state;
    const Value word = block[static_cast<size_t>(i)];
    state.odd = Xor(b, state.odd, Words::Numbers(b, lrt::Pad(b, word, {{}, {1, 0}})));
    SipRounds(b, state, 2);
    state.even = Xor(b, state.even, Words::Numbers(b, lrt::Pad(b, word, {{}, {0, 1}})));
    const int later = blocks - 1 - i;
    if (later == 0) break;
    const Value joined = lrt::Reshape(b,
                                      lrt::Compare(b, BuiltinOperator::GREATER_EQUAL, texts.lengths,
                                                   b.Scalar(8 * later, DType::kInt32)),
                                      {n, 1, 1});
    state.even = Words::Bits(b, lrt::Select(b, joined, state.even.bits(), before.even.bits()));
    state.odd = Words::Bits(b, lrt::Select(b, joined, state.odd.bits(), before.odd.bits()));
  }
  state.even = Xor(b, state.even, ConstantPair(b, 0, 0xff));
  SipRounds(b, state, 4);
  Words pair = Xor(b, state.even, state.odd);
  const std::vector<Value> half = lrt::Split(b, pair.numbers(), 1, 2);
  Words hash = Xor(b, Words::Numbers(b, half[0]), Words::Numbers(b, half[1]));
  return lrt::Reshape(b, hash.numbers(), {n});
}

}  // namespace keras_litert::ops
