#include "ops/attention.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "ops/activation.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

// Positions up to this many are masked by a constant of the file, more by comparing when it runs.
constexpr int64_t kMaxConstantMask = 1 << 16;

// 0, 1, … as int32 [size].
Value Positions(Builder& b, Dim size) {
  if (!size.is_static()) {
    return lrt::Range(b, b.Scalar(0, DType::kInt32), b.SizeOf(size), b.Scalar(1, DType::kInt32),
                      size);
  }
  std::vector<int32_t> positions(static_cast<size_t>(size.value()));
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int32_t>(i);
  return b.Vector(positions);
}

Argument DotProductAttentionOp(Builder& b, Arguments& a) {
  const Value query = a.Tensor(0, "query");
  const Value key = a.Tensor(1, "key");
  const Value value = a.Tensor(2, "value");
  const Value bias = a.OptionalTensor(3, "bias");
  Value mask = a.OptionalTensor(4, "mask");
  if (!query.ok() || !key.ok() || !value.ok()) return Value();
  AttentionOptions options;
  const Dim depth = query.dim(-1);
  const bool has_scale = a.Has(5, "scale");
  options.scale = a.Float(5, "scale", 1);
  if (!has_scale) {
    if (!depth.is_static() || depth.value() < 1) {
      return b.Fail("attention-1", "the depth of the queries is not known", "Give a scale.");
    }
    options.scale = 1 / std::sqrt(static_cast<double>(depth.value()));
  }
  const bool causal = a.Bool(6, "is_causal", false);
  a.Get(7, "flash_attention");  // how, not what, is computed
  if (a.Has(8, "attn_logits_soft_cap")) {
    return b.Fail("attention-2", "attn_logits_soft_cap is known on TPUs alone");
  }
  if (mask.ok()) mask = lrt::Cast(b, mask, DType::kBool);
  mask = BothMasks(b, mask, PositionMask(b, query.dim(1), key.dim(1), causal, 0));
  return DotProductAttention(b, query, key, value, bias, mask, options).output;
}

}  // namespace

Value PositionMask(Builder& b, Dim rows, Dim columns, bool causal, int64_t window) {
  if (!causal && window <= 0) return Value();
  auto sees = [&](int64_t i, int64_t j) {
    return (!causal || j <= i) && (window <= 0 || std::abs(i - j) < window);
  };
  const bool fixed = rows.is_static() && columns.is_static();
  if (fixed && (columns.value() == 0 || rows.value() <= kMaxConstantMask / columns.value())) {
    std::vector<uint8_t> mask;
    for (int64_t i = 0; i < rows.value(); ++i) {
      for (int64_t j = 0; j < columns.value(); ++j) mask.push_back(sees(i, j) ? 1 : 0);
    }
    return b.Constant(DType::kBool, Shape{1, rows, columns}, mask);
  }
  const Value i = lrt::Reshape(b, Positions(b, rows), Shape{1, rows, 1});
  const Value j = lrt::Reshape(b, Positions(b, columns), Shape{1, 1, columns});
  Value mask;
  if (causal) mask = lrt::Compare(b, BuiltinOperator::GREATER_EQUAL, i, j);
  if (window > 0) {
    const Value distance = lrt::Unary(b, BuiltinOperator::ABS, lrt::Sub(b, i, j));
    const Value limit = b.Scalar(static_cast<double>(window), DType::kInt32);
    mask = BothMasks(b, mask, lrt::Compare(b, BuiltinOperator::LESS, distance, limit));
  }
  return mask;
}

Value BothMasks(Builder& b, Value mask1, Value mask2) {
  if (!mask1.ok()) return mask2;
  if (!mask2.ok()) return mask1;
  return lrt::Compare(b, BuiltinOperator::LOGICAL_AND, mask1, mask2);
}

Value MaskBias(Builder& b, Value mask, DType dtype, double low) {
  if (mask.is_constant()) {
    const Result<std::vector<bool>> seen = ir::EvaluateAs<bool>(mask.constant());
    if (!seen)
      return b.Fail("attention-3", "a constant mask cannot be read",
                    "Save the model again; its file may be damaged.");
    std::vector<float> bias;
    for (bool s : *seen) bias.push_back(s ? 0.0F : static_cast<float>(low));
    return lrt::Cast(b, b.Constant(DType::kFloat32, mask.shape(), bias), dtype);
  }
  return lrt::Select(b, mask, b.Scalar(0, dtype), b.Scalar(low, dtype));
}

Value ExpandTo(Builder& b, Value x, int rank, int axis) {
  while (x.ok() && x.rank() < rank) {
    const int position = x.rank() + 1 + axis;
    if (position < 0) {
      return b.Fail("attention-4",
                    fmt::format("a mask of shape {} has too few axes", x.shape().ToString()));
    }
    x = lrt::ExpandDims(b, x, position);
  }
  return x;
}

// q = TRANSPOSE(query * scale), k = TRANSPOSE(key), v = TRANSPOSE(value): heads before positions.
// With N = K * G heads the G of one key's head lie one behind the other, so that q becomes [batch,
// K, G * T, H] by a reshape.
//   scores = SOFTMAX(BATCH_MATMUL(q, kᵀ) + bias + mask's bias);  output =
//   TRANSPOSE(BATCH_MATMUL(scores, v))
AttentionResult DotProductAttention(Builder& b, Value query, Value key, Value value, Value bias,
                                    Value mask, const AttentionOptions& options) {
  if (!query.ok() || !key.ok() || !value.ok()) return {};
  const Dim heads = query.dim(2);
  const Dim key_heads = key.dim(2);
  if (query.rank() != 4 || key.rank() != 4 || value.rank() != 4 || !heads.is_static() ||
      !key_heads.is_static() || key_heads.value() < 1 || value.dim(2) != key_heads ||
      heads.value() % key_heads.value() != 0) {
    b.Fail("attention-5",
           fmt::format("queries {}, keys {} and values {} do not go together",
                       query.shape().ToString(), key.shape().ToString(), value.shape().ToString()));
    return {};
  }
  const DType dtype = FloatResultType(
      ResultType({Promotable(query.dtype()), Promotable(key.dtype()), Promotable(value.dtype())}));
  auto heads_first = [&](Value x) {
    return lrt::Transpose(b, lrt::Cast(b, x, dtype), {0, 2, 1, 3});
  };
  if (options.scale != 1) query = Multiply(b, lrt::Cast(b, query, dtype), options.scale);
  Value q = heads_first(query);
  const Shape all = q.shape();  // [batch, N, T, H]
  const Dim batch = all[0];
  const Dim length = all[2];
  const bool grouped = heads != key_heads;
  const Dim rows = grouped ? length * (heads.value() / key_heads.value()) : length;
  if (grouped) q = lrt::Reshape(b, q, Shape{batch, key_heads, rows, all[3]});
  Value scores = lrt::BatchMatMul(b, q, heads_first(key), false, true);
  const Dim keys = scores.dim(-1);
  const Shape full{batch, heads, length, keys};
  scores = lrt::Reshape(b, scores, full);
  Shape unchanged;
  for (Value extra : {bias, mask}) {
    if (extra.ok() && (!lrt::Broadcast(extra.shape(), full, &unchanged) || unchanged.rank() != 4)) {
      b.Fail("attention-6",
             fmt::format("a mask or bias of shape {} does not broadcast to scores {}",
                         extra.shape().ToString(), full.ToString()));
      return {};
    }
  }
  if (bias.ok()) scores = lrt::Add(b, scores, lrt::Cast(b, bias, dtype));
  // The softmax runs in float32 at least.
  const DType wide = ResultType({Promotable(dtype), Promotable(DType::kFloat32)});
  scores = lrt::Cast(b, scores, wide);
  if (mask.ok()) {
    // So low that it swallows every score: where all keys are masked, all get the same weight.
    const double low = -0.7 * static_cast<double>(std::numeric_limits<float>::max());
    scores = lrt::Add(b, scores, MaskBias(b, mask, wide, low));
  }
  scores = lrt::Softmax(b, scores);
  if (mask.ok() && options.zero_if_all_masked) {
    scores = lrt::Mul(b, scores, lrt::Cast(b, mask, wide));
  }
  scores = lrt::Cast(b, scores, dtype);
  Value weights = scores;
  if (grouped) weights = lrt::Reshape(b, scores, Shape{batch, key_heads, rows, keys});
  Value output = lrt::BatchMatMul(b, weights, heads_first(value));
  output = lrt::Reshape(b, output, Shape{batch, heads, length, value.dim(-1)});
  return {lrt::Transpose(b, output, {0, 2, 1, 3}), scores};
}

std::span<const OpEntry> AttentionOps() {
  static constexpr OpEntry kOps[] = {{"nn.dot_product_attention", DotProductAttentionOp}};
  return kOps;
}

}  // namespace keras_litert::ops
