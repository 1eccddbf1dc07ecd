// ConvLSTM1D … ConvLSTM3D.
#include "layers/table.h"

namespace keras_litert::layers {
std::span<const LayerEntry> RecurrentConvolutionLayers() {
  return {};
}
}  // namespace keras_litert::layers
