// MultiHeadAttention, GroupedQueryAttention, Attention and AdditiveAttention.
#include "ops/attention.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/activation.h"
#include "ops/einsum.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/reduction.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;

constexpr std::string_view kTrainingOnly[] = {"kernel_initializer",
                                              "bias_initializer",
                                              "kernel_regularizer",
                                              "bias_regularizer",
                                              "kernel_constraint",
                                              "bias_constraint",
                                              "seed"};

// What MultiHeadAttention and GroupedQueryAttention are called with.
struct AttentionCall {
  Value query;
  Value value;
  Value key;
  Value query_mask;
  Value value_mask;
  Value key_mask;
  Value attention_mask;
  bool return_scores = false;
  bool causal = false;
};

AttentionCall ReadCall(Layer& layer, Arguments& call) {
  AttentionCall c;
  c.query = call.Tensor(0, "query");
  c.value = call.Tensor(1, "value");
  const bool has_key = call.Has(2, "key");
  c.key = has_key ? call.Tensor(2, "key") : c.value;
  call.Get(2, "key");
  // A mask that is not given is the one that came with the tensor.
  auto mask = [&](int position, std::string_view name, Value carrier) {
    Value m = call.OptionalTensor(position, name);
    if (!m.ok()) m = layer.Mask(carrier);
    return m.ok() ? lrt::Cast(layer.b(), m, DType::kBool) : m;
  };
  c.query_mask = mask(3, "query_mask", c.query);
  c.value_mask = mask(4, "value_mask", c.value);
  c.key_mask = mask(5, "key_mask", has_key ? c.key : Value());
  c.attention_mask = call.OptionalTensor(6, "attention_mask");
  c.return_scores = call.Bool(7, "return_attention_scores", false);
  call.Get(8, "training");
  c.causal = call.Bool(9, "use_causal_mask", false);
  return c;
}

// All masks as one: bool [batch, T, S] or what attention_mask's rank makes of it; failed where
// nothing is masked.
Value JoinMasks(Layer& layer, const AttentionCall& c, int64_t window) {
  Builder& b = layer.b();
  Value mask = c.query_mask.ok() ? lrt::ExpandDims(b, c.query_mask, c.query_mask.rank()) : Value();
  for (Value keys : {c.value_mask, c.key_mask}) {
    if (!keys.ok()) continue;
    mask = ops::BothMasks(b, mask, lrt::ExpandDims(b, keys, std::max(0, keys.rank() - 1)));
  }
  mask = ops::BothMasks(b, mask,
                        ops::PositionMask(b, c.query.dim(1), c.value.dim(1), c.causal, window));
  if (!c.attention_mask.ok()) return mask;
  return ops::BothMasks(b, lrt::Cast(b, c.attention_mask, DType::kBool), mask);
}

// A sublayer EinsumDense: its kernel and, where the layer has biases, its bias.
struct Projection {
  Value kernel;
  Value bias;
};

Projection ReadProjection(Layer& layer, const std::string& attribute, const Shape& kernel,
                          const Shape& bias, bool use_bias) {
  const nlohmann::json& own = layer.config().json();
  const auto dtype = own.find("dtype");
  const nlohmann::json config = {{"name", attribute},
                                 {"dtype", dtype == own.end() ? nlohmann::json() : *dtype}};
  Layer child = layer.Child(attribute, "EinsumDense", config);
  Projection p;
  p.kernel = child.Weight(0, "kernel", kernel);
  if (use_bias) p.bias = child.Weight(1, "bias", bias);
  return p;
}

// The labels of that many leading axes.
std::string LeadingLabels(int count) {
  std::string labels;
  for (int i = 0; i < count; ++i) labels += static_cast<char>('a' + i);
  return labels;
}

// x […, features] · kernel [features, heads, depth] + bias: […, heads, depth].
Value Project(Builder& b, Value x, const Projection& p) {
  if (!x.ok()) return x;
  const ops::EinsumEquation equation{{LeadingLabels(x.rank() - 1) + "x", "xyz"},
                                     LeadingLabels(x.rank() - 1) + "yz"};
  return ops::Einsum(b, equation, {x, p.kernel}, p.bias, "yz");
}

// x […, heads, depth] · kernel [heads, depth, outputs…] + bias: […, outputs…].
Value ProjectBack(Builder& b, Value x, const Projection& p) {
  if (!x.ok() || !p.kernel.ok()) return Value();
  const std::string leading = LeadingLabels(x.rank() - 2);
  std::string outputs;
  for (int i = 2; i < p.kernel.rank(); ++i) outputs += static_cast<char>('A' + i);
  const ops::EinsumEquation equation{{leading + "yz", "yz" + outputs}, leading + outputs};
  return ops::Einsum(b, equation, {x, p.kernel}, p.bias, outputs);
}

// Attention over `axes` of query, key and value […, heads, depth] of any rank, by einsum:
//   scores [the other axes, heads, query's axes, key's axes], output as query.
ops::AttentionResult AttentionOverAxes(Layer& layer, Value query, Value key, Value value,
                                       Value mask, const std::vector<int>& axes, double scale) {
  Builder& b = layer.b();
  const int rank = query.rank();
  const int count = static_cast<int>(axes.size());
  std::string target;
  std::string source;
  std::string batch;
  std::string targets;
  std::string sources;
  for (int i = 0; i < rank; ++i) {
    const char label = static_cast<char>('a' + i);
    const bool attended = std::find(axes.begin(), axes.end(), i) != axes.end();
    target += label;
    source += attended ? static_cast<char>('A' + i) : label;
    if (!attended && i < rank - 1) batch += label;
  }
  for (int axis : axes) {
    targets += target[static_cast<size_t>(axis)];
    sources += source[static_cast<size_t>(axis)];
  }
  const std::string product = batch + targets + sources;
  query = ops::Multiply(b, query, scale);
  Value scores = ops::Einsum(b, ops::EinsumEquation{{source, target}, product}, {key, query});
  if (!scores.ok()) return {};
  std::vector<int> softmax_axes;
  for (int i = 0; i < count; ++i) softmax_axes.push_back(scores.rank() - count + i);
  if (!mask.ok()) {
    scores = ops::Softmax(b, scores, softmax_axes);
  } else {
    mask = ops::ExpandTo(b, mask, scores.rank(), -2 * count - 1);
    const double low = scores.dtype() == DType::kFloat16 ? -3e4 : -1e9;
    const Value masked = lrt::Add(b, scores, ops::MaskBias(b, mask, scores.dtype(), low));
    scores = lrt::Mul(b, ops::Softmax(b, masked, softmax_axes), lrt::Cast(b, mask, scores.dtype()));
  }
  return {ops::Einsum(b, ops::EinsumEquation{{product, source}, target}, {scores, value}), scores};
}

Argument Result(const AttentionCall& c, Value output, Value scores) {
  if (!c.return_scores) return output;
  return Argument::List({output, scores});
}

Argument MultiHeadAttention(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  config.Ignore({"flash_attention"});
  AttentionCall c = ReadCall(layer, call);
  if (!c.query.ok() || !c.value.ok() || !c.key.ok()) return Value();
  const int rank = c.query.rank();
  const int64_t heads = config.Int("num_heads");
  const int64_t key_dim = config.Int("key_dim");
  const int64_t value_dim = config.Has("value_dim") ? config.Int("value_dim") : key_dim;
  config.Raw("value_dim");
  const bool use_bias = config.Bool("use_bias", true);
  const bool gated = config.Bool("use_gate", false);
  const double dropout = config.Float("dropout", 0);
  const int64_t window = config.OptionalInt("sliding_window").value_or(0);
  const std::vector<int> outputs = config.Ints("output_shape", std::vector<int>());
  std::vector<int> axes = config.Ints("attention_axes", std::vector<int>());
  if (rank < 3 || rank > 8 || c.key.rank() != rank || c.value.rank() != rank) {
    return layer.Fail("attention-7",
                      fmt::format("query {}, value {} and key {} must have one rank from 3 to 8",
                                  c.query.shape().ToString(), c.value.shape().ToString(),
                                  c.key.shape().ToString()));
  }
  if (heads < 1 || key_dim < 1 || value_dim < 1) {
    return layer.Fail("attention-8", "num_heads, key_dim and value_dim must be positive");
  }
  // Axes are those of the projections, [batch, …, heads, depth].
  if (axes.empty()) {
    for (int i = 1; i < rank - 1; ++i) axes.push_back(i);
  }
  for (int& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return layer.Fail("attention-9", "an attention axis is outside");
  }
  std::vector<int> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return layer.Fail("attention-9", "an attention axis is given twice");
  }

  // As Keras does, whatever query_mask is given: the query's own mask counts.
  c.query_mask = layer.Mask(c.query);
  const Value mask_of_query = c.query_mask;
  const Value mask = JoinMasks(layer, c, window);
  // Keras takes the masks off the tensors.
  for (Value v : {c.query, c.value, c.key}) layer.SetMask(v, Value());

  auto projection = [&](const char* attribute, Value x, int64_t depth) {
    return ReadProjection(layer, attribute, Shape{x.dim(-1), heads, depth}, Shape{heads, depth},
                          use_bias);
  };
  const Projection to_query = projection("query_dense", c.query, key_dim);
  const Projection to_key = projection("key_dense", c.key, key_dim);
  const Projection to_gate = gated ? projection("_gate_dense", c.query, value_dim) : Projection();
  const Projection to_value = projection("value_dense", c.value, value_dim);
  Shape output_kernel{heads, value_dim};
  Shape output_bias;
  for (int size : outputs) output_bias.Append(size);
  if (outputs.empty()) output_bias.Append(c.query.dim(-1));
  for (Dim size : output_bias) output_kernel.Append(size);
  const Projection to_output =
      ReadProjection(layer, "output_dense", output_kernel, output_bias, use_bias);

  const Value query = Project(b, c.query, to_query);
  const Value key = Project(b, c.key, to_key);
  const Value value = Project(b, c.value, to_value);
  const double scale = 1 / std::sqrt(static_cast<double>(key_dim));
  // Keras has a fused path for rank 4, which ignores the axes, and one by einsum, which shows the
  // scores.
  const bool fused = rank == 3 && dropout == 0 && !c.return_scores;
  ops::AttentionResult result;
  if (rank == 3 && (fused || axes == std::vector<int>{1})) {
    const Value expanded = mask.ok() ? ops::ExpandTo(b, mask, 4, -3) : mask;
    if (mask.ok() && !expanded.ok()) return Value();
    result = ops::DotProductAttention(b, query, key, value, Value(), expanded,
                                      {.scale = scale, .zero_if_all_masked = !fused});
  } else {
    result = AttentionOverAxes(layer, query, key, value, mask, axes, scale);
  }
  Value output = result.output;
  if (gated && output.ok()) {
    output = ops::Multiply(b, output, ops::Sigmoid(b, Project(b, c.query, to_gate)));
  }
  output = ProjectBack(b, output, to_output);
  layer.SetMask(output, mask_of_query);
  return Result(c, output, result.scores);
}

Argument GroupedQueryAttention(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  config.Ignore({"flash_attention"});
  const AttentionCall c = ReadCall(layer, call);
  if (!c.query.ok() || !c.value.ok() || !c.key.ok()) return Value();
  const int64_t depth = config.Int("head_dim");
  const int64_t heads = config.Int("num_query_heads");
  const int64_t key_heads = config.Int("num_key_value_heads");
  const bool use_bias = config.Bool("use_bias", true);
  const bool gated = config.Bool("use_gate", false);
  const double dropout = config.Float("dropout", 0);
  const int64_t window = config.OptionalInt("sliding_window").value_or(0);
  if (c.query.rank() != 3 || c.key.rank() != 3 || c.value.rank() != 3) {
    return layer.Fail("attention-10", "query, value and key must have rank 3");
  }
  if (depth < 1 || heads < 1 || key_heads < 1) {
    return layer.Fail("attention-8", "head_dim and the numbers of heads must be positive");
  }
  const Value mask = JoinMasks(layer, c, window);
  auto projection = [&](const char* attribute, Value x, int64_t n) {
    return ReadProjection(layer, attribute, Shape{x.dim(-1), n, depth}, Shape{n, depth}, use_bias);
  };
  const Projection to_query = projection("_query_dense", c.query, heads);
  const Projection to_key = projection("_key_dense", c.key, key_heads);
  const Projection to_gate = gated ? projection("_gate_dense", c.query, heads) : Projection();
  const Projection to_value = projection("_value_dense", c.value, key_heads);
  const Dim features = c.query.dim(-1);
  const Projection to_output = ReadProjection(layer, "_output_dense", Shape{heads, depth, features},
                                              Shape{features}, use_bias);
  const bool fused = dropout == 0 && !c.return_scores;
  const Value expanded = mask.ok() ? ops::ExpandTo(b, mask, 4, -3) : mask;
  if (mask.ok() && !expanded.ok()) return Value();
  const ops::AttentionResult result = ops::DotProductAttention(
      b, Project(b, c.query, to_query), Project(b, c.key, to_key), Project(b, c.value, to_value),
      Value(), expanded,
      {.scale = 1 / std::sqrt(static_cast<double>(depth)), .zero_if_all_masked = !fused});
  Value output = result.output;
  if (gated && output.ok()) {
    output = ops::Multiply(b, output, ops::Sigmoid(b, Project(b, c.query, to_gate)));
  }
  output = ProjectBack(b, output, to_output);
  layer.SetMask(output, layer.Mask(c.query));
  return Result(c, output, result.scores);
}

// x · y on their last two axes, y's exchanged first if `transposed`. The layers do not cast
// integers, so the dtypes may differ; keras.ops.matmul promotes them.
Value Product(Builder& b, Value x, Value y, bool transposed) {
  if (x.dtype() == y.dtype() && ir::IsFloat(x.dtype())) {
    return lrt::BatchMatMul(b, x, y, false, transposed);
  }
  if (transposed) {
    std::vector<int> axes(static_cast<size_t>(y.rank()));
    std::iota(axes.begin(), axes.end(), 0);
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    y = lrt::Transpose(b, y, axes);
  }
  return ops::Matmul(b, x, y);
}

// Attention and AdditiveAttention: called on [query, value] or [query, value, key], masks likewise.
// `score` gives the scores [batch, T, S] of query and key.
template <typename Score>
Argument AttendTo(Layer& layer, Arguments& call, Score score) {
  Builder& b = layer.b();
  layer.config().Ignore({"dropout", "seed"});
  const std::vector<Value> inputs = call.Tensors(0, "inputs");
  if (inputs.size() < 2 || inputs.size() > 3) {
    return layer.Fail("attention-11", "the layer takes [query, value] or [query, value, key]");
  }
  const Value query = inputs[0];
  const Value value = inputs[1];
  const Value key = inputs.size() > 2 ? inputs[2] : value;
  if (query.rank() < 2 || value.rank() < 2 || key.rank() < 2) {
    return layer.Fail("attention-12", "query, value and key must have rank 2 at least");
  }
  Value query_mask = layer.Mask(query);
  Value value_mask = layer.Mask(value);
  const Argument& masks = call.Get(1, "mask");
  if (masks.is_list()) {
    auto item = [&](size_t i) {
      return i < masks.items().size() && masks.items()[i].is_tensor() ? masks.items()[i].tensor()
                                                                      : Value();
    };
    query_mask = item(0);
    value_mask = item(1);
  } else if (!masks.is_none()) {
    return layer.Fail("attention-13", "the mask must be a list [query_mask, value_mask]");
  }
  call.Get(2, "training");
  const bool return_scores = call.Bool(3, "return_attention_scores", false);
  const bool causal = call.Bool(4, "use_causal_mask", false);
  Value scores = score(query, key);
  if (!scores.ok()) return Value();
  Value mask = value_mask.ok() ? lrt::Cast(b, value_mask, DType::kBool) : Value();
  if (mask.ok() && (causal || mask.rank() == 2)) {
    mask = lrt::ExpandDims(b, mask, std::max(0, mask.rank() - 1));
  }
  mask = ops::BothMasks(b, mask, ops::PositionMask(b, scores.dim(-2), scores.dim(-1), causal, 0));
  if (mask.ok()) {
    const double low = scores.dtype() == DType::kFloat16 ? -65504.0 : -1e9;
    scores = lrt::Add(b, scores, ops::MaskBias(b, mask, scores.dtype(), low));
  }
  const Value weights = ops::Softmax(b, scores);
  if (!weights.ok()) return Value();
  Value output = Product(b, weights, value, false);
  if (query_mask.ok() && output.ok()) {
    const Value seen = lrt::Cast(b, query_mask, output.dtype());
    output = lrt::Mul(b, output, lrt::ExpandDims(b, seen, seen.rank()));
  }
  layer.SetMask(output, query_mask);
  if (!return_scores) return output;
  return Argument::List({output, weights});
}

// query [batch, T, D] + key [batch, S, D], each with each: [batch, T, S, D].
Value Pairs(Builder& b, Value query, Value key) {
  return ops::Add(b, lrt::ExpandDims(b, query, query.rank() - 1),
                  lrt::ExpandDims(b, key, key.rank() - 2));
}

Argument Attention(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const std::string mode = layer.config().String("score_mode", "dot");
  int index = 0;
  const Value scale =
      layer.config().Bool("use_scale", false) ? layer.Weight(index++, "scale", Shape()) : Value();
  if (mode == "dot") {
    return AttendTo(layer, call, [&](Value query, Value key) {
      const Value scores = Product(b, query, key, true);
      return scale.ok() ? ops::Multiply(b, scores, scale) : scores;
    });
  }
  if (mode != "concat") {
    return layer.Fail("attention-14", fmt::format("score_mode '{}' is not known", mode));
  }
  const Value weight = layer.Weight(index, "concat_score_weight", Shape());
  return AttendTo(layer, call, [&](Value query, Value key) {
    Value pairs = Pairs(b, query, key);
    if (scale.ok()) pairs = ops::Multiply(b, pairs, scale);
    return ops::Multiply(b, ops::Sum(b, ops::Tanh(b, pairs), std::vector<int>{-1}), weight);
  });
}

Argument AdditiveAttention(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const std::vector<Value> inputs = call.Tensors(0, "inputs");
  if (inputs.empty() || !inputs[0].ok()) return Value();
  const Value scale = layer.config().Bool("use_scale", true)
                          ? layer.Weight(0, "scale", Shape{inputs[0].dim(-1)})
                          : Value();
  return AttendTo(layer, call, [&](Value query, Value key) {
    Value pairs = ops::Tanh(b, Pairs(b, query, key));
    if (scale.ok()) pairs = ops::Multiply(b, pairs, scale);
    return ops::Sum(b, pairs, std::vector<int>{-1});
  });
}

}  // namespace

std::span<const LayerEntry> AttentionLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"AdditiveAttention", AdditiveAttention, MaskRule::kCustom},
      {"Attention", Attention, MaskRule::kCustom},
      {"GroupQueryAttention", GroupedQueryAttention, MaskRule::kCustom},
      {"GroupedQueryAttention", GroupedQueryAttention, MaskRule::kCustom},
      {"MultiHeadAttention", MultiHeadAttention, MaskRule::kCustom},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
