// keras.ops.dot_product_attention and what the attention layers share.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

// bool [1, rows, columns]: a query at position i sees keys up to position i (`causal`) and nearer
// than `window` (0: all). Failed Value where neither restricts anything.
Value PositionMask(Builder& b, Dim rows, Dim columns, bool causal, int64_t window);

// mask1 and mask2, either may be a failed Value for "all".
Value BothMasks(Builder& b, Value mask1, Value mask2);

// What is added to scores so that the softmax gives masked positions no weight: 0 where `mask` is
// true, else `low`.
Value MaskBias(Builder& b, Value mask, DType dtype, double low);

// x with axes of size 1 inserted before axis `axis` (counted from the end: -1 is before the last)
// until it has `rank`.
Value ExpandTo(Builder& b, Value x, int rank, int axis);

struct AttentionOptions {
  double scale = 1;
  // What a query that sees no key gets: zeros, or the mean of all values.
  bool zero_if_all_masked = false;
};

struct AttentionResult {
  Value output;  // [batch, T, N, V]
  Value scores;  // [batch, N, T, S]
};

// softmax(query · keyᵀ * scale + bias) · value for query [batch, T, N, H], key [batch, S, K, H],
// value [batch, S, K, V]; each of K heads serves N / K queries' heads. bias and mask (bool)
// broadcast to [batch, N, T, S], or are failed Values.
AttentionResult DotProductAttention(Builder& b, Value query, Value key, Value value, Value bias,
                                    Value mask, const AttentionOptions& options);

}  // namespace keras_litert::ops
