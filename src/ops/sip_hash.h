// SipHash-2-4: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
#pragma once

#include <array>

#include "ops/number_texts.h"

namespace keras_litert::ops {

using HashKey = std::array<uint64_t, 2>;

// int64[n]. REQUIRES: no text is longer than 255 bytes.
Value SipHash(Builder& b, const Texts& texts, const HashKey& key);

}  // namespace keras_litert::ops
