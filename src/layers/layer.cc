#include "layers/layer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/activation.h"
#include "util/near_match.h"

namespace keras_litert::layers {

using nlohmann::json;

namespace {

// Nested wrappers and models deeper than this are refused: the config is untrusted and each level
// takes stack.
constexpr int kMaxDepth = 100;

struct Policy {
  DType compute = DType::kFloat32;
  DType variable = DType::kFloat32;
};

// A dtype policy by name: "float32", "mixed_float16", "mixed_bfloat16".
std::optional<Policy> PolicyByName(std::string_view name) {
  if (name == "mixed_float16") return Policy{DType::kFloat16, DType::kFloat32};
  if (name == "mixed_bfloat16") return Policy{DType::kBFloat16, DType::kFloat32};
  if (std::optional<DType> dtype = ir::DTypeFromName(name)) return Policy{*dtype, *dtype};
  return std::nullopt;
}

Policy ReadPolicy(Builder& b, Config& config) {
  const json& dtype = config.Raw("dtype");
  if (dtype.is_null()) return {};
  std::string name;
  if (dtype.is_string()) {
    name = dtype.get<std::string>();
  } else if (dtype.is_object() && dtype.contains("config") && dtype["config"].is_object() &&
             dtype["config"].contains("name") && dtype["config"]["name"].is_string()) {
    name = dtype["config"]["name"].get<std::string>();
  }
  if (std::optional<Policy> policy = PolicyByName(name)) return *policy;
  const std::string shown =
      name.empty() ? dtype.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 120)
                   : "'" + name + "'";
  b.Fail("dtype-1", fmt::format("the dtype policy {} is not supported", shown),
         "Save the model before it is quantized, with a float policy, or export it from Python "
         "with the keras_litert package, which follows what quantized layers compute.");
  return {};
}

// Casts floating tensors of a structure.
Argument Autocast(Builder& b, const Argument& argument, DType dtype) {
  switch (argument.kind()) {
    case Argument::Kind::kTensor: {
      const Value x = argument.tensor();
      return x.ok() && ir::IsFloat(x.dtype()) ? lrt::Cast(b, x, dtype) : x;
    }
    case Argument::Kind::kList: {
      std::vector<Argument> items;
      for (const Argument& item : argument.items()) items.push_back(Autocast(b, item, dtype));
      return Argument::List(std::move(items));
    }
    case Argument::Kind::kDict: {
      std::vector<std::pair<std::string, Argument>> items;
      for (size_t i = 0; i < argument.items().size(); ++i) {
        items.emplace_back(argument.keys()[i], Autocast(b, argument.items()[i], dtype));
      }
      return Argument::Dict(std::move(items));
    }
    default:
      return argument;
  }
}

}  // namespace

bool IsKerasClass(const json& serialized) {
  const auto module = serialized.find("module");
  if (module == serialized.end()) return true;
  if (!module->is_string()) return false;
  const auto& name = module->get_ref<const std::string&>();
  return name == "keras" || name.starts_with("keras.");
}

Layer::Layer(LoweringContext& context, std::string class_name, const json& config,
             WeightScope scope)
    : context_(&context),
      class_name_(std::move(class_name)),
      config_(context.b, config),
      name_(config_.String("name", "")),
      scope_(std::move(scope)) {
  scope_.trainable &= config_.Bool("trainable", true);
  const Policy policy = ReadPolicy(context.b, config_);
  compute_dtype_ = policy.compute;
  variable_dtype_ = policy.variable;
}

Value Layer::Weight(int index, std::string_view name, const Shape& shape, bool trainable) {
  const Value weight = VariableWeight(index, name, shape, trainable);
  return weight.ok() && ir::IsFloat(weight.dtype()) ? lrt::Cast(b(), weight, compute_dtype_)
                                                    : weight;
}

Value Layer::VariableWeight(int index, std::string_view name, const Shape& shape, bool trainable) {
  const ir::ConstantPtr stored = context_->weights.Get(b(), scope_, index, name, shape, trainable);
  return stored ? b().Constant(stored) : Value();
}

void Layer::SkipWeight(int index, std::string_view name, bool trainable) {
  context_->weights.Skip(b(), scope_, index, name, trainable);
}

Layer Layer::Child(const std::string& attribute, std::string class_name, const json& config) {
  return Layer(*context_, std::move(class_name), config, scope_.Child(attribute, children_++));
}

Argument Layer::CallChild(const std::string& attribute, const json& serialized, Arguments& call) {
  return CallLayer(*context_, serialized, scope_.Child(attribute, children_++), call);
}

Value Layer::Mask(Value x) const {
  const auto mask = context_->masks.find(x.tensor());
  return mask == context_->masks.end() ? Value() : mask->second;
}

void Layer::SetMask(Value x, Value mask) {
  if (!x.ok()) return;
  if (mask.ok()) {
    context_->masks[x.tensor()] = mask;
  } else {
    context_->masks.erase(x.tensor());
  }
}

void Layer::Note(std::string text) {
  context_->notes.push_back(b().PathString() + ": " + text);
}

namespace {

// Classes that only Keras 2 had, and what to do with a model that uses them; empty for others.
std::string_view AdviceOnKeras2Class(std::string_view name) {
  if (name == "TFOpLambda" || name == "SlicingOpLambda" || name == "TensorFlowOpLayer") {
    return "It is a TensorFlow function that Keras 2 recorded in the graph. Write that step with "
           "keras.ops or a layer in Keras 3, load the weights into that model, and save it as "
           "'.keras'.";
  }
  if (name == "CuDNNLSTM" || name == "CuDNNGRU") {
    return "It runs on GPUs of Nvidia only. Build the model with LSTM or GRU(reset_after=True), "
           "which take its weights: load_weights of Keras 2 converts them; then save it.";
  }
  return {};
}

}  // namespace

Argument CallLayer(LoweringContext& context, const json& serialized, const WeightScope& scope,
                   Arguments& call) {
  Builder& b = context.b;
  const bool good = serialized.is_object() && serialized.contains("class_name") &&
                    serialized["class_name"].is_string() && serialized.contains("config");
  if (!good) {
    return b.Fail("layer-1", "a layer of the config has no class_name and config");
  }
  const auto& class_name = serialized["class_name"].get_ref<const std::string&>();
  const json& config = serialized["config"];
  const bool named = config.is_object() && config.contains("name") && config["name"].is_string();
  const Builder::Scope path(b, named ? config["name"].get<std::string>() : class_name);
  const LayerEntry* entry = FindLayer(class_name);
  if (entry == nullptr) {
    if (serialized.contains("module") && IsKerasClass(serialized)) {
      return b.Fail("layer-4", fmt::format("Keras's layer class '{}' is not supported", class_name),
                    "Replace it by layers that docs/support.md lists, or leave it out of the model "
                    "that is saved.");
    }
    if (const std::string_view advice = AdviceOnKeras2Class(class_name); !advice.empty()) {
      return b.Fail("layer-5", fmt::format("the layer class '{}' is of Keras 2 alone", class_name),
                    std::string(advice));
    }
    const std::vector<std::string_view> names = LayerNames();
    const std::optional<std::string> near = NearMatch(class_name, names);
    return b.Fail("layer-2", fmt::format("the layer class '{}' is not known", class_name),
                  (near ? fmt::format("Did you mean '{}'? Otherwise: ", *near) : "") + kNeedsCode);
  }
  if (context.depth >= kMaxDepth) {
    return b.Fail("layer-3", fmt::format("layers are nested more than {} deep", kMaxDepth));
  }
  ++context.depth;
  const size_t errors_before = b.errors().size();
  Layer layer(context, class_name, config, scope);
  Arguments inputs(b, class_name);
  for (const Argument& argument : call.positional()) {
    inputs.AddPositional(entry->autocast ? Autocast(b, argument, layer.compute_dtype()) : argument);
  }
  for (const auto& [key, argument] : call.keywords()) {
    inputs.AddKeyword(key,
                      entry->autocast ? Autocast(b, argument, layer.compute_dtype()) : argument);
  }
  // A cast keeps the mask of what it casts.
  std::vector<Value> before;
  std::vector<Value> after;
  for (size_t i = 0; i < call.positional().size(); ++i) {
    const std::vector<Value> from = call.positional()[i].Flatten();
    const std::vector<Value> to = inputs.positional()[i].Flatten();
    before.insert(before.end(), from.begin(), from.end());
    after.insert(after.end(), to.begin(), to.end());
  }
  for (size_t i = 0; i < call.keywords().size(); ++i) {
    const std::vector<Value> from = call.keywords()[i].second.Flatten();
    const std::vector<Value> to = inputs.keywords()[i].second.Flatten();
    for (size_t j = 0; j < from.size(); ++j) {
      if (from[j] != to[j]) layer.SetMask(to[j], layer.Mask(from[j]));
    }
  }
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] != after[i]) layer.SetMask(after[i], layer.Mask(before[i]));
  }
  // Inputs that failed have been reported; nothing can be said about the layer then.
  const bool failed = std::any_of(after.begin(), after.end(), [](Value v) { return !v.ok(); });
  Argument result = Value();
  if (!failed) {
    const Value mask = after.empty() ? Value() : layer.Mask(after[0]);
    result = entry->lower(layer, inputs);
    for (Value output : result.Flatten()) {
      if (entry->mask == MaskRule::kPassThrough) layer.SetMask(output, mask);
    }
    // "training" and a mask of None say nothing at inference.
    inputs.Get(-1, "training");
    inputs.Get(-1, "mask");
    if (b.errors().size() == errors_before) {
      inputs.Finish();
      layer.config().Ignore({"name", "trainable", "dtype", "batch_input_shape", "batch_shape",
                             "input_dtype", "activity_regularizer", "autocast"});
      layer.config().ReportUnread();
    }
  }
  --context.depth;
  return result;
}

bool SavedByKeras2(const LoweringContext& context) {
  const std::string& version = context.archive.keras_version();
  return version.starts_with("2.") || version.starts_with("1.");
}

namespace {

// A function of keras.activations. What a file of Keras 2 calls hard_sigmoid is
// min(max(0.2 x + 0.5, 0), 1), Keras 3's is min(max(x / 6 + 0.5, 0), 1): the weights were trained
// with the former.
Value ActivateByName(Layer& layer, Value x, const std::string& name) {
  Builder& b = layer.b();
  if (name != "hard_sigmoid" || !SavedByKeras2(layer.context())) return ops::Activate(b, x, name);
  if (!x.ok()) return x;
  const auto scalar = [&](double value) { return b.Scalar(value, x.dtype()); };
  const Value line = lrt::Add(b, lrt::Mul(b, x, scalar(0.2)), scalar(0.5));
  return lrt::Minimum(b, lrt::Maximum(b, line, scalar(0)), scalar(1));
}

}  // namespace

Value ApplyActivation(Layer& layer, Value x, const json& activation) {
  if (activation.is_null()) return x;
  if (activation.is_string()) {
    return ActivateByName(layer, x, activation.get<std::string>());
  }
  if (activation.is_object() && activation.contains("class_name")) {
    // {"class_name": "function", "config": "gelu"} is a function; other classes are layers used as
    // activations.
    if (activation["class_name"] == "function" && activation.contains("config") &&
        activation["config"].is_string()) {
      return ActivateByName(layer, x, activation["config"].get<std::string>());
    }
    Arguments call(layer.b(), "activation");
    call.AddPositional(x);
    return layer.CallChild("activation", activation, call).tensor();
  }
  return layer.Fail(
      "activation-1",
      fmt::format("the activation {} is not supported",
                  activation.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 120)),
      "Use a function of keras.activations or a layer of Keras.");
}

std::string ToSnakeCase(std::string_view class_name) {
  // As keras.src.utils.naming: a word starts at a capital followed by lower case, and at a capital
  // behind lower case.
  std::string text;
  for (char c : class_name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') text += c;
  }
  auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  std::string spaced;
  for (size_t i = 0; i < text.size();) {
    // (.)([A-Z][a-z]+) → \1_\2, matches do not overlap.
    if (i + 2 < text.size() && upper(text[i + 1]) && lower(text[i + 2])) {
      spaced += text[i];
      spaced += '_';
      spaced += text[i + 1];
      size_t j = i + 2;
      while (j < text.size() && lower(text[j])) spaced += text[j++];
      i = j;
    } else {
      spaced += text[i++];
    }
  }
  std::string snake;
  for (size_t i = 0; i < spaced.size(); ++i) {
    if (i > 0 && upper(spaced[i]) && lower(spaced[i - 1])) snake += '_';
    snake += static_cast<char>(std::tolower(static_cast<unsigned char>(spaced[i])));
  }
  return snake;
}

}  // namespace keras_litert::layers
