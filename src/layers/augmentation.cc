// Random augmentation of images: at inference a layer gives back what it got. Only the dtype of
// what it gives back differs from layer to layer, as their `call`s differ in Keras.
#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/image_data.h"
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

using nlohmann::json;

// What only says how to augment.
constexpr std::string_view kTrainingOnly[] = {"addition_factor",
                                              "all_ops",
                                              "alpha",
                                              "bins",
                                              "bounding_box_format",
                                              "brightness_factor",
                                              "chain_depth",
                                              "contrast_factor",
                                              "data_format",
                                              "factor",
                                              "fill_mode",
                                              "fill_value",
                                              "height",
                                              "height_factor",
                                              "hue_factor",
                                              "interpolation",
                                              "kernel_size",
                                              "max_number",
                                              "mode",
                                              "num_chains",
                                              "num_ops",
                                              "saturation_factor",
                                              "scale",
                                              "seed",
                                              "sigma",
                                              "threshold_factor",
                                              "value_range",
                                              "width",
                                              "width_factor",
                                              "x_factor",
                                              "y_factor"};

// y = x
Argument Same(Layer& layer, Arguments& call) {
  layer.config().Ignore(kTrainingOnly);
  return TransformImages(layer, call, [](Value x) { return x; });
}

// y = cast(x, compute dtype)
Argument Cast(Layer& layer, Arguments& call) {
  layer.config().Ignore(kTrainingOnly);
  return TransformImages(layer, call,
                         [&](Value x) { return lrt::Cast(layer.b(), x, layer.compute_dtype()); });
}

// Runs its layers one behind the other.
Argument Pipeline(Layer& layer, Arguments& call) {
  const json& layers = layer.config().Raw("layers");
  if (!layers.is_array()) return layer.Fail("pipeline-1", "the config has no list of layers");
  Argument data = call.Get(0, "inputs");
  std::map<std::string, int> used;  // as Keras names the members of a list in the weights file
  for (const json& serialized : layers) {
    const std::string class_name = serialized.is_object() && serialized.contains("class_name") &&
                                           serialized["class_name"].is_string()
                                       ? serialized["class_name"].get<std::string>()
                                       : "";
    Arguments inner(layer.b(), class_name);
    inner.AddPositional(data);
    const std::string base = ToSnakeCase(class_name);
    const int count = used[base]++;
    data = layer.CallChild(count == 0 ? "layers/" + base : fmt::format("layers/{}_{}", base, count),
                           serialized, inner);
  }
  return data;
}

}  // namespace

std::span<const LayerEntry> AugmentationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"AugMix", Cast},
      {"CutMix", Cast},
      {"Equalization", Same},
      {"MaxNumBoundingBoxes", Same},
      {"MixUp", Same},
      {"RandAugment", Cast},
      {"RandomBrightness", Same},
      {"RandomColorDegeneration", Same},
      {"RandomColorJitter", Same},
      {"RandomContrast", Same},
      {"RandomCrop", Same, MaskRule::kDrop, /*autocast=*/false},
      {"RandomElasticTransform", Cast},
      {"RandomErasing", Cast},
      {"RandomFlip", Cast},
      {"RandomGaussianBlur", Cast},
      {"RandomGrayscale", Same},
      {"RandomHue", Same},
      {"RandomInvert", Same},
      {"RandomPerspective", Cast},
      {"RandomPosterization", Same},
      {"RandomRotation", Cast},
      {"RandomSaturation", Same},
      {"RandomSharpness", Cast},
      {"RandomShear", Cast},
      {"RandomTranslation", Cast},
      {"RandomZoom", Cast},
      {"Solarization", Cast},
      {"Pipeline", Pipeline, MaskRule::kDrop, /*autocast=*/false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
