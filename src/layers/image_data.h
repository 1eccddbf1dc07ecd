// What Keras's image layers take: images, or a dict of images and what belongs to them.
#pragma once

#include <functional>

#include "layers/layer.h"

namespace keras_litert::layers {

using ImageTransform = std::function<Value(Value)>;

// Applies `images` to the input, a tensor of rank 3 or 4, or to the entry "images" of a dict, and
// `masks` to its entry "segmentation_masks"; "labels" pass. Bounding boxes are refused.
Argument TransformImages(
    Layer& layer, Arguments& call, const ImageTransform& images,
    const ImageTransform& masks = [](Value x) { return x; });

}  // namespace keras_litert::layers
