// Reading the config of a model: what Functional and Sequential have in common.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "layers/model.h"

namespace keras_litert::layers {

// What a model's lowering needs from outside: values for its inputs, given by the caller of a
// nested model or made as inputs of the graph.
using BindInput = std::function<Value(const ModelInput& input, size_t position)>;

// Hands out the names under which a model's layers keep their weights: class names, numbered.
class ScopeNames {
 public:
  std::string Next(const std::string& class_name);

 private:
  std::map<std::string, int> used_;
};

bool IsModelClass(std::string_view class_name);

// The string at `key`, or "" where `j` is no object or has none.
std::string StringAt(const nlohmann::json& j, const char* key);
// The value at `key`, or null.
const nlohmann::json& At(const nlohmann::json& j, const char* key);

// The operation that a member of a Functional config is: "numpy.add"; empty for a layer. Keras 3's
// .h5 files name no modules: there an operation's config lacks what every layer's has.
std::string OperationName(const nlohmann::json& serialized, std::string_view keras_version);

// The name, shape and dtype of an InputLayer's config.
ModelInput ReadInput(Builder& b, const nlohmann::json& config);

}  // namespace keras_litert::layers
