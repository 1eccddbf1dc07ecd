// Flatten, Reshape, ZeroPadding and the other layers that move elements.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/shape.h"

namespace keras_litert::layers {
namespace {

Argument Flatten(Layer& layer, Arguments& call) {
  Value x = call.Tensor(0, "inputs");
  if (layer.config().String("data_format", "channels_last") == "channels_first" && x.rank() > 2) {
    // Keras flattens channels_first tensors as if they were channels_last.
    std::vector<int> axes{0};
    for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
    axes.push_back(1);
    x = ops::Transpose(layer.b(), x, axes);
  }
  if (x.rank() == 1) return lrt::ExpandDims(layer.b(), x, 1);
  return ops::FlattenFrom(layer.b(), x, 1);
}

Argument Reshape(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  std::vector<Dim> shape{x.dim(0)};
  for (int size : layer.config().Ints("target_shape")) shape.emplace_back(size);
  return ops::Reshape(layer.b(), x, shape);
}

Argument ZeroPadding2D(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<double> p = layer.config().Floats("padding");
  const bool first = layer.config().String("data_format", "channels_last") == "channels_first";
  std::vector<int64_t> sizes(p.begin(), p.end());
  if (sizes.size() == 1) sizes = {sizes[0], sizes[0], sizes[0], sizes[0]};
  if (sizes.size() == 2) sizes = {sizes[0], sizes[0], sizes[1], sizes[1]};
  if (sizes.size() != 4 || x.rank() != 4) {
    return layer.Fail("zero-padding-1", "padding must be an int, two ints or two pairs of ints");
  }
  std::vector<lrt::AxisPadding> padding(4);
  padding[first ? 2 : 1] = {sizes[0], sizes[1]};
  padding[first ? 3 : 2] = {sizes[2], sizes[3]};
  return lrt::Pad(layer.b(), x, padding);
}

}  // namespace

std::span<const LayerEntry> ReshapingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Flatten", Flatten},
      {"Reshape", Reshape},
      {"ZeroPadding2D", ZeroPadding2D},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
