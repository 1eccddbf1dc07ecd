#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "archive/hdf5_file.h"
#include "archive/json.h"
#include "archive/readers.h"

namespace keras_litert::archive {
namespace {

constexpr char kConfig[] = "config.json";
constexpr char kMetadata[] = "metadata.json";
constexpr char kWeights[] = "model.weights.h5";
constexpr char kShardMap[] = "model.weights.json";
constexpr char kNpzWeights[] = "model.weights.npz";
constexpr std::string_view kAssets = "assets/";
constexpr uint64_t kMaxConfig = uint64_t{256} << 20;
constexpr uint64_t kMaxMetadata = uint64_t{1} << 20;
constexpr uint64_t kMaxAsset = uint64_t{1} << 30;
constexpr size_t kMaxShards = 10000;

using WeightMap = std::map<std::string, ir::ConstantPtr, std::less<>>;

class KerasArchive final : public Archive {
 public:
  KerasArchive(std::shared_ptr<const Container> container, std::string config,
               std::string keras_version, WeightMap weights)
      : container_(std::move(container)),
        config_(std::move(config)),
        keras_version_(std::move(keras_version)),
        weights_(std::move(weights)) {}

  const std::string& config() const override { return config_; }
  const std::string& keras_version() const override { return keras_version_; }
  WeightLayout layout() const override { return WeightLayout::kObjectPath; }

  ir::ConstantPtr Find(std::string_view path) const override {
    const auto found = weights_.find(path);
    return found == weights_.end() ? nullptr : found->second;
  }
  std::vector<StoredWeight> Weights() const override {
    std::vector<StoredWeight> weights;
    weights.reserve(weights_.size());
    for (const auto& [path, value] : weights_) weights.push_back({path, value});
    return weights;
  }
  const std::vector<StoredLayer>& Layers() const override { return layers_; }
  const std::vector<StoredWeight>& TopLevelWeights() const override { return top_level_; }

  Result<std::string> ReadAsset(std::string_view path) const override {
    if (!path.starts_with(kAssets)) {
      return Fail(container_->name(), "archive-5",
                  "`" + std::string(path) + "` is no path of an asset");
    }
    return container_->Read(path, kMaxAsset);
  }
  std::vector<std::string> AssetPaths() const override {
    std::vector<std::string> paths = container_->Paths();
    std::erase_if(paths, [](const std::string& path) { return !path.starts_with(kAssets); });
    return paths;
  }

 private:
  std::shared_ptr<const Container> container_;
  std::string config_;
  std::string keras_version_;
  WeightMap weights_;
  std::vector<StoredLayer> layers_;      // empty: kLayerOrder only
  std::vector<StoredWeight> top_level_;  // likewise
};

// The state of the optimizer is no part of the model's inference.
bool IsTrainingState(std::string_view path) {
  return path == "optimizer";
}

// tf.keras 2.13 wrote "_layer_checkpoint_dependencies" where Keras 3 says "layers", at every level;
// Keras 3 reads such files by the same replacement (H5IOStore.get).
//   before  _layer_checkpoint_dependencies/dense/vars/0
//   after   layers/dense/vars/0
WeightMap WithKeras3Paths(WeightMap weights) {
  static constexpr std::string_view kOld = "_layer_checkpoint_dependencies";
  const auto first = weights.lower_bound(kOld);
  if (first == weights.end() || !first->first.starts_with(std::string(kOld) + "/")) return weights;
  WeightMap renamed;
  for (auto& [path, value] : weights) {
    std::string target;
    for (std::string_view rest = path; !rest.empty();) {
      const size_t end = std::min(rest.find('/'), rest.size());
      const std::string_view part = rest.substr(0, end);
      target += target.empty() ? "" : "/";
      target += part == kOld ? "layers" : part;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    // A path that is there already wins, as in Keras.
    const bool taken = target != path && weights.contains(target);
    renamed.emplace(taken ? path : std::move(target), value);
  }
  return renamed;
}

Status AddWeights(const Container& container, const std::string& file, WeightMap& weights) {
  KL_ASSIGN_OR_RETURN(Image image, container.OpenImage(file));
  const std::string name = container.name() + ": " + file;
  KL_ASSIGN_OR_RETURN(Hdf5File hdf5, Hdf5File::Read(std::move(image), name, IsTrainingState));
  WeightMap found = WithKeras3Paths(hdf5.TakeContents().datasets);
  if (weights.empty()) {
    weights = std::move(found);
    return {};
  }
  for (auto& [path, value] : found) {
    if (!weights.emplace(path, std::move(value)).second) {
      return Fail(name + ": " + path, "archive-13", "two shards hold this weight",
                  "Save the weights again with Keras.");
    }
  }
  return {};
}

// model.weights.json: {"metadata": {…}, "weight_map": {"/layers/dense/vars":
// "model_00000.weights.h5" or a list of such names}}. The names are those of files beside it.
Result<std::set<std::string>> ShardFiles(const Container& container) {
  const auto broken = [&](std::string why) {
    return Fail(container.name() + ": " + kShardMap, "archive-13", std::move(why),
                "Save the weights again with Keras.");
  };
  KL_ASSIGN_OR_RETURN(const std::string text, container.Read(kShardMap, kMaxConfig));
  KL_ASSIGN_OR_RETURN(const nlohmann::json json,
                      ParseJson(text, container.name() + ": " + kShardMap));
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return broken("it is no JSON object with a `weight_map`");
  }
  std::set<std::string> files;
  const auto add = [&](const nlohmann::json& file) {
    if (!file.is_string()) return false;
    files.insert(file.get<std::string>());
    return true;
  };
  for (const auto& entry : json["weight_map"]) {
    bool good = true;
    if (entry.is_array()) {
      for (const auto& file : entry) good = good && add(file);
    } else {
      good = add(entry);
    }
    if (!good) return broken("`weight_map` has a value that is no file name");
    if (files.size() > kMaxShards) return broken("`weight_map` names too many files");
  }
  std::vector<Diagnostic> problems;
  for (const std::string& file : files) {
    if (container.Has(file) && file.find_first_of("/\\") == std::string::npos) continue;
    problems.push_back({container.name() + ": " + kShardMap, "archive-13",
                        "the shard `" + file.substr(0, 200) + "` is missing",
                        "Put all shards beside the map, or save the weights again."});
  }
  if (!problems.empty()) return std::unexpected(Error(std::move(problems)));
  return files;
}

// "3.15.1" of {"keras_version": "3.15.1", …}; empty where there is none. Only informs, so damage is
// no error.
std::string ReadVersion(const Container& container) {
  if (!container.Has(kMetadata)) return "";
  const auto text = container.Read(kMetadata, kMaxMetadata);
  if (!text) return "";
  const auto json = ParseJson(*text, kMetadata);
  if (!json || !json->is_object()) return "";
  const auto version = json->find("keras_version");
  return version != json->end() && version->is_string() ? version->get<std::string>() : "";
}

// The folder that holds config.json if it is not at the top, with its slash.
std::string NestedFolder(const Container& container) {
  for (const std::string& path : container.Paths()) {
    const size_t slash = path.rfind('/');
    if (slash != std::string::npos && std::string_view(path).substr(slash + 1) == kConfig) {
      return path.substr(0, slash + 1);
    }
  }
  return "";
}

}  // namespace

Result<std::shared_ptr<const Archive>> OpenKeras(std::shared_ptr<const Container> container) {
  if (!container->Has(kConfig)) {
    if (const std::string folder = NestedFolder(*container); !folder.empty()) {
      return Fail(container->name(), "archive-5",
                  "`config.json` lies in the folder `" + folder + "`, not at the top",
                  "Zip the files of that folder, not the folder itself.");
    }
    return Fail(container->name(), "archive-5", "there is no `config.json` in it",
                "This is no saved Keras model; save one with `model.save(\"model.keras\")`.");
  }
  KL_ASSIGN_OR_RETURN(std::string config, container->Read(kConfig, kMaxConfig));
  WeightMap weights;
  if (container->Has(kWeights)) {
    KL_RETURN_IF_ERROR(AddWeights(*container, kWeights, weights));
  } else if (container->Has(kShardMap)) {
    KL_ASSIGN_OR_RETURN(const std::set<std::string> files, ShardFiles(*container));
    for (const std::string& file : files) {
      KL_RETURN_IF_ERROR(AddWeights(*container, file, weights));
    }
  } else if (container->Has(kNpzWeights)) {
    return Fail(container->name(), "archive-5", "its weights are in NumPy's npz format",
                "Save the model with `model.save(\"model.keras\")`, which writes HDF5 weights.");
  } else {
    return Fail(container->name(), "archive-5",
                "there is neither `model.weights.h5` nor `model.weights.json` in it",
                "Save the whole model again with `model.save(\"model.keras\")`.");
  }
  std::string version = ReadVersion(*container);
  return std::make_shared<KerasArchive>(std::move(container), std::move(config), std::move(version),
                                        std::move(weights));
}

}  // namespace keras_litert::archive
