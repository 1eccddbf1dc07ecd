#include "layers/functional.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "ops/table.h"

namespace keras_litert::layers {

using nlohmann::json;

std::vector<std::pair<std::string, std::string>> FunctionalGraph::Leaves(const json& structure,
                                                                         const std::string& prefix,
                                                                         bool in_dict) {
  if (IsLeaf(structure)) return {{in_dict ? prefix : "", structure[0].get<std::string>()}};
  std::vector<std::pair<std::string, std::string>> leaves;
  auto add = [&](const std::string& key, const json& item, bool dict) {
    for (auto& leaf : Leaves(item, prefix.empty() ? key : prefix + "_" + key, dict)) {
      leaves.push_back(std::move(leaf));
    }
  };
  if (structure.is_object()) {
    for (const auto& [key, item] : structure.items()) add(key, item, true);  // ascending keys
  } else if (structure.is_array()) {
    for (size_t i = 0; i < structure.size(); ++i) add(std::to_string(i), structure[i], in_dict);
  }
  return leaves;
}

void FunctionalGraph::Read(const WeightScope& scope, bool top_level) {
  const json& layers = At(config_, "layers");
  if (!layers.is_array()) {
    b_.Fail("functional-1", "the config of a functional model has no list of layers");
    return;
  }
  ScopeNames names;
  int position = 0;
  for (const json& serialized : layers) {
    Member member;
    member.serialized = &serialized;
    member.class_name = StringAt(serialized, "class_name");
    member.name = StringAt(serialized, "name");
    if (member.name.empty()) member.name = StringAt(At(serialized, "config"), "name");
    member.operation = OperationName(serialized, context_.archive.keras_version());
    member.is_layer = member.operation.empty();
    if (member.is_layer) {
      member.scope = scope.Child(names.Next(member.class_name), position++);
      if (top_level) member.scope.top_level = member.name;
    }
    if (!member_by_name_.emplace(member.name, static_cast<int>(members_.size())).second) {
      b_.Fail("functional-2", fmt::format("two layers are named '{}'", member.name));
      return;
    }
    members_.push_back(std::move(member));
  }
  for (size_t i = 0; i < members_.size(); ++i) ReadCalls(static_cast<int>(i));
  if (legacy_) FindModelsThatCountThemselves();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].call == nullptr) continue;
    std::set<int> uses;
    auto use = [&](const TensorReference& reference) {
      const int node = FindNode(reference, false);
      if (node < 0) {
        b_.Fail("functional-3",
                fmt::format("'{}' reads output {} of call {} of '{}', which is not there",
                            members_[static_cast<size_t>(nodes_[i].member)].name, reference.tensor,
                            reference.node, reference.layer));
      } else {
        uses.insert(node);
      }
    };
    VisitReferences(*nodes_[i].call, use);
    nodes_[i].uses.assign(uses.begin(), uses.end());
    for (int used : uses) nodes_[static_cast<size_t>(used)].users.push_back(static_cast<int>(i));
  }
}

void FunctionalGraph::ReadCalls(int index) {
  Member& member = members_[static_cast<size_t>(index)];
  auto add = [&](const json* call) {
    member.nodes.push_back(static_cast<int>(nodes_.size()));
    nodes_.push_back({index, call, {}, {}, false, {}});
  };
  if (member.class_name == "InputLayer") return add(nullptr);
  const json& inbound = At(*member.serialized, "inbound_nodes");
  if (!inbound.is_array()) {
    b_.Fail("functional-4", fmt::format("the layer '{}' has no inbound_nodes", member.name));
    return;
  }
  for (const json& call : inbound) {
    legacy_ |= call.is_array();
    add(&call);
  }
}

void FunctionalGraph::VisitReferences(
    const json& call, const std::function<void(const TensorReference&)>& visit) const {
  if (call.is_object()) return VisitTensors(call, visit);
  // Keras 2: [[layer, node, tensor, {kwargs}], …]
  for (const json& input : call) {
    if (input.is_array() && input.size() >= 3 && input[0].is_string() &&
        input[1].is_number_integer() && input[2].is_number_integer()) {
      visit({input[0].get<std::string>(), input[1].get<int64_t>(), input[2].get<int64_t>()});
    }
    if (input.is_array() && input.size() > 3) VisitTensors(MarkTensors(input[3]), visit);
  }
}

// Keras 2 writes a tensor in a call's keyword arguments as [layer, node, tensor], as it would a
// list: it is one where the first is a layer's name. Gives such arguments in Keras 3's form.
json FunctionalGraph::MarkTensors(const json& argument) const {
  if (IsLeaf(argument) && member_by_name_.contains(argument[0].get<std::string>())) {
    return {{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", argument}}}};
  }
  json marked = argument;
  if (marked.is_structured()) {
    for (json& item : marked) item = MarkTensors(item);
  }
  return marked;
}

// Keras 2 counts the call that a nested model makes of itself when it is built, and leaves it out
// of the saved calls; only a Sequential that was built late has none. Every saved call is used by
// something, so the highest number says which it is.
void FunctionalGraph::FindModelsThatCountThemselves() {
  std::map<std::string, int64_t> highest;
  const auto visit = [&](const TensorReference& reference) {
    int64_t& seen = highest[reference.layer];
    seen = std::max(seen, reference.node);
  };
  for (const Node& node : nodes_) {
    if (node.call != nullptr) VisitReferences(*node.call, visit);
  }
  const std::function<void(const json&)> visit_outputs = [&](const json& structure) {
    if (IsLeaf(structure)) {
      visit({structure[0].get<std::string>(), structure[1].get<int64_t>(), 0});
    } else if (structure.is_structured()) {
      for (const json& item : structure) visit_outputs(item);
    }
  };
  visit_outputs(At(config_, "output_layers"));
  for (Member& member : members_) {
    const auto found = highest.find(member.name);
    member.counts_itself = found != highest.end() && IsModelClass(member.class_name) &&
                           found->second >= static_cast<int64_t>(member.nodes.size());
  }
}

int FunctionalGraph::FindNode(const TensorReference& reference, bool is_output) const {
  const auto member = member_by_name_.find(reference.layer);
  if (member == member_by_name_.end()) return -1;
  const Member& m = members_[static_cast<size_t>(member->second)];
  int64_t index = reference.node;
  // Keras 3 counts a nested Functional's call of itself only where a model's outputs are named.
  const bool counted = legacy_ ? m.counts_itself : is_output && m.class_name == "Functional";
  if (counted && index > 0) --index;
  if (index < 0 || index >= static_cast<int64_t>(m.nodes.size())) return -1;
  return m.nodes[static_cast<size_t>(index)];
}

Value FunctionalGraph::Resolve(const TensorReference& reference, bool is_output) const {
  const int index = FindNode(reference, is_output);
  if (index < 0) return Value();
  const Node& node = nodes_[static_cast<size_t>(index)];
  if (!node.done || reference.tensor < 0 ||
      reference.tensor >= static_cast<int64_t>(node.outputs.size())) {
    return Value();
  }
  return node.outputs[static_cast<size_t>(reference.tensor)];
}

Arguments FunctionalGraph::ReadCall(const Node& node, const std::string& function) {
  Arguments arguments(b_, function);
  auto resolve = [&](const TensorReference& reference) { return Resolve(reference); };
  if (node.call->is_object()) {
    for (const json& argument : At(*node.call, "args")) {
      arguments.AddPositional(ReadArgument(b_, argument, resolve));
    }
    static const json kNone = json::object();
    const json& keywords = At(*node.call, "kwargs");
    for (const auto& [key, argument] : (keywords.is_object() ? keywords : kNone).items()) {
      arguments.AddKeyword(key, ReadArgument(b_, argument, resolve));
    }
    return arguments;
  }
  std::vector<Argument> inputs;
  for (const json& input : *node.call) {
    if (!input.is_array() || input.size() < 3 || !input[0].is_string() ||
        !input[1].is_number_integer() || !input[2].is_number_integer()) {
      b_.Fail("functional-5", fmt::format("a call of '{}' cannot be read", function));
      continue;
    }
    inputs.emplace_back(
        resolve({input[0].get<std::string>(), input[1].get<int64_t>(), input[2].get<int64_t>()}));
    // Each input repeats the keyword arguments.
    if (&input == &node.call->front() && input.size() > 3 && input[3].is_object()) {
      for (const auto& [key, argument] : input[3].items()) {
        arguments.AddKeyword(key, ReadArgument(b_, MarkTensors(argument), resolve));
      }
    }
  }
  arguments.AddPositional(inputs.size() == 1 ? inputs[0] : Argument::List(std::move(inputs)));
  return arguments;
}

void FunctionalGraph::RunNode(Node& node) {
  node.done = true;
  const Member& member = members_[static_cast<size_t>(node.member)];
  Arguments call = ReadCall(node, member.class_name);
  if (member.is_layer) {
    node.outputs = CallLayer(context_, *member.serialized, member.scope, call).Flatten();
    return;
  }
  // An operation: its constructor's arguments stand in the config, the call's in the node.
  const Builder::Scope path(b_, member.name);
  const ops::OpFunction op = ops::FindOp(member.operation);
  if (op == nullptr) {
    b_.Fail("operation-1",
            fmt::format("the operation '{}' ({}) is not supported", member.operation,
                        member.class_name),
            "Express it by other functions of keras.ops.");
    return;
  }
  const json& config = At(*member.serialized, "config");
  if (config.is_object()) {
    for (const auto& [key, argument] : config.items()) {
      if (key == "name") continue;
      call.AddKeyword(key,
                      ReadArgument(b_, argument, [](const TensorReference&) { return Value(); }));
    }
  }
  for (const Argument& argument : call.positional()) {
    for (Value v : argument.Flatten()) {
      if (!v.ok()) return;  // reported where it failed
    }
  }
  const size_t errors = b_.errors().size();
  const Argument result = op(b_, call);
  if (b_.errors().size() == errors) call.Finish();
  node.outputs = result.Flatten();
}

Argument FunctionalGraph::Map(const json& structure) const {
  if (IsLeaf(structure)) {
    const TensorReference reference{structure[0].get<std::string>(), structure[1].get<int64_t>(),
                                    structure[2].get<int64_t>()};
    const Value output = Resolve(reference, true);
    // An output that failed has been reported; one that is not there has not.
    if (!output.ok() && b_.errors().empty()) {
      b_.Fail("functional-9",
              fmt::format("the output '{}' of the config is not there", structure.dump()));
    }
    return output;
  }
  if (!structure.is_structured()) {  // iterating over a scalar gives the scalar itself
    return b_.Fail("functional-9",
                   fmt::format("the output '{}' of the config is not there", structure.dump()));
  }
  if (structure.is_object()) {
    std::vector<std::pair<std::string, Argument>> items;
    for (const auto& [key, item] : structure.items()) items.emplace_back(key, Map(item));
    return Argument::Dict(std::move(items));
  }
  std::vector<Argument> items;
  for (const json& item : structure) items.push_back(Map(item));
  // Keras 2 writes a single output as a list of one.
  if (legacy_ && items.size() == 1) return items[0];
  return Argument::List(std::move(items));
}

Argument FunctionalGraph::Run(const BindInput& bind) {
  const std::vector<std::pair<std::string, std::string>> inputs = Inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto& [key, layer] = inputs[i];
    const auto found = member_by_name_.find(layer);
    if (found == member_by_name_.end() ||
        members_[static_cast<size_t>(found->second)].class_name != "InputLayer" ||
        members_[static_cast<size_t>(found->second)].nodes.empty()) {
      b_.Fail("functional-6", fmt::format("the input '{}' is no InputLayer of the model", layer));
      continue;
    }
    const Member& member = members_[static_cast<size_t>(found->second)];
    ModelInput input = ReadInput(b_, At(*member.serialized, "config"));
    if (!key.empty()) input.name = key;
    Node& node = nodes_[static_cast<size_t>(member.nodes[0])];
    node.outputs = {bind(input, i)};
    node.done = true;
  }
  // Kahn's algorithm; of the calls that are ready the first in the config goes first.
  std::vector<size_t> missing(nodes_.size());
  std::set<int> ready;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    missing[i] = nodes_[i].uses.size();
    if (missing[i] == 0) ready.insert(static_cast<int>(i));
  }
  size_t run = 0;
  while (!ready.empty()) {
    const int index = *ready.begin();
    ready.erase(ready.begin());
    Node& node = nodes_[static_cast<size_t>(index)];
    ++run;
    if (node.call != nullptr) RunNode(node);
    for (int user : node.users) {
      if (--missing[static_cast<size_t>(user)] == 0) ready.insert(user);
    }
  }
  if (run != nodes_.size()) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (missing[i] == 0) continue;
      b_.Fail("functional-7", fmt::format("the calls of the config form a cycle through '{}'",
                                          members_[static_cast<size_t>(nodes_[i].member)].name));
      break;
    }
    return {};
  }
  return Map(At(config_, "output_layers"));
}

}  // namespace keras_litert::layers
