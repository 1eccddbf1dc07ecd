// Bidirectional, TimeDistributed.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/recurrent.h"
#include "layers/table.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

namespace keras_litert::layers {
namespace {

using nlohmann::json;

bool BoolAt(const json& config, const char* key) {
  const auto entry = config.find(key);
  return entry != config.end() && entry->is_boolean() && entry->get<bool>();
}

// A serialized layer with a config, or null.
const json* ReadLayer(Layer& layer, const char* key) {
  const json& serialized = layer.config().Raw(key);
  if (serialized.is_object() && serialized.contains("config") && serialized["config"].is_object() &&
      serialized.contains("class_name") && serialized["class_name"].is_string()) {
    return &serialized;
  }
  return nullptr;
}

// Layers that Bidirectional takes: those with go_backwards. (Nested ones would double the work with
// each level.)
bool IsRecurrent(const json& serialized) {
  static constexpr std::string_view kLayers[] = {"RNN",        "SimpleRNN",  "LSTM",      "GRU",
                                                 "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"};
  const auto name = serialized["class_name"].get<std::string>();
  return std::find(std::begin(kLayers), std::end(kLayers), name) != std::end(kLayers);
}

// Bidirectional makes masked steps zero in sequences, whatever its layers say.
void ForceZeroOutput(json& serialized) {
  json& config = serialized["config"];
  config["zero_output_for_mask"] = BoolAt(config, "return_sequences");
}

Value Merge(Layer& layer, const std::string& mode, Value x, Value y) {
  Builder& b = layer.b();
  if (mode == "concat") return ops::Concatenate(b, {x, y}, -1);
  if (mode == "sum") return ops::Add(b, x, y);
  if (mode == "mul") return ops::Multiply(b, x, y);
  if (mode == "ave") return ops::Multiply(b, ops::Add(b, x, y), 0.5);
  return layer.Fail("bidirectional-1", fmt::format("merge_mode '{}' is not known", mode),
                    "Use 'concat', 'sum', 'mul', 'ave' or None.");
}

Argument Bidirectional(Layer& layer, Arguments& call) {
  Config& config = layer.config();
  const json* forward = ReadLayer(layer, "layer");
  const json* backward = ReadLayer(layer, "backward_layer");
  if (forward == nullptr) {
    return layer.Fail("bidirectional-2", "the config has no layer to run in both directions");
  }
  if (!IsRecurrent(*forward) || (backward != nullptr && !IsRecurrent(*backward))) {
    return layer.Fail("bidirectional-6", "Bidirectional wraps recurrent layers only");
  }
  // Keras 2 leaves the layer backwards away where it is the layer itself.
  json forward_layer = *forward;
  json backward_layer = backward != nullptr ? *backward : *forward;
  if (backward == nullptr) {
    backward_layer["config"]["go_backwards"] = !BoolAt((*forward)["config"], "go_backwards");
  }
  ForceZeroOutput(forward_layer);
  ForceZeroOutput(backward_layer);
  for (const char* key : {"return_sequences", "return_state", "stateful"}) {
    if (BoolAt(forward_layer["config"], key) != BoolAt(backward_layer["config"], key)) {
      return layer.Fail("bidirectional-3", fmt::format("the two layers differ in {}", key));
    }
  }
  const std::optional<std::string> mode =
      config.Has("merge_mode") || config.json().contains("merge_mode")
          ? config.OptionalString("merge_mode")
          : std::optional<std::string>("concat");
  const bool return_sequences = BoolAt(forward_layer["config"], "return_sequences");
  const bool return_state = BoolAt(forward_layer["config"], "return_state");

  // Keras 2 hands the states over in a list behind the sequences.
  const std::vector<Value> tensors = call.Get(0, "sequences").Flatten();
  if (tensors.empty()) {
    return layer.Fail("bidirectional-4", "the layer is called without an input");
  }
  std::vector<Value> states(tensors.begin() + 1, tensors.end());
  const std::vector<Value> initial = call.Get(1, "initial_state").Flatten();
  states.insert(states.end(), initial.begin(), initial.end());
  if (states.size() % 2 != 0) {
    return layer.Fail("bidirectional-5",
                      "the initial states must be the same number for each "
                      "direction");
  }
  const std::vector<Value> masks = call.Get(2, "mask").Flatten();
  const Value mask = masks.empty() ? layer.Mask(tensors[0]) : masks[0];

  std::vector<Value> results[2];
  for (int direction = 0; direction < 2; ++direction) {
    Arguments inner(layer.b(), "Bidirectional");
    inner.AddPositional(tensors[0]);
    if (!states.empty()) {
      const size_t half = states.size() / 2;
      std::vector<Argument> own;
      for (size_t i = 0; i < half; ++i) {
        own.emplace_back(states[i + (direction == 0 ? 0 : half)]);
      }
      inner.AddKeyword("initial_state", Argument::List(std::move(own)));
    }
    if (mask.ok()) inner.AddKeyword("mask", mask);
    results[direction] = layer
                             .CallChild(direction == 0 ? "forward_layer" : "backward_layer",
                                        direction == 0 ? forward_layer : backward_layer, inner)
                             .Flatten();
    if (results[direction].empty() || !results[direction][0].ok()) return Value();
  }
  const Value x = lrt::Cast(layer.b(), results[0][0], layer.compute_dtype());
  Value y = lrt::Cast(layer.b(), results[1][0], layer.compute_dtype());
  if (return_sequences) y = ops::ReverseTime(layer.b(), y);
  std::vector<Argument> outputs;
  if (mode) {
    outputs.emplace_back(Merge(layer, *mode, x, y));
  } else {
    outputs = {x, y};
  }
  for (const Argument& output : outputs) {
    layer.SetMask(output.tensor(), return_sequences ? mask : Value());
  }
  if (return_state) {
    for (const std::vector<Value>& result : results) {
      for (size_t i = 1; i < result.size(); ++i) outputs.emplace_back(result[i]);
    }
  }
  return outputs.size() == 1 ? outputs[0] : Argument::List(std::move(outputs));
}

// Does the layer's `call` take a mask? TimeDistributed hands its own over only then.
bool TakesMask(std::string_view class_name) {
  static constexpr std::string_view kLayers[] = {"RNN",
                                                 "SimpleRNN",
                                                 "LSTM",
                                                 "GRU",
                                                 "Bidirectional",
                                                 "TimeDistributed",
                                                 "ConvLSTM1D",
                                                 "ConvLSTM2D",
                                                 "ConvLSTM3D",
                                                 "Sequential",
                                                 "Functional",
                                                 "Model",
                                                 "Softmax",
                                                 "Attention",
                                                 "AdditiveAttention",
                                                 "BatchNormalization",
                                                 "GlobalAveragePooling1D"};
  for (std::string_view name : kLayers) {
    if (name == class_name) return true;
  }
  return false;
}

// [batch, time, …] → [batch * time, …]
Value MergeTime(Builder& b, Value x) {
  Shape shape = x.shape();
  shape.Set(0, b.symbols().Product(x.dim(0), x.dim(1)));
  shape.Erase(1);
  return lrt::Reshape(b, x, shape);
}

// The layer runs once on all steps of all samples, as one batch:
//   y[:, t] = layer(x[:, t])   ⇒   y = reshape(layer(reshape(x, [batch * time, …])), [batch, time,
//   …])
Argument TimeDistributed(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const Value x = call.Tensor(0, "inputs");
  const std::vector<Value> masks = call.Get(-1, "mask").Flatten();
  const Value mask = masks.empty() ? layer.Mask(x) : masks[0];
  const json* inner = ReadLayer(layer, "layer");
  if (inner == nullptr) return layer.Fail("time-distributed-1", "the config has no layer");
  if (x.rank() < 3) {
    return layer.Fail(
        "time-distributed-2",
        fmt::format("the input must have rank 3 or more, got {}", x.shape().ToString()));
  }
  if (BoolAt((*inner)["config"], "stateful")) {
    return layer.Fail("time-distributed-3", "a stateful layer cannot run in TimeDistributed",
                      "Set stateful=False.");
  }
  const std::string class_name = (*inner)["class_name"].get<std::string>();
  Arguments arguments(b, class_name);
  // A Dense layer works on the last axis alone: it takes all steps as they are.
  if (class_name == "Dense") {
    arguments.AddPositional(x);
    const Value kept = layer.Mask(x);
    layer.SetMask(x, Value());
    const Argument result = layer.CallChild("layer", *inner, arguments);
    layer.SetMask(x, kept);
    if (result.is_tensor()) layer.SetMask(result.tensor(), mask);
    return result;
  }
  const Value merged = MergeTime(b, x);
  if (mask.ok()) {
    if (mask.rank() < 2) {
      return layer.Fail(
          "time-distributed-4",
          fmt::format("the mask must be [batch, time, …], got {}", mask.shape().ToString()));
    }
    if (TakesMask(class_name)) layer.SetMask(merged, MergeTime(b, mask));
  }
  arguments.AddPositional(merged);
  const Argument result = layer.CallChild("layer", *inner, arguments);
  if (!result.is_tensor()) {
    return layer.Fail("time-distributed-5",
                      "a layer with several outputs cannot run in "
                      "TimeDistributed",
                      "Wrap a layer for each output.");
  }
  if (!result.tensor().ok()) return Value();
  Shape shape = result.tensor().shape();
  if (shape.rank() == 0) return Value();
  shape.Set(0, x.dim(0));
  shape.Insert(1, x.dim(1));
  const Value y = lrt::Reshape(b, result.tensor(), shape);
  layer.SetMask(y, mask);
  return y;
}

}  // namespace

std::span<const LayerEntry> RecurrentWrapperLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Bidirectional", Bidirectional, MaskRule::kCustom},
      {"TimeDistributed", TimeDistributed, MaskRule::kCustom},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
