#include "layers/model.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "ir/operators.h"
#include "layers/structure.h"
#include "layers/table.h"
#include "ops/table.h"
#include "util/near_match.h"

namespace keras_litert::layers {

using nlohmann::json;

namespace {

constexpr char kTheirCode[] =
    "Their code is not in the file. Export the model from Python, where it is, with the "
    "keras_litert package: keras_litert.export(model, \"model.tflite\").";

// What a model's lowering needs from outside: values for its inputs, given by the caller of a
// nested model or made as inputs of the graph.
using BindInput = std::function<Value(const ModelInput& input, size_t position)>;

// Hands out the names under which a model's layers keep their weights: class names, numbered.
class ScopeNames {
 public:
  std::string Next(const std::string& class_name) {
    // By the class's own name. One class is exported, and serialized, under another.
    const std::string base =
        ToSnakeCase(class_name == "GroupQueryAttention" ? "GroupedQueryAttention" : class_name);
    const int count = used_[base]++;
    return "layers/" + (count == 0 ? base : fmt::format("{}_{}", base, count));
  }

 private:
  std::map<std::string, int> used_;
};

bool IsModelClass(std::string_view class_name) {
  return class_name == "Functional" || class_name == "Model" || class_name == "Sequential";
}

std::string StringAt(const json& j, const char* key) {
  const auto entry = j.is_object() ? j.find(key) : j.end();
  return j.is_object() && entry != j.end() && entry->is_string() ? entry->get<std::string>() : "";
}

const json& At(const json& j, const char* key) {
  static const json kNull;
  const auto entry = j.is_object() ? j.find(key) : j.end();
  return j.is_object() && entry != j.end() ? *entry : kNull;
}

// The operation that a member of a Functional config is: "numpy.add"; empty for a layer. Keras 3's
// .h5 files name no modules: there an operation's config lacks what every layer's has.
std::string OperationName(const json& serialized, std::string_view keras_version) {
  static constexpr std::string_view kModules[] = {"numpy", "nn", "core", "math", "linalg", "image"};
  const std::string class_name = StringAt(serialized, "class_name");
  const std::string module = StringAt(serialized, "module");
  const std::string function = ToSnakeCase(class_name);
  if (module.starts_with("keras.src.ops.")) {
    return module.substr(module.rfind('.') + 1) + "." + function;
  }
  const bool named = !module.empty() || !keras_version.starts_with("3.");
  if (named || class_name == "InputLayer" || IsModelClass(class_name) ||
      At(serialized, "config").contains("trainable")) {
    return "";
  }
  for (std::string_view candidate : kModules) {
    const std::string name = fmt::format("{}.{}", candidate, function);
    if (ops::FindOp(name) != nullptr) return name;
  }
  return FindLayer(class_name) == nullptr ? "numpy." + function : "";
}

// The shape and dtype of an InputLayer's config.
ModelInput ReadInput(Builder& b, const json& config) {
  ModelInput input;
  input.name = StringAt(config, "name");
  const json* shape = &At(config, "batch_shape");
  if (!shape->is_array()) shape = &At(config, "batch_input_shape");
  const json& dtype = At(config, "dtype");
  const std::string dtype_name = dtype.is_string()   ? dtype.get<std::string>()
                                 : dtype.is_object() ? StringAt(At(dtype, "config"), "name")
                                                     : "float32";
  const std::optional<DType> known = ir::DTypeFromName(dtype_name);
  if (!known) {
    b.Fail("input-1", fmt::format("input '{}' has the unknown dtype '{}'", input.name, dtype_name));
  } else {
    input.dtype = *known;
  }
  if (!shape->is_array()) {
    b.Fail("input-2", fmt::format("input '{}' has no shape", input.name),
           "Build the model, or give its first layer an Input(shape=…), before saving.");
    return input;
  }
  for (const json& size : *shape) {
    if (size.is_null()) {
      input.shape.push_back(-1);
    } else if (size.is_number_integer() && size.get<int64_t>() >= 0 &&
               size.get<int64_t>() <= INT32_MAX) {
      input.shape.push_back(size.get<int64_t>());
    } else {
      b.Fail("input-3", fmt::format("input '{}' has a size of {}", input.name, size.dump()));
      input.shape.push_back(1);
    }
  }
  for (const char* key : {"sparse", "ragged"}) {
    if (At(config, key) == json(true)) {
      b.Fail("input-4", fmt::format("input '{}' is {}", input.name, key),
             "LiteRT has dense tensors only: densify before the model.");
    }
  }
  return input;
}

// ---------------------------------------------------------------------------------------------------------------

// A Functional config: calls of layers and operations, in any order, whose arguments name each
// other's results.
class FunctionalGraph {
 public:
  FunctionalGraph(LoweringContext& context, const json& config, const WeightScope& scope,
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
    const json* serialized = nullptr;
    WeightScope scope;
    bool is_layer = true;        // else an operation
    std::string operation;       // "numpy.add"
    bool counts_itself = false;  // references to its calls begin at 1
    std::vector<int> nodes;
  };
  struct Node {
    int member;
    const json* call;  // null: an InputLayer
    std::vector<int> uses;
    std::vector<int> users;
    bool done = false;
    std::vector<Value> outputs;
  };

  void Read(const WeightScope& scope, bool top_level);
  void ReadCalls(int member);
  void VisitReferences(const json& call,
                       const std::function<void(const TensorReference&)>& visit) const;
  json MarkTensors(const json& argument) const;
  void FindModelsThatCountThemselves();
  int FindNode(const TensorReference& reference, bool is_output) const;
  Value Resolve(const TensorReference& reference, bool is_output = false) const;
  void RunNode(Node& node);
  Arguments ReadCall(const Node& node, const std::string& function);
  Argument Map(const json& structure) const;
  static bool IsLeaf(const json& j) {
    return j.is_array() && j.size() == 3 && j[0].is_string() && j[1].is_number_integer();
  }
  static std::vector<std::pair<std::string, std::string>> Leaves(const json& structure,
                                                                 const std::string& prefix = "",
                                                                 bool in_dict = false);

  LoweringContext& context_;
  Builder& b_;
  const json& config_;
  std::vector<Member> members_;
  std::map<std::string, int> member_by_name_;
  std::vector<Node> nodes_;
  bool legacy_ = false;  // calls as Keras 2 writes them
};

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
  if (IsLeaf(argument) && argument[2].is_number_integer() &&
      member_by_name_.contains(argument[0].get<std::string>())) {
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
    for (const auto& [key, argument] : At(*node.call, "kwargs").items()) {
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
    return Resolve(
        {structure[0].get<std::string>(), structure[1].get<int64_t>(), structure[2].get<int64_t>()},
        true);
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
        members_[static_cast<size_t>(found->second)].class_name != "InputLayer") {
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

// ---------------------------------------------------------------------------------------------------------------

// A Sequential config: the list of layers (in very old files the config itself), the first may be
// an InputLayer.
const json& SequentialLayers(const json& config) {
  return config.is_array() ? config : At(config, "layers");
}

ModelInput SequentialInput(Builder& b, const json& config) {
  const json& layers = SequentialLayers(config);
  if (layers.is_array() && !layers.empty()) {
    const json& first = At(layers[0], "config");
    if (StringAt(layers[0], "class_name") == "InputLayer" ||
        At(first, "batch_input_shape").is_array()) {
      ModelInput input = ReadInput(b, first);
      // Without an InputLayer the input has the layer's name and dtype.
      if (StringAt(layers[0], "class_name") != "InputLayer") {
        input.name += "_input";
        if (StringAt(layers[0], "class_name") == "Embedding") input.dtype = DType::kFloat32;
      }
      return input;
    }
    // A nested model in front: its input is ours.
    const std::string nested = StringAt(layers[0], "class_name");
    if (nested == "Sequential" && !At(config, "build_input_shape").is_array()) {
      return SequentialInput(b, first);
    }
  }
  json input = {{"name", "input_layer"}, {"dtype", "float32"}};
  input["batch_shape"] = At(config, "build_input_shape");
  return ReadInput(b, input);
}

// Before Keras 2.2.3 a nested Sequential's config had no name: its weights are those of the layer
// at the same place. Empty where the numbers of layers differ.
std::string StoredLayerName(const LoweringContext& context, const json& layers, int position) {
  const auto inputs = std::count_if(layers.begin(), layers.end(), [](const json& layer) {
    return StringAt(layer, "class_name") == "InputLayer";
  });
  const auto& stored = context.archive.Layers();
  if (stored.size() + static_cast<size_t>(inputs) != layers.size()) return "";
  return stored[static_cast<size_t>(position)].name;
}

Argument RunSequential(LoweringContext& context, const json& config, const WeightScope& scope,
                       bool top_level, Value x) {
  Builder& b = context.b;
  const json& layers = SequentialLayers(config);
  if (!layers.is_array()) {
    return b.Fail("sequential-1", "the config of a Sequential has no list of layers");
  }
  ScopeNames names;
  int position = 0;
  Argument value = x;
  for (const json& serialized : layers) {
    const std::string class_name = StringAt(serialized, "class_name");
    if (class_name == "InputLayer") continue;
    WeightScope child = scope.Child(names.Next(class_name), position++);
    if (top_level) {
      child.top_level = StringAt(At(serialized, "config"), "name");
      if (child.top_level.empty()) child.top_level = StoredLayerName(context, layers, position - 1);
    }
    Arguments call(b, class_name);
    call.AddPositional(value);
    value = CallLayer(context, serialized, child, call);
  }
  return value;
}

// ---------------------------------------------------------------------------------------------------------------

// A functional model called as a layer.
Argument FunctionalLayer(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  FunctionalGraph graph(layer.context(), layer.config().json(), layer.scope(), false);
  const Argument& given = call.Get(0, "inputs");
  const std::vector<Value> values = given.Flatten();
  const auto inputs = graph.Inputs();
  const bool by_name = given.is_dict();
  if (!by_name && values.size() != inputs.size()) {
    return layer.Fail("functional-8", fmt::format("the model has {} inputs and is called with {}",
                                                  inputs.size(), values.size()));
  }
  const Argument result = graph.Run([&](const ModelInput& input, size_t position) {
    Value value = position < values.size() ? values[position] : Value();
    if (by_name) {
      for (size_t i = 0; i < given.keys().size(); ++i) {
        if (given.keys()[i] == input.name) value = given.items()[i].tensor();
      }
    }
    const Value mask = layer.Mask(value);
    value = lrt::Cast(b, value, input.dtype);
    layer.SetMask(value, mask);
    return value;
  });
  layer.config().Ignore({"layers", "input_layers", "output_layers"});
  return result;
}

Argument SequentialLayer(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  layer.config().Ignore({"layers", "build_input_shape"});
  return RunSequential(layer.context(), layer.config().json(), layer.scope(), false, x);
}

// A class of the file that is not Keras's own, and the paths of the objects that are of it.
struct ForeignClass {
  std::string name;
  std::vector<std::string> paths;
};

// Subclassed models and custom layers need their code: finds every class of them and every layer.
// `path` is that of the model which has `serialized` in it; paths leave out the outermost model.
void CollectForeignClasses(const json& serialized, const std::string& path, bool outermost,
                           std::vector<ForeignClass>& found) {
  std::string inner = path;
  const std::string class_name = StringAt(serialized, "class_name");
  if (!class_name.empty()) {
    std::string name = StringAt(serialized, "name");
    if (name.empty()) name = StringAt(At(serialized, "config"), "name");
    if (!outermost && !name.empty()) inner += (inner.empty() ? "" : "/") + name;
    if (serialized.contains("registered_name") && class_name != "function" &&
        !IsKerasClass(serialized)) {
      auto same = std::find_if(found.begin(), found.end(),
                               [&](const ForeignClass& f) { return f.name == class_name; });
      if (same == found.end()) same = found.insert(found.end(), {class_name, {}});
      const std::string where = outermost ? "the model itself" : inner;
      if (!where.empty() &&
          std::find(same->paths.begin(), same->paths.end(), where) == same->paths.end()) {
        same->paths.push_back(where);
      }
    }
  }
  if (serialized.is_structured()) {
    for (const json& item : serialized) {
      CollectForeignClasses(item, inner, false, found);
    }
  }
}

// "'Gate' (gate, decoder/gate_1)"
std::string Describe(const ForeignClass& foreign) {
  constexpr size_t kShown = 8;
  const size_t count = foreign.paths.size();
  const size_t shown = count <= kShown + 1 ? count : kShown;
  std::string list;
  for (size_t i = 0; i < shown; ++i) {
    list += (list.empty() ? "" : ", ") + foreign.paths[i];
  }
  if (shown < count) list += fmt::format(" and {} more", count - shown);
  return list.empty() ? fmt::format("'{}'", foreign.name)
                      : fmt::format("'{}' ({})", foreign.name, list);
}

}  // namespace

std::vector<ModelOutput> LowerModel(LoweringContext& context, const json& serialized,
                                    const MakeInput& make_input) {
  Builder& b = context.b;
  const std::string class_name = StringAt(serialized, "class_name");
  const json& config = At(serialized, "config");
  std::vector<ForeignClass> foreign;
  CollectForeignClasses(serialized, "", true, foreign);
  if (!foreign.empty()) {
    std::string list;
    for (const ForeignClass& each : foreign) {
      list += (list.empty() ? "" : ", ") + Describe(each);
    }
    b.Fail("model-2", fmt::format("the file uses classes that are not Keras's own: {}", list),
           kTheirCode);
    return {};
  }
  Argument result;
  std::vector<std::pair<std::string, std::string>> leaves;
  if (class_name == "Sequential") {
    result = RunSequential(context, config, {}, true, make_input(SequentialInput(b, config)));
  } else if (class_name == "Functional" || class_name == "Model") {
    FunctionalGraph graph(context, config, {}, true);
    result = graph.Run([&](const ModelInput& input, size_t) { return make_input(input); });
    leaves = graph.Outputs();
  } else {
    b.Fail("model-1",
           fmt::format("the file holds a '{}', no Functional or Sequential model", class_name),
           kTheirCode);
    return {};
  }
  if (b.errors().empty()) context.weights.ReportUnread(b);
  context.weights.Bind(b);
  std::vector<ModelOutput> outputs;
  const std::vector<Value> values = result.Flatten();
  for (size_t i = 0; i < values.size(); ++i) {
    std::string name = fmt::format("output_{}", i);
    if (i < leaves.size() && !leaves[i].first.empty()) name = leaves[i].first;
    outputs.push_back({std::move(name), values[i]});
  }
  return outputs;
}

std::span<const LayerEntry> ModelLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Functional", FunctionalLayer, MaskRule::kCustom, false},
      {"Model", FunctionalLayer, MaskRule::kCustom, false},
      {"Sequential", SequentialLayer, MaskRule::kCustom, false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
