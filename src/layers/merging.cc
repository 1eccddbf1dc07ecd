// Add, Average, Concatenate, Dot and the other merging layers.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/elementwise.h"
#include "ops/normalization.h"
#include "ops/reduction.h"
#include "ops/shape.h"

namespace keras_litert::layers {
namespace {

using BinaryFunction = Value (*)(Builder&, const ops::Operand&, const ops::Operand&);

// The inputs and their masks; `xs` is empty where the layer cannot be computed.
struct Inputs {
  std::vector<Value> xs;
  std::vector<Value> masks;  // failed Value: none
  bool all_masked = false;
  bool some_masked = false;
};

Inputs Read(Layer& layer, Arguments& call, size_t fewest, size_t most) {
  Inputs in;
  in.xs = call.Tensors(0, "inputs");
  if (in.xs.size() < fewest || in.xs.size() > most) {
    layer.Fail("merge-1", fmt::format("{} inputs are given", in.xs.size()));
    in.xs.clear();
  }
  if (std::any_of(in.xs.begin(), in.xs.end(), [](Value x) { return !x.ok(); })) in.xs.clear();
  in.all_masked = !in.xs.empty();
  for (Value x : in.xs) {
    in.masks.push_back(layer.Mask(x));
    in.all_masked &= in.masks.back().ok();
    in.some_masked |= in.masks.back().ok();
  }
  return in;
}

constexpr size_t kMany = 100000;

// Inputs of lower rank get axes of size 1 behind the batch axis. True if any of them did.
bool MatchRanks(Builder& b, std::vector<Value>& xs) {
  int rank = 0;
  for (Value x : xs) rank = std::max(rank, x.rank());
  bool changed = false;
  for (Value& x : xs) {
    while (x.rank() < rank) {
      Shape shape = x.shape();
      shape.Insert(std::min(1, x.rank()), 1);
      x = lrt::Reshape(b, x, shape);
      changed = true;
    }
  }
  return changed;
}

// A merged tensor is masked where all inputs have masks, by their disjunction; failed Value for no
// mask.
Value MergedMask(Builder& b, const Inputs& in) {
  if (!in.all_masked) return Value();
  Value mask = in.masks[0];
  for (size_t i = 1; i < in.masks.size(); ++i) {
    if (in.masks[i] == mask) continue;
    mask = lrt::Compare(b, ir::BuiltinOperator::LOGICAL_OR, mask, in.masks[i]);
  }
  return mask;
}

Value Merged(Layer& layer, Value result, const Inputs& in) {
  layer.SetMask(result, MergedMask(layer.b(), in));
  return result;
}

template <BinaryFunction kFunction>
Value Fold(Builder& b, const std::vector<Value>& xs) {
  Value result = xs[0];
  for (size_t i = 1; i < xs.size(); ++i) result = kFunction(b, result, xs[i]);
  return result;
}

template <BinaryFunction kFunction, size_t kMost = kMany>
Argument Merge(Layer& layer, Arguments& call) {
  const Inputs in = Read(layer, call, kMost == kMany ? 1 : kMost, kMost);
  if (in.xs.empty()) return Value();
  std::vector<Value> xs = in.xs;
  MatchRanks(layer.b(), xs);
  return Merged(layer, Fold<kFunction>(layer.b(), xs), in);
}

Argument Average(Layer& layer, Arguments& call) {
  const Inputs in = Read(layer, call, 1, kMany);
  if (in.xs.empty()) return Value();
  std::vector<Value> xs = in.xs;
  MatchRanks(layer.b(), xs);
  const Value sum = Fold<ops::Add>(layer.b(), xs);
  const Value mean = ops::Divide(layer.b(), sum, static_cast<int64_t>(xs.size()));
  return Merged(layer, mean, in);
}

// A mask [batch, steps] beside x [batch, steps, features].
Value Widened(Builder& b, Value mask) {
  return lrt::ExpandDims(b, mask, mask.rank());
}

// Masked elements count as 1, as long as all inputs are of one rank (Keras loses their masks
// otherwise). Where every input is masked, the product is 0.
Argument Multiply(Layer& layer, Arguments& call) {
  const Inputs in = Read(layer, call, 1, kMany);
  if (in.xs.empty()) return Value();
  Builder& b = layer.b();
  std::vector<Value> xs = in.xs;
  const bool masked = !MatchRanks(b, xs);
  if (masked) {
    for (size_t i = 0; i < xs.size(); ++i) {
      if (!in.masks[i].ok()) continue;
      xs[i] = lrt::Select(b, Widened(b, in.masks[i]), xs[i], b.Scalar(1, xs[i].dtype()));
    }
  }
  Value product = Fold<ops::Multiply>(b, xs);
  if (masked && in.all_masked) {
    const Value zero = b.Scalar(0, product.dtype());
    product = lrt::Select(b, Widened(b, MergedMask(b, in)), product, zero);
  }
  return Merged(layer, product, in);
}

// Of two elements of which one is masked the other counts; where both are, the later.
template <BinaryFunction kFunction>
Argument Extremum(Layer& layer, Arguments& call) {
  const Inputs in = Read(layer, call, 1, kMany);
  if (in.xs.empty()) return Value();
  Builder& b = layer.b();
  std::vector<Value> xs = in.xs;
  const bool masked = !MatchRanks(b, xs) && in.some_masked;
  Value result = xs[0];
  Value result_mask = masked && in.masks[0].ok() ? Widened(b, in.masks[0]) : Value();
  for (size_t i = 1; i < xs.size(); ++i) {
    Value x = xs[i];
    const Value mask = masked && in.masks[i].ok() ? Widened(b, in.masks[i]) : Value();
    if (mask.ok()) x = lrt::Select(b, mask, x, result);
    if (result_mask.ok()) result = lrt::Select(b, result_mask, result, x);
    result_mask = mask.ok() && result_mask.ok()
                      ? lrt::Compare(b, ir::BuiltinOperator::LOGICAL_OR, result_mask, mask)
                      : Value();
    result = kFunction(b, result, x);
  }
  return Merged(layer, result, in);
}

// The mask of concatenated inputs, failed Value for none. Keras joins the masks, true for inputs
// without, and asks for any along the last axis.
Value ConcatenatedMask(Layer& layer, const Inputs& in, int axis) {
  Builder& b = layer.b();
  const int rank = in.xs[0].rank();
  for (Value mask : in.masks) {
    if (mask.ok() && mask.rank() != rank - 1) {
      return layer.Fail("concatenate-2", fmt::format("a mask of rank {} for an input of rank {}",
                                                     mask.rank(), rank));
    }
  }
  if (axis == rank - 1) {
    // An input without a mask makes all steps count, as no mask does.
    if (!in.all_masked) return Value();
    Value any = in.masks[0];
    for (size_t i = 1; i < in.masks.size(); ++i) {
      if (in.masks[i] == any) continue;
      any = lrt::Compare(b, ir::BuiltinOperator::LOGICAL_OR, any, in.masks[i]);
    }
    return any;
  }
  std::vector<Value> parts;
  for (size_t i = 0; i < in.xs.size(); ++i) {
    Value part = in.masks[i];
    if (!part.ok()) {
      Shape shape = in.xs[i].shape();
      shape.Erase(rank - 1);
      part = lrt::Fill(b, shape, b.Scalar(1, DType::kBool));
    }
    parts.push_back(part);
  }
  return lrt::Concatenation(b, parts, axis);
}

Argument Concatenate(Layer& layer, Arguments& call) {
  const Inputs in = Read(layer, call, 1, kMany);
  int64_t axis = layer.config().Int("axis", -1);
  if (in.xs.empty()) return Value();
  const int rank = in.xs[0].rank();
  bool fits = axis >= -rank && axis < rank;
  if (axis < 0) axis += rank;
  for (Value x : in.xs) {
    fits &= x.rank() == rank;
    for (int i = 0; fits && i < rank; ++i) {
      const Dim a = x.dim(i);
      const Dim b = in.xs[0].dim(i);
      fits &= i == axis || !a.is_static() || !b.is_static() || a == b;
    }
  }
  if (!fits) {
    std::string shapes;
    for (Value x : in.xs) shapes += (shapes.empty() ? "" : ", ") + x.shape().ToString();
    return layer.Fail("concatenate-1",
                      fmt::format("inputs of shapes {} do not join on axis {}", shapes, axis));
  }
  const Value result = ops::Concatenate(layer.b(), in.xs, static_cast<int>(axis));
  layer.SetMask(result,
                in.some_masked ? ConcatenatedMask(layer, in, static_cast<int>(axis)) : Value());
  return result;
}

// One side of a dot product as a batch of matrices.
struct Matrices {
  Value x;  // [batch, rest, contracted], or with the last two axes swapped
  bool swapped = false;
  std::vector<Dim> rest;  // the axes that remain, as they were
};

Matrices AsMatrices(Builder& b, Value x, int axis) {
  Matrices m;
  for (int i = 1; i < x.rank(); ++i) {
    if (i != axis) m.rest.push_back(x.dim(i));
  }
  if (x.rank() == 3) {
    m.x = x;
    m.swapped = axis == 1;
    return m;
  }
  Dim rest = 1;
  for (Dim dim : m.rest) rest = b.symbols().Product(rest, dim);
  m.swapped = axis == 1 && x.rank() > 2;
  if (axis != x.rank() - 1 && axis != 1) {
    std::vector<int> order;
    for (int i = 0; i < x.rank(); ++i) {
      if (i != axis) order.push_back(i);
    }
    order.push_back(axis);
    const Dim contracted = x.dim(axis);
    m.x = lrt::Reshape(b, lrt::Transpose(b, x, order), Shape{x.dim(0), rest, contracted});
  } else {
    m.x = lrt::Reshape(
        b, x, m.swapped ? Shape{x.dim(0), x.dim(1), rest} : Shape{x.dim(0), rest, x.dim(axis)});
  }
  return m;
}

// Contracts one axis of each input, batch by batch; the remaining axes of the first come before
// those of the second.
//   [batch, n] · [batch, n]   ⇒   SUM(MUL(x, y))
//   else                      ⇒   BATCH_MATMUL
Argument Dot(Layer& layer, Arguments& call) {
  const Inputs in = Read(layer, call, 2, 2);
  const nlohmann::json& axes_config = layer.config().Raw("axes");
  const bool normalize = layer.config().Bool("normalize", false);
  if (in.xs.empty()) return Value();
  Builder& b = layer.b();
  std::vector<Value> xs = in.xs;
  std::vector<int64_t> axes;
  for (size_t i = 0; i < 2; ++i) {
    const nlohmann::json& axis =
        axes_config.is_array() && axes_config.size() == 2 ? axes_config[i] : axes_config;
    if (!axis.is_number_integer()) return layer.Fail("dot-1", "'axes' must be an int or two ints");
    axes.push_back(axis.get<int64_t>() + (axis.get<int64_t>() < 0 ? xs[i].rank() : 0));
    if (axes[i] < 1 || axes[i] >= xs[i].rank()) {
      return layer.Fail("dot-2", fmt::format("axis {} of an input {}: it must be one behind the "
                                             "batch axis",
                                             axes[i], xs[i].shape().ToString()));
    }
  }
  const ops::DType dtype =
      ops::ResultType({ops::Promotable(xs[0].dtype()), ops::Promotable(xs[1].dtype())});
  for (size_t i = 0; i < 2; ++i) {
    if (normalize) {
      // keras.ops.nn.normalize with the Euclidean norm; epsilon is keras.config.epsilon().
      xs[i] = ops::Normalize(b, xs[i], {static_cast<int>(axes[i])}, 2, 1e-7);
    }
    xs[i] = ops::Cast(b, xs[i], dtype);
  }
  const Dim n = xs[0].dim(static_cast<int>(axes[0]));
  const Dim m = xs[1].dim(static_cast<int>(axes[1]));
  if (n.is_static() && m.is_static() && n != m) {
    return layer.Fail("dot-3", fmt::format("axes of {} and {} elements", n.value(), m.value()));
  }
  if (xs[0].rank() == 2 && xs[1].rank() == 2) {
    return ops::Sum(b, ops::Multiply(b, xs[0], xs[1]), std::vector<int>{1}, true);
  }
  const Matrices x = AsMatrices(b, xs[0], static_cast<int>(axes[0]));
  const Matrices y = AsMatrices(b, xs[1], static_cast<int>(axes[1]));
  // x is wanted as [batch, rest, contracted], y as [batch, contracted, rest].
  const Value product = lrt::BatchMatMul(b, x.x, y.x, x.swapped, !y.swapped);
  Shape shape{xs[0].dim(0)};
  for (Dim dim : x.rest) shape.Append(dim);
  for (Dim dim : y.rest) shape.Append(dim);
  return lrt::Reshape(b, product, shape);
}

}  // namespace

std::span<const LayerEntry> MergingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Add", Merge<ops::Add>, MaskRule::kCustom},
      {"Average", Average, MaskRule::kCustom},
      {"Concatenate", Concatenate, MaskRule::kCustom},
      {"Dot", Dot, MaskRule::kDrop},
      {"Maximum", Extremum<ops::Maximum>, MaskRule::kCustom},
      {"Minimum", Extremum<ops::Minimum>, MaskRule::kCustom},
      {"Multiply", Multiply, MaskRule::kCustom},
      {"Subtract", Merge<ops::Subtract, 2>, MaskRule::kCustom},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
