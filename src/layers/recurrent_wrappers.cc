// Bidirectional, TimeDistributed.
#include "layers/table.h"

namespace keras_litert::layers {
std::span<const LayerEntry> RecurrentWrapperLayers() {
  return {};
}
}  // namespace keras_litert::layers
