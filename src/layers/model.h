// Whole models: Functional and Sequential configs.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "layers/layer.h"

namespace keras_litert::layers {

// One input of a top-level model, in the order of keras's `model.inputs`.
struct ModelInput {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;  // with the batch; -1: unknown
};

struct ModelOutput {
  std::string name;
  Value value;
};

// Makes the graph's input for a model input: where the caller's options fix shapes.
using MakeInput = std::function<Value(const ModelInput& input)>;

// Lowers the model whose serialized form is `serialized`. Errors go to the context's builder.
// Names: inputs by dict key, else by InputLayer name; outputs by dict key, else output_0 …
std::vector<ModelOutput> LowerModel(LoweringContext& context, const nlohmann::json& serialized,
                                    const MakeInput& make_input);

}  // namespace keras_litert::layers
