#include "layers/weights.h"

#include <fmt/core.h>

#include <algorithm>

namespace keras_litert::layers {

using ir::ConstantPtr;
using ir::Shape;
using ir::TensorType;

namespace {

constexpr size_t kMaxListed = 20;         // paths in one error
constexpr size_t kMaxListedLength = 200;  // of one path: it comes from the file

// "layers/dropout/seed_generator/vars/0" (Keras 3), "dropout/seed_generator/seed_generator_state"
bool IsRandomState(std::string_view path) {
  return path.find("seed_generator") != std::string_view::npos ||
         path.find("random_generator/") != std::string_view::npos;
}

// A constant whose source is known later.
class DeferredConstant final : public ir::Constant {
 public:
  explicit DeferredConstant(TensorType type) : Constant(std::move(type)) {}
  void Bind(ConstantPtr source) { source_ = std::move(source); }

  std::optional<std::span<const std::byte>> bytes() const override {
    return source_ ? source_->bytes() : std::nullopt;
  }
  Status Evaluate(std::span<std::byte> out) const override {
    if (!source_) return Fail("", "weights-4", "a weight was never bound");
    return source_->Evaluate(out);
  }
  Status EvaluateRange(size_t offset, std::span<std::byte> out) const override {
    if (!source_) return Fail("", "weights-4", "a weight was never bound");
    return source_->EvaluateRange(offset, out);
  }
  bool CanEvaluateRange() const override { return source_ && source_->CanEvaluateRange(); }
  void Release() const override {
    if (source_) source_->Release();
  }
  void ReleaseRange(size_t offset, size_t size) const override {
    if (source_) source_->ReleaseRange(offset, size);
  }
  std::string Describe() const override { return source_ ? source_->Describe() : "deferred"; }

 private:
  ConstantPtr source_;
};

}  // namespace

struct Weights::Request {
  std::vector<int> order;
  bool trainable;
  std::string name;
  std::string layer_path;
  std::shared_ptr<DeferredConstant> constant;  // null: counted only
};

WeightScope WeightScope::Child(const std::string& name, int position) const {
  WeightScope child = *this;
  child.path = path.empty() ? name : path + "/" + name;
  child.order.push_back(position);
  return child;
}

ConstantPtr Weights::Get(ir::Builder& b, const WeightScope& scope, int index, std::string_view name,
                         const Shape& shape, bool trainable) {
  const std::string path = fmt::format("{}/vars/{}", scope.path, index);
  const auto known = memo_.find(path);
  if (known != memo_.end()) return known->second;
  if (!shape.is_static()) {
    b.Fail("weights-2",
           fmt::format("weight '{}' would have the shape {}: a size that the model leaves open",
                       name, shape.ToString()),
           "Give the model's Input a fixed size on that axis.");
    return nullptr;
  }
  if (archive_.layout() == archive::WeightLayout::kObjectPath) {
    const ConstantPtr stored = archive_.Find(path);
    if (!stored) {
      b.Fail("weights-1", fmt::format("weight '{}' is missing: the file has no '{}'", name, path),
             "Save the model again, after it has been built.");
      return memo_[path] = nullptr;
    }
    if (stored->type().shape != shape) {
      b.Fail("weights-2",
             fmt::format("weight '{}' must have the shape {}, the file's '{}' has {}", name,
                         shape.ToString(), path, stored->type().shape.ToString()),
             "The weights are not those of this config: save the model again as a whole.");
      return memo_[path] = nullptr;
    }
    return memo_[path] = stored;
  }
  Request& request = AddRequest(b, scope, index, name, trainable);
  request.constant = std::make_shared<DeferredConstant>(TensorType{ir::DType::kFloat32, shape});
  return memo_[path] = request.constant;
}

void Weights::Skip(ir::Builder& b, const WeightScope& scope, int index, std::string_view name,
                   bool trainable) {
  const std::string path = fmt::format("{}/vars/{}", scope.path, index);
  skipped_.insert(path);
  if (archive_.layout() != archive::WeightLayout::kLayerOrder || memo_.contains(path)) return;
  AddRequest(b, scope, index, name, trainable);
  memo_[path] = nullptr;
}

Weights::Request& Weights::AddRequest(ir::Builder& b, const WeightScope& scope, int index,
                                      std::string_view name, bool trainable) {
  auto request = std::make_shared<Request>();
  request->order = scope.order;
  request->order.push_back(-1000 + index);  // an object's own weights come before its children's
  request->trainable = trainable && scope.trainable;
  request->name = name;
  request->layer_path = b.PathString();
  return *requests_[scope.top_level].emplace_back(std::move(request));
}

void Weights::Bind(ir::Builder& b) {
  if (archive_.layout() != archive::WeightLayout::kLayerOrder) return;
  for (auto& [layer, requests] : requests_) {
    const auto stored = std::find_if(archive_.Layers().begin(), archive_.Layers().end(),
                                     [&](const auto& l) { return l.name == layer; });
    const size_t have = stored == archive_.Layers().end() ? 0 : stored->weights.size();
    if (have != requests.size()) {
      b.context().errors.push_back(
          {layer, "weights-3",
           fmt::format("the file holds {} weights for this layer, {} are needed", have,
                       requests.size()),
           "Save the model again with a current Keras."});
      continue;
    }
    std::stable_sort(requests.begin(), requests.end(), [](const auto& x, const auto& y) {
      if (x->trainable != y->trainable) return x->trainable;
      return x->order < y->order;
    });
    for (size_t i = 0; i < have; ++i) {
      if (!requests[i]->constant) continue;
      const archive::StoredWeight& weight = stored->weights[i];
      const TensorType& want = requests[i]->constant->type();
      if (weight.value->type().shape != want.shape) {
        b.context().errors.push_back(
            {requests[i]->layer_path, "weights-2",
             fmt::format("weight '{}' must have the shape {}, the file's '{}' has {}",
                         requests[i]->name, want.shape.ToString(), weight.path,
                         weight.value->type().shape.ToString()),
             ""});
        continue;
      }
      requests[i]->constant->Bind(ir::Casted(weight.value, want.dtype));
    }
  }
}

void Weights::ReportUnread(ir::Builder& b) const {
  std::vector<std::string> unread;
  const auto add = [&](const std::vector<archive::StoredWeight>& weights) {
    for (const archive::StoredWeight& weight : weights) {
      if (!IsRandomState(weight.path)) unread.push_back(weight.path);
    }
  };
  if (archive_.layout() == archive::WeightLayout::kLayerOrder) {
    // The weights of a layer that asks for some are counted by Bind().
    for (const archive::StoredLayer& layer : archive_.Layers()) {
      if (!requests_.contains(layer.name)) add(layer.weights);
    }
    add(archive_.TopLevelWeights());
  } else {
    std::vector<archive::StoredWeight> weights = archive_.Weights();
    std::erase_if(weights, [&](const archive::StoredWeight& weight) {
      return memo_.contains(weight.path) || skipped_.contains(weight.path);
    });
    add(weights);
  }
  if (unread.empty()) return;
  std::string list;
  for (size_t i = 0; i < unread.size() && i < kMaxListed; ++i) {
    list += fmt::format("{}'{}'", i == 0 ? "" : ", ", unread[i].substr(0, kMaxListedLength));
  }
  if (unread.size() > kMaxListed) list += fmt::format(" and {} more", unread.size() - kMaxListed);
  b.Fail("weights-5",
         fmt::format("the file holds weights that no layer of its config reads: {}", list),
         "The config and the weights do not belong together, or a layer has changed since: save "
         "the model again with a current Keras.");
}

}  // namespace keras_litert::layers
