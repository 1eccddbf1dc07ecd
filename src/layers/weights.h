// How layers get their weights from an archive, whatever its layout.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "archive/archive.h"
#include "ir/builder.h"

namespace keras_litert::layers {

// Where an object (a model, a layer, a layer's attribute) keeps its weights.
struct WeightScope {
  std::string path;        // kObjectPath: "layers/conv2d"
  std::string top_level;   // kLayerOrder: the top-level layer's name
  std::vector<int> order;  // position among its siblings, outermost first: the order in which Keras
                           // lists weights
  bool trainable = true;   // false where this layer or one around it is frozen

  // The scope of the attribute `name`, the `position`-th child.
  WeightScope Child(const std::string& name, int position) const;
};

// kObjectPath archives answer a request at once. kLayerOrder archives list a layer's weights
// without naming the object that owns each: trainable weights first, then the others, in the order
// of declaration. There a request gives a constant that is bound when all requests are known
// (Bind()).
class Weights {
 public:
  explicit Weights(const archive::Archive& archive) : archive_(archive) {}

  // The weight number `index` of an object. Asked twice, it is the same constant. Null (and an
  // error in `b`) where it is missing or has another shape.
  ir::ConstantPtr Get(ir::Builder& b, const WeightScope& scope, int index, std::string_view name,
                      const ir::Shape& shape, bool trainable);

  // Counts a weight of any shape that nobody reads.
  void Skip(ir::Builder& b, const WeightScope& scope, int index, std::string_view name,
            bool trainable);

  // Marks the stored weight at `path` as read by other means than Get(), or as a copy of another.
  void MarkRead(std::string path) { skipped_.insert(std::move(path)); }

  // Binds what was requested of a kLayerOrder archive; reports numbers and shapes that disagree.
  void Bind(ir::Builder& b);

  // Reports the weights of the archive that nobody asked for: a model that leaves some of its
  // weights out is another model. To be called when the whole model has been lowered without an
  // error. The states of random generators are no weights: nothing is random at inference.
  void ReportUnread(ir::Builder& b) const;

 private:
  struct Request;
  Request& AddRequest(ir::Builder& b, const WeightScope& scope, int index, std::string_view name,
                      bool trainable);

  const archive::Archive& archive_;
  std::map<std::string, ir::ConstantPtr> memo_;  // by path
  std::set<std::string> skipped_;                // paths that Get() need not be asked for
  std::map<std::string, std::vector<std::shared_ptr<Request>>> requests_;  // by top-level layer
};

}  // namespace keras_litert::layers
