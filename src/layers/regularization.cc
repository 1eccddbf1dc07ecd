// Layers that do nothing at inference.
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

Argument Dropout(Layer& layer, Arguments& call) {
  layer.config().Ignore({"rate", "seed", "noise_shape", "data_format"});
  return call.Get(0, "inputs");
}

}  // namespace

std::span<const LayerEntry> RegularizationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Dropout", Dropout, MaskRule::kPassThrough},
      {"SpatialDropout1D", Dropout, MaskRule::kPassThrough},
      {"SpatialDropout2D", Dropout, MaskRule::kPassThrough},
      {"SpatialDropout3D", Dropout, MaskRule::kPassThrough},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
