// Functional configs, of Keras 2 and 3.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "layers/model_config.h"
#include "layers/structure.h"

namespace keras_litert::layers {

// A Functional config: calls of layers and operations, in any order, whose arguments name each
// other's results.
class FunctionalGraph {
 public:
  FunctionalGraph(LoweringContext& context, const nlohmann::json& config, const WeightScope& scope,
                  bool top_level)
      : context_(context), b_(context.b), config_(config) {
    Read(scope, top_level);
  }

  // Leaves of "input_layers" in the order of model.inputs, with the names of the signature.
  std::vector<std::pair<std::string, std::string>> Inputs() const {
    return Leaves(At(config_, "input_layers"));
  }

  // Runs the graph; the result has the structure of "output_layers".
  Argument Run(const BindInput& bind);

  // Leaves of "output_layers": (key path, or "" outside dicts; layer).
  std::vector<std::pair<std::string, std::string>> Outputs() const {
    return Leaves(At(config_, "output_layers"));
  }

 private:
  struct Member {
    std::string name;
    std::string class_name;
    const nlohmann::json* serialized = nullptr;
    WeightScope scope;
    bool is_layer = true;        // else an operation
    std::string operation;       // "numpy.add"
    bool counts_itself = false;  // references to its calls begin at 1
    std::vector<int> nodes;
  };
  struct Node {
    int member;
    const nlohmann::json* call;  // null: an InputLayer
    std::vector<int> uses;
    std::vector<int> users;
    bool done = false;
    std::vector<Value> outputs;
  };

  void Read(const WeightScope& scope, bool top_level);
  void ReadCalls(int member);
  void VisitReferences(const nlohmann::json& call,
                       const std::function<void(const TensorReference&)>& visit) const;
  nlohmann::json MarkTensors(const nlohmann::json& argument) const;
  void FindModelsThatCountThemselves();
  int FindNode(const TensorReference& reference, bool is_output) const;
  Value Resolve(const TensorReference& reference, bool is_output = false) const;
  void RunNode(Node& node);
  Arguments ReadCall(const Node& node, const std::string& function);
  Argument Map(const nlohmann::json& structure) const;
  static bool IsLeaf(const nlohmann::json& j) {
    return j.is_array() && j.size() == 3 && j[0].is_string() && j[1].is_number_integer() &&
           j[2].is_number_integer();
  }
  static std::vector<std::pair<std::string, std::string>> Leaves(const nlohmann::json& structure,
                                                                 const std::string& prefix = "",
                                                                 bool in_dict = false);

  LoweringContext& context_;
  Builder& b_;
  const nlohmann::json& config_;
  std::vector<Member> members_;
  std::map<std::string, int> member_by_name_;
  std::vector<Node> nodes_;
  bool legacy_ = false;  // calls as Keras 2 writes them
};

}  // namespace keras_litert::layers
