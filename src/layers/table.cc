#include "layers/table.h"

#include <map>

namespace keras_litert::layers {
namespace {

const std::map<std::string_view, const LayerEntry*>& Table() {
  static const std::map<std::string_view, const LayerEntry*> kTable = [] {
    std::map<std::string_view, const LayerEntry*> table;
    const std::span<const LayerEntry> families[] = {
        ActivationLayers(),
        ApplicationLayers(),
        AttentionLayers(),
        AudioLayers(),
        AugmentationLayers(),
        CategoricalLayers(),
        ContrastLayers(),
        ConvolutionLayers(),
        CoreLayers(),
        HashingLayers(),
        ImagePreprocessingLayers(),
        LookupLayers(),
        MergingLayers(),
        ModelLayers(),
        NormalizationLayers(),
        PoolingLayers(),
        PreprocessingLayers(),
        RecurrentConvolutionLayers(),
        RecurrentLayers(),
        RecurrentWrapperLayers(),
        RegularizationLayers(),
        ReshapingLayers(),
    };
    for (std::span<const LayerEntry> family : families) {
      for (const LayerEntry& entry : family) table.emplace(entry.class_name, &entry);
    }
    return table;
  }();
  return kTable;
}

}  // namespace

const LayerEntry* FindLayer(std::string_view class_name) {
  const auto entry = Table().find(class_name);
  return entry == Table().end() ? nullptr : entry->second;
}

std::vector<std::string_view> LayerNames() {
  std::vector<std::string_view> names;
  for (const auto& [name, entry] : Table()) names.push_back(name);
  return names;
}

}  // namespace keras_litert::layers
