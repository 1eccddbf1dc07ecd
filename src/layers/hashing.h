// The salt of hashing layers.
#pragma once

#include <optional>

#include "layers/layer.h"
#include "ops/hashing.h"

namespace keras_litert::layers {

struct Salt {
  bool ok = false;                  // false: reported
  std::optional<ops::HashKey> key;  // none: the layer has no salt, and hashes by FarmHash
};

// The config's "salt": null, one integer (twice the same half of the key) or a list of two.
Salt ReadSalt(Layer& layer);

}  // namespace keras_litert::layers
