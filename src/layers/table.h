// Keras layers by class name.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "layers/layer.h"

namespace keras_litert::layers {

// Spells the layer as Keras operations, as its `call` does. Arguments as `call` names them.
using LayerFunction = Argument (*)(Layer& layer, Arguments& call);

enum class MaskRule {
  kPassThrough,  // supports_masking: the first input's mask goes on to the outputs
  kDrop,         // the outputs have no mask
  kCustom,       // the lowering sets the masks itself (compute_mask overridden)
};

struct LayerEntry {
  std::string_view class_name;
  LayerFunction lower;
  MaskRule mask = MaskRule::kDrop;
  bool autocast = true;  // floating inputs are cast to the compute dtype
};

// One table a family, in the family's file.
std::span<const LayerEntry> ActivationLayers();
std::span<const LayerEntry> ApplicationLayers();
std::span<const LayerEntry> AttentionLayers();
std::span<const LayerEntry> AudioLayers();
std::span<const LayerEntry> AugmentationLayers();
std::span<const LayerEntry> CategoricalLayers();
std::span<const LayerEntry> ContrastLayers();
std::span<const LayerEntry> ConvolutionLayers();
std::span<const LayerEntry> CoreLayers();
std::span<const LayerEntry> HashingLayers();
std::span<const LayerEntry> ImagePreprocessingLayers();
std::span<const LayerEntry> LookupLayers();
std::span<const LayerEntry> MergingLayers();
std::span<const LayerEntry> ModelLayers();
std::span<const LayerEntry> NormalizationLayers();
std::span<const LayerEntry> PoolingLayers();
std::span<const LayerEntry> PreprocessingLayers();
std::span<const LayerEntry> RecurrentConvolutionLayers();
std::span<const LayerEntry> RecurrentLayers();
std::span<const LayerEntry> RecurrentWrapperLayers();
std::span<const LayerEntry> RegularizationLayers();
std::span<const LayerEntry> ReshapingLayers();

const LayerEntry* FindLayer(std::string_view class_name);
std::vector<std::string_view> LayerNames();

}  // namespace keras_litert::layers
