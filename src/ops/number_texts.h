// Texts of numbers, as tensors of characters: "-17", "true".
#pragma once

#include <array>
#include <vector>

#include "ir/operators.h"

namespace keras_litert::ops {

using ir::Builder;
using ir::Value;

// n texts. bytes uint8[n, max_length + 1]: position i from the right, then whatever; the last one
// is 0. lengths int32[n], >= 1.
struct Texts {
  Value bytes;
  Value lengths;
  int max_length = 0;

  int zero() const { return max_length; }  // where bytes are 0
};

// The decimal texts of x int64[n], of at most `digits` digits (10 … 19) and a sign.
Texts DecimalTexts(Builder& b, Value x, int digits);
// "true" and "false" of x bool[n].
Texts BoolTexts(Builder& b, Value x);

// Which bytes of a text, counted from the left, make up a word, lowest byte first; -1 is a 0.
using WordBytes = std::array<int, 8>;

// `count` bytes from `begin` on, then zeros.
WordBytes Bytes(int begin, int count);

// 64-bit words of the texts, int64[n, words]: those of `selections[length - 1]` from a text of
// `length` bytes. REQUIRES: a selection of `words` words for each length up to the longest.
Value ReadWords(Builder& b, const Texts& texts, int64_t words,
                const std::vector<std::vector<WordBytes>>& selections);

}  // namespace keras_litert::ops
