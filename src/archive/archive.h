// Reads a saved Keras model: its config and, without copying them, its weights.
//
// Two containers, two weight layouts:
//   .keras      zip archive: metadata.json, config.json, model.weights.h5 (or model.weights.json
//   and shards), assets/ .h5, .hdf5  HDF5 file: attribute "model_config", group "model_weights"
//
//   kObjectPath  Keras 3: a weight is found by the path of the object that owns it,
//   "layers/conv2d/vars/0" kLayerOrder  whole-model HDF5 files of Keras 2 and 3: each layer's
//   weights by name, in the layer's own order
//                (trainable first), from the attributes "layer_names" and "weight_names"
//
// The input is untrusted: sizes, offsets, depths and counts are checked; no code from it runs.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/constant.h"
#include "util/result.h"

namespace keras_litert::archive {

enum class WeightLayout { kObjectPath, kLayerOrder };

// One weight, as stored. The constant keeps the archive's mapping alive.
struct StoredWeight {
  std::string path;  // kObjectPath: "layers/conv2d/vars/0"; kLayerOrder: "conv2d/kernel:0"
  ir::ConstantPtr value;
};

// The weights of one top-level layer, kLayerOrder only.
struct StoredLayer {
  std::string name;
  std::vector<StoredWeight> weights;
};

class Archive {
 public:
  virtual ~Archive() = default;

  // The model's serialized config, as JSON text: {"class_name": …, "config": …}. Not parsed yet;
  // see archive/json.h.
  virtual const std::string& config() const = 0;
  // "3.15.1"; empty where the file does not say.
  virtual const std::string& keras_version() const = 0;
  virtual WeightLayout layout() const = 0;

  // kObjectPath: the weight at `path`, or null.
  virtual ir::ConstantPtr Find(std::string_view path) const = 0;
  // Every weight, sorted by path (kObjectPath) or in the file's order (kLayerOrder).
  virtual std::vector<StoredWeight> Weights() const = 0;
  // kLayerOrder: the layers in the file's order.
  virtual const std::vector<StoredLayer>& Layers() const = 0;
  // kLayerOrder: the weights that belong to the model itself and to no layer; usually none.
  virtual const std::vector<StoredWeight>& TopLevelWeights() const = 0;
  // The content of an asset ("assets/text_vectorization/vocabulary.txt"), or an error.
  virtual Result<std::string> ReadAsset(std::string_view path) const = 0;
  virtual std::vector<std::string> AssetPaths() const = 0;
};

// Opens and checks `file`, or a folder that holds the files of an unpacked .keras archive. The
// state of the optimizer is left out. Errors have the codes archive-1 … (see archive.cc), the
// file's name as path.
Result<std::shared_ptr<const Archive>> Open(const std::filesystem::path& file);

}  // namespace keras_litert::archive
