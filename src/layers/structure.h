// Structures in a saved graph: nests of tensors, literals and Keras's own markers, from JSON to
// arguments.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ops/argument.h"

namespace keras_litert::layers {

// The tensor number `tensor` of the call number `node` of the layer or operation `layer`.
struct TensorReference {
  std::string layer;
  int64_t node = 0;
  int64_t tensor = 0;
};

using ResolveTensor = std::function<ops::Value(const TensorReference&)>;

// An argument of a saved call: "__keras_tensor__", "__tensor__", "__slice__", "__ellipsis__" …
// become what they stand for.
ops::Argument ReadArgument(ops::Builder& b, const nlohmann::json& json,
                           const ResolveTensor& resolve);

// Visits every "__keras_tensor__" of a saved call.
void VisitTensors(const nlohmann::json& json,
                  const std::function<void(const TensorReference&)>& visit);

}  // namespace keras_litert::layers
