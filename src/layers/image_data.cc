#include "layers/image_data.h"

namespace keras_litert::layers {

Argument TransformImages(Layer& layer, Arguments& call, const ImageTransform& images,
                         const ImageTransform& masks) {
  const Argument& data = call.Get(0, "data");
  if (data.is_tensor()) return images(data.tensor());
  if (!data.is_dict()) {
    return layer.Fail("image-1", "the input is neither images nor a dict of images");
  }
  std::vector<std::pair<std::string, Argument>> items;
  for (size_t i = 0; i < data.items().size(); ++i) {
    const std::string& key = data.keys()[i];
    Argument item = data.items()[i];
    if (key == "bounding_boxes") {
      return layer.Fail("image-2", "bounding boxes cannot go through this layer",
                        "Give the layer the images alone, and transform the boxes outside.");
    }
    if (key == "images" && item.is_tensor()) item = images(item.tensor());
    if (key == "segmentation_masks" && item.is_tensor()) item = masks(item.tensor());
    items.emplace_back(key, std::move(item));
  }
  return Argument::Dict(std::move(items));
}

}  // namespace keras_litert::layers
