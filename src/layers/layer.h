// What a layer's lowering works with: its config, its weights, its sublayers and the masks of its
// tensors.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "layers/config.h"
#include "layers/weights.h"
#include "ops/argument.h"

namespace keras_litert::layers {

using ir::Builder;
using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::Value;
using ops::Argument;
using ops::Arguments;

// Shared by all layers of one conversion.
struct LoweringContext {
  LoweringContext(Builder builder, const archive::Archive& source)
      : b(builder), archive(source), weights(source) {}

  Builder b;
  const archive::Archive& archive;
  Weights weights;
  // Keras's `_keras_mask`: the mask that travels with a tensor.
  std::unordered_map<const ir::Tensor*, Value> masks;
  std::vector<std::string> notes;
  // What the variables of a layer with state are called, by the layer's weight path: it may be
  // called several times.
  std::map<std::string, std::string> state_names;
  int depth = 0;  // of nested models and wrappers; bounded, configs are untrusted
};

// Whether the file was written by Keras 1 or 2: some names mean something else there.
bool SavedByKeras2(const LoweringContext& context);

class Layer {
 public:
  // `config` is the layer's inner config (the value of "config").
  Layer(LoweringContext& context, std::string class_name, const nlohmann::json& config,
        WeightScope scope);

  LoweringContext& context() const { return *context_; }
  Builder& b() const { return context_->b; }
  Config& config() { return config_; }
  const std::string& class_name() const { return class_name_; }
  const std::string& name() const { return name_; }
  const WeightScope& scope() const { return scope_; }

  // The dtype that the layer computes in and that of its variables (its dtype policy).
  DType compute_dtype() const { return compute_dtype_; }
  DType variable_dtype() const { return variable_dtype_; }

  // The layer's own weight number `index`, in the order of add_weight calls, cast to the compute
  // dtype (floats only), as Keras's autocast does. Failed, with an error reported, where the file
  // has no such weight of this shape. Every weight that the layer has must be asked for, used or
  // not: order-based files count them.
  Value Weight(int index, std::string_view name, const Shape& shape, bool trainable = true);

  // The weight in the variable dtype: of layers that add it with autocast=False.
  Value VariableWeight(int index, std::string_view name, const Shape& shape, bool trainable = true);
  // A weight that inference does not need, of any shape.
  void SkipWeight(int index, std::string_view name, bool trainable = true);

  // Lowers a sublayer given as a serialized object ({"class_name", "config", …}), whose weights
  // live at `attribute`. The sublayer's name is appended to the path in errors.
  Argument CallChild(const std::string& attribute, const nlohmann::json& serialized,
                     Arguments& call);
  // A sublayer whose object is `class_name` with `config`, for attributes that a layer builds
  // itself. Weights are at `attribute`; the i-th child gets position i.
  Layer Child(const std::string& attribute, std::string class_name, const nlohmann::json& config);

  // The mask of a tensor (failed Value: none), and setting it.
  Value Mask(Value x) const;
  void SetMask(Value x, Value mask);

  // A layer's problem: code, message, way out.
  Value Fail(std::string code, std::string message, std::string hint = "") {
    return b().Fail(std::move(code), std::move(message), std::move(hint));
  }
  // Tells the user something that is no error.
  void Note(std::string text);

 private:
  LoweringContext* context_;
  std::string class_name_;
  Config config_;
  std::string name_;
  WeightScope scope_;
  DType compute_dtype_ = DType::kFloat32;
  DType variable_dtype_ = DType::kFloat32;
  int children_ = 0;
};

// Lowers one call of a serialized layer: finds its class in the table, casts its inputs as Keras's
// autocast does, runs the lowering, checks that all config keys and arguments were read, and
// carries masks.
Argument CallLayer(LoweringContext& context, const nlohmann::json& serialized,
                   const WeightScope& scope, Arguments& call);

// What to do about code that is not in the file: custom classes, Lambdas.
inline constexpr char kNeedsCode[] =
    "its code is not in the file. Export the model from Python, where it is, with the keras_litert "
    "package: keras_litert.export(model, \"model.tflite\").";

// True for a class of Keras itself (not of keras_hub or the like), by its module; configs of Keras
// 2 name none. REQUIRES: `serialized` is an object.
bool IsKerasClass(const nlohmann::json& serialized);

// The activation in a config: a name, null, or a serialized object (an Activation layer, a
// keras.activations function).
Value ApplyActivation(Layer& layer, Value x, const nlohmann::json& activation);
inline Value ApplyActivation(Layer& layer, Value x, std::string_view key) {
  return ApplyActivation(layer, x, layer.config().Raw(key));
}

// The name under which Keras files an object of a class: "BatchNormalization" →
// "batch_normalization".
std::string ToSnakeCase(std::string_view class_name);

}  // namespace keras_litert::layers
