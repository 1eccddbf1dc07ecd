// Hashes of integers, bit for bit as Keras's preprocessing layers compute them through TensorFlow.
//
// LiteRT has no operators on strings, but the decimal digits of an integer are bytes that follow by
// arithmetic (number_texts.h), and a hash is arithmetic on 64-bit words (words.h).
#pragma once

#include <optional>
#include <vector>

#include "ops/sip_hash.h"

namespace keras_litert::ops {

// The largest number of bins: sums of two remainders must not exceed int64.
inline constexpr int64_t kMaxHashBins = int64_t{1} << 62;

// The hash of each number's decimal text ("-17"; "true" and "false" of bools), an unsigned 64-bit
// number, modulo `bins`: int64 of x's shape. FarmHash's Fingerprint64, or SipHash-2-4 where a key
// is given. Floats are cut to int64 first. Any shape, dynamic sizes too.
// REQUIRES: 1 <= bins <= kMaxHashBins. Fails (hash-1) for uint64 and types that are no numbers.
Value HashBins(Builder& b, Value x, int64_t bins, const std::optional<HashKey>& key);

// The fingerprint of one number of each tensor, in order, modulo `bins`: int64 of their shape. What
// TensorFlow's hashed cross of features gives.
// REQUIRES: as above; xs is not empty, integers or bools of one shape.
Value CrossBins(Builder& b, const std::vector<Value>& xs, int64_t bins);

}  // namespace keras_litert::ops
