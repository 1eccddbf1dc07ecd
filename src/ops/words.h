// Tensors of unsigned 64-bit words, which LiteRT's kernels do not have.
//
// int64 kernels add and multiply modulo 2^64, whatever the sign is taken to be. What they lack, XOR
// and shifts, is done on the same bytes seen as pairs of uint32: BITCAST copies nothing. Words lie
// in memory as LiteRT's hosts have them, lowest byte first.
#pragma once

#include <vector>

#include "ir/operators.h"

namespace keras_litert::ops {

using ir::Builder;
using ir::Value;

// Two views of the same words: numbers, int64[...], to add and multiply modulo 2^64; bits,
// uint32[..., 2] with the low half first. Each is made from the other where it is first needed.
class Words {
 public:
  static Words Numbers(Builder& b, Value numbers) { return Words(&b, numbers, Value()); }
  static Words Bits(Builder& b, Value bits) { return Words(&b, Value(), bits); }
  // Of constants.
  static Words Both(Value numbers, Value bits) { return Words(nullptr, numbers, bits); }

  Value numbers();
  Value bits();

 private:
  Words(Builder* b, Value numbers, Value bits) : b_(b), numbers_(numbers), bits_(bits) {}

  Builder* b_;
  Value numbers_;
  Value bits_;
};

// Constants, int64.
Value WordTable(Builder& b, const ir::Shape& shape, const std::vector<uint64_t>& words);
Value WordScalar(Builder& b, uint64_t word);

Words Xor(Builder& b, Words x, Words y);
// Modulo 2^64.
Words Times(Builder& b, Words x, Value factor);
// x XOR (x >> 47), the shift filling with zeros.
Words ShiftMix(Builder& b, Words x);
// The remainder of words taken for unsigned numbers: int64 in 0 … bins - 1.
// REQUIRES: 1 <= bins <= 2^62.
Value Remainder(Builder& b, Value words, int64_t bins);

}  // namespace keras_litert::ops
