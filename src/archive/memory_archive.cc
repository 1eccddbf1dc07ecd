#include "archive/memory_archive.h"

#include <utility>

namespace keras_litert::archive {
namespace {

class MemoryArchive final : public Archive {
 public:
  explicit MemoryArchive(MemoryContent content) : content_(std::move(content)) {}

  const std::string& config() const override { return content_.config; }
  const std::string& keras_version() const override { return content_.keras_version; }
  WeightLayout layout() const override { return WeightLayout::kObjectPath; }

  ir::ConstantPtr Find(std::string_view path) const override {
    const auto found = content_.weights.find(path);
    return found == content_.weights.end() ? nullptr : found->second;
  }
  std::vector<StoredWeight> Weights() const override {
    std::vector<StoredWeight> weights;
    for (const auto& [path, value] : content_.weights) weights.push_back({path, value});
    return weights;
  }
  const std::vector<StoredLayer>& Layers() const override { return layers_; }
  const std::vector<StoredWeight>& TopLevelWeights() const override { return top_level_; }

  Result<std::string> ReadAsset(std::string_view path) const override {
    const auto found = content_.assets.find(path);
    if (found == content_.assets.end()) {
      return Fail("", "archive-5", "the model has no asset '" + std::string(path) + "'");
    }
    return found->second;
  }
  std::vector<std::string> AssetPaths() const override {
    std::vector<std::string> paths;
    for (const auto& [path, text] : content_.assets) paths.push_back(path);
    return paths;
  }

 private:
  MemoryContent content_;
  std::vector<StoredLayer> layers_;      // empty: kLayerOrder only
  std::vector<StoredWeight> top_level_;  // likewise
};

}  // namespace

std::shared_ptr<const Archive> OpenMemory(MemoryContent content) {
  return std::make_shared<const MemoryArchive>(std::move(content));
}

}  // namespace keras_litert::archive
