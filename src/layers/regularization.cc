// Layers that do nothing at inference: they drop, disturb or penalize while training.
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

Argument Identity(Layer& layer, Arguments& call) {
  layer.config().Ignore({"rate", "seed", "noise_shape", "data_format", "stddev", "l1", "l2"});
  return call.Get(0, "inputs");
}

}  // namespace

std::span<const LayerEntry> RegularizationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"ActivityRegularization", Identity, MaskRule::kPassThrough},
      {"AlphaDropout", Identity, MaskRule::kPassThrough},
      {"Dropout", Identity, MaskRule::kPassThrough},
      {"GaussianDropout", Identity, MaskRule::kPassThrough},
      {"GaussianNoise", Identity, MaskRule::kPassThrough},
      {"SpatialDropout1D", Identity, MaskRule::kPassThrough},
      {"SpatialDropout2D", Identity, MaskRule::kPassThrough},
      {"SpatialDropout3D", Identity, MaskRule::kPassThrough},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
