#include <iterator>
#include <utility>

#include "archive/hdf5_file.h"
#include "archive/readers.h"

namespace keras_litert::archive {
namespace {

constexpr char kModelWeights[] = "model_weights";
constexpr char kTopLevel[] = "top_level_model_weights";
constexpr char kSaveAgain[] = "Save the model again with `model.save(\"model.keras\")`.";
constexpr size_t kMaxNames = 1000000;

class WholeModelHdf5 final : public Archive {
 public:
  WholeModelHdf5(std::string name, std::string config, std::string keras_version,
                 std::vector<StoredLayer> layers, std::vector<StoredWeight> top_level)
      : name_(std::move(name)),
        config_(std::move(config)),
        keras_version_(std::move(keras_version)),
        layers_(std::move(layers)),
        top_level_(std::move(top_level)) {}

  const std::string& config() const override { return config_; }
  const std::string& keras_version() const override { return keras_version_; }
  WeightLayout layout() const override { return WeightLayout::kLayerOrder; }
  ir::ConstantPtr Find(std::string_view) const override { return nullptr; }
  std::vector<StoredWeight> Weights() const override {
    std::vector<StoredWeight> weights;
    for (const StoredLayer& layer : layers_) {
      weights.insert(weights.end(), layer.weights.begin(), layer.weights.end());
    }
    weights.insert(weights.end(), top_level_.begin(), top_level_.end());
    return weights;
  }
  const std::vector<StoredLayer>& Layers() const override { return layers_; }
  const std::vector<StoredWeight>& TopLevelWeights() const override { return top_level_; }
  Result<std::string> ReadAsset(std::string_view path) const override {
    return Fail(name_, "archive-5", "there is no asset `" + std::string(path) + "`",
                "HDF5 files hold no assets; save the model as `.keras`.");
  }
  std::vector<std::string> AssetPaths() const override { return {}; }

 private:
  std::string name_;
  std::string config_;
  std::string keras_version_;
  std::vector<StoredLayer> layers_;
  std::vector<StoredWeight> top_level_;
};

// One string; empty where the attribute is missing.
Result<std::string> ReadString(const Hdf5File& file, std::string_view path,
                               std::string_view attribute) {
  KL_ASSIGN_OR_RETURN(std::unique_ptr<Strings> strings, file.ReadStrings(path, attribute));
  return strings == nullptr || strings->empty() ? std::string() : std::move(strings->front());
}

// Names that Keras stores as `attribute` or, where they are too long for one, in pieces
// `attribute0`, `attribute1` …
Result<Strings> ReadNames(const Hdf5File& file, std::string_view path,
                          const std::string& attribute) {
  KL_ASSIGN_OR_RETURN(std::unique_ptr<Strings> all, file.ReadStrings(path, attribute));
  if (all != nullptr) return *std::move(all);
  Strings names;
  for (size_t i = 0; names.size() <= kMaxNames; ++i) {
    KL_ASSIGN_OR_RETURN(std::unique_ptr<Strings> piece,
                        file.ReadStrings(path, attribute + std::to_string(i)));
    if (piece == nullptr) break;
    names.insert(names.end(), std::make_move_iterator(piece->begin()),
                 std::make_move_iterator(piece->end()));
  }
  return names;
}

}  // namespace

Result<std::shared_ptr<const Archive>> OpenWholeModelHdf5(Image image, std::string name) {
  KL_ASSIGN_OR_RETURN(const Hdf5File file,
                      Hdf5File::Read(std::move(image), name, [](std::string_view path) {
                        return path == "optimizer_weights";  // no part of the model's inference
                      }));
  KL_ASSIGN_OR_RETURN(std::string config, ReadString(file, "", "model_config"));
  if (config.empty()) {
    return Fail(name, "archive-14", "the HDF5 file holds no model, at most weights",
                "Save the whole model with `model.save(\"model.keras\")`, not its weights only.");
  }
  KL_ASSIGN_OR_RETURN(std::string version, ReadString(file, "", "keras_version"));
  if (!file.HasGroup(kModelWeights)) {
    return Fail(name, "archive-14", "the HDF5 file has no group `model_weights`", kSaveAgain);
  }
  if (version.empty()) {
    KL_ASSIGN_OR_RETURN(version, ReadString(file, kModelWeights, "keras_version"));
  }
  // The names are relative to the layer's group: model_weights/<layer>/<weight>.
  const auto& datasets = file.contents().datasets;
  KL_ASSIGN_OR_RETURN(const Strings names, ReadNames(file, kModelWeights, "layer_names"));
  std::vector<Diagnostic> problems;
  const auto read_layer = [&](const std::string& layer) -> Result<std::vector<StoredWeight>> {
    const std::string group = std::string(kModelWeights) + "/" + layer;
    std::vector<StoredWeight> weights;
    if (!file.HasGroup(group)) {
      problems.push_back({name + ": " + group, "archive-14",
                          "the layer is listed but its group is missing", kSaveAgain});
      return weights;
    }
    KL_ASSIGN_OR_RETURN(Strings weight_names, ReadNames(file, group, "weight_names"));
    for (std::string& weight : weight_names) {
      const auto found = datasets.find(group + "/" + weight);
      if (found == datasets.end()) {
        problems.push_back({name + ": " + group, "archive-14",
                            "weight `" + weight.substr(0, 200) + "` is listed but missing",
                            kSaveAgain});
        continue;
      }
      weights.push_back({std::move(weight), found->second});
    }
    return weights;
  };
  std::vector<StoredLayer> layers;
  for (const std::string& layer : names) {
    KL_ASSIGN_OR_RETURN(std::vector<StoredWeight> weights, read_layer(layer));
    layers.push_back({layer, std::move(weights)});
  }
  std::vector<StoredWeight> top_level;
  if (file.HasGroup(std::string(kModelWeights) + "/" + kTopLevel)) {
    KL_ASSIGN_OR_RETURN(top_level, read_layer(kTopLevel));
  }
  if (!problems.empty()) return std::unexpected(Error(std::move(problems)));
  return std::make_shared<WholeModelHdf5>(std::move(name), std::move(config), std::move(version),
                                          std::move(layers), std::move(top_level));
}

}  // namespace keras_litert::archive
