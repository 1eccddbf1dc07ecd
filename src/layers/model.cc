#include "layers/model.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/functional.h"
#include "layers/model_config.h"
#include "layers/table.h"

namespace keras_litert::layers {

using nlohmann::json;

namespace {

constexpr char kTheirCode[] =
    "Their code is not in the file. Export the model from Python, where it is, with the "
    "keras_litert package: keras_litert.export(model, \"model.tflite\").";

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
