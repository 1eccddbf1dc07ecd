// CategoryEncoding and Discretization.
#include "layers/categorical.h"

#include <fmt/core.h>

#include <algorithm>

#include "ir/operators.h"
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;

// [..., n] -> [..., n, depth] of zeros and ones.
Value OneHot(Builder& b, Value indices, int64_t depth, DType dtype) {
  if (ir::IsFloat(indices.dtype())) {
    // A category is hit by equal values only: 1.5 is none.
    std::vector<float> categories(static_cast<size_t>(depth));
    for (size_t i = 0; i < categories.size(); ++i) categories[i] = static_cast<float>(i);
    const Value hits =
        lrt::Compare(b, BuiltinOperator::EQUAL,
                     lrt::ExpandDims(b, lrt::Cast(b, indices, DType::kFloat32), indices.rank()),
                     b.Constant(DType::kFloat32, {depth}, categories));
    return lrt::Cast(b, hits, dtype);
  }
  if (indices.dtype() == DType::kBool) indices = lrt::Cast(b, indices, DType::kInt32);
  return lrt::OneHot(b, indices, static_cast<int>(depth), b.Scalar(1, dtype), b.Scalar(0, dtype),
                     -1);
}

Argument CategoryEncoding(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const Value weights = call.OptionalTensor(1, "count_weights");
  Config& config = layer.config();
  std::string mode = config.String("output_mode", "multi_hot");
  if (mode == "binary") mode = "multi_hot";
  if (config.Bool("sparse", false)) {
    return layer.Fail("category-3", "sparse outputs are not supported", "Use sparse=False.");
  }
  const int64_t depth = config.Int("num_tokens");
  if (weights.ok() && mode != "count") {
    return layer.Fail("category-4", fmt::format("output_mode '{}' takes no count_weights", mode));
  }
  return EncodeCategories(layer, x, mode, depth, layer.compute_dtype(),
                          lrt::Cast(layer.b(), weights, layer.compute_dtype()));
}

// The number of the bin: how many boundaries are <= x.
Argument Discretization(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore({"num_bins", "epsilon"});
  const std::string mode = config.String("output_mode", "int");
  if (config.Bool("sparse", false)) {
    return layer.Fail("category-3", "sparse outputs are not supported", "Use sparse=False.");
  }
  if (!config.Has("bin_boundaries")) {
    return layer.Fail("discretization-1", "the layer has no bin boundaries",
                      "Adapt it to data before saving, or give it bin_boundaries.");
  }
  const std::vector<double> boundaries = config.Floats("bin_boundaries");
  if (!std::is_sorted(boundaries.begin(), boundaries.end())) {
    return layer.Fail("discretization-2", "the bin boundaries do not ascend",
                      "Sort them before the layer is made.");
  }
  if (ir::IsFloat(x.dtype())) {
    x = lrt::Cast(b, x, DType::kFloat32);
  } else if (x.dtype() != DType::kInt64) {
    x = lrt::Cast(b, x, DType::kInt32);
  }
  tflite::BucketizeOptionsT options;
  for (double boundary : boundaries) options.boundaries.push_back(static_cast<float>(boundary));
  const Value bins =
      b.Emit(BuiltinOperator::BUCKETIZE, std::move(options), {x}, {DType::kInt32, x.shape()});
  return EncodeCategories(layer, bins, mode, static_cast<int64_t>(boundaries.size()) + 1,
                          mode == "int" ? DType::kInt32 : layer.compute_dtype());
}

}  // namespace

Value EncodeCategories(Layer& layer, Value indices, std::string_view mode, int64_t depth,
                       DType dtype, Value count_weights) {
  Builder& b = layer.b();
  if (!indices.ok()) return indices;
  if (mode == "int") return lrt::Cast(b, indices, dtype);
  if (depth < 1 || depth > INT32_MAX) {
    return layer.Fail("category-1", fmt::format("there cannot be {} categories", depth));
  }
  if (indices.rank() == 0) indices = lrt::ExpandDims(b, indices, 0);
  if (mode == "one_hot") {
    if (indices.rank() > 1 && indices.dim(-1) == Dim(1)) {
      indices = lrt::Squeeze(b, indices, {indices.rank() - 1});
    }
    return OneHot(b, indices, depth, dtype);
  }
  const int axis = indices.rank() > 1 ? 1 : 0;
  if (mode == "multi_hot") {
    if (ir::IsFloat(indices.dtype())) indices = lrt::Cast(b, indices, DType::kInt32);
    return lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, OneHot(b, indices, depth, dtype), {axis},
                       /*keep_dims=*/false);
  }
  if (mode != "count") {
    return layer.Fail("category-2", fmt::format("output_mode '{}' is not known", mode));
  }
  if (count_weights.ok()) {
    const Value hits = OneHot(b, indices, depth, count_weights.dtype());
    const Value weights = lrt::ExpandDims(b, count_weights, count_weights.rank());
    return lrt::Reduce(b, BuiltinOperator::SUM, lrt::Mul(b, hits, weights), {axis},
                       /*keep_dims=*/false);
  }
  return lrt::Reduce(b, BuiltinOperator::SUM, OneHot(b, indices, depth, dtype), {axis},
                     /*keep_dims=*/false);
}

std::span<const LayerEntry> CategoricalLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"CategoryEncoding", CategoryEncoding, MaskRule::kDrop, /*autocast=*/false},
      {"Discretization", Discretization, MaskRule::kDrop, /*autocast=*/false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
