// Dense, EinsumDense, Embedding and the other layers of keras.layers.core.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/structure.h"
#include "layers/table.h"
#include "ops/activation.h"
#include "ops/einsum.h"
#include "ops/elementwise.h"
#include "ops/linear.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;

constexpr std::string_view kTrainingOnly[] = {
    "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
    "kernel_constraint",  "bias_constraint",  "quantization_config"};

// Keras saves a layer's kernel with its low-rank adaptation added, except in whole-model HDF5
// files, which list both.
bool LoraIsMerged(Layer& layer) {
  layer.config().Ignore({"lora_rank", "lora_alpha"});
  if (!layer.config().Has("lora_rank") ||
      layer.context().archive.layout() == archive::WeightLayout::kObjectPath) {
    return true;
  }
  layer.Fail("lora-1", "the file keeps the layer's low-rank adaptation apart",
             "Save the model as .keras, which holds the merged kernel.");
  return false;
}

Argument Dense(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  const int64_t units = config.Int("units");
  if (x.rank() < 2) {
    return layer.Fail("dense-1",
                      fmt::format("input rank must be >= 2, got {}", x.shape().ToString()));
  }
  if (!LoraIsMerged(layer)) return Value();
  const Value kernel = layer.Weight(0, "kernel", Shape{x.dim(-1), units});
  const Value bias =
      config.Bool("use_bias", true) ? layer.Weight(1, "bias", Shape{units}) : Value();
  return ApplyActivation(layer, ops::Dense(layer.b(), x, kernel, bias),
                         std::string_view("activation"));
}

// The labels of an equation of EinsumDense, "ab,bc->ac", whose ellipsis (in the input and the
// output only) is written out.
struct EinsumShapes {
  Shape kernel;
  Shape bias;               // rank 0: no bias
  std::string bias_labels;  // in the output's order
  ops::EinsumEquation equation;
};

bool ReadEinsumShapes(Layer& layer, Value x, EinsumShapes* shapes) {
  Config& config = layer.config();
  const std::string equation = config.String("equation");
  auto fail = [&](const std::string& why) {
    layer.Fail("einsum-dense-1", fmt::format("the equation '{}' {}", equation.substr(0, 100), why));
    return false;
  };
  const size_t comma = equation.find(',');
  const size_t arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || arrow < comma) {
    return fail("has not the form 'input,kernel->output'");
  }
  const auto kernel_rank = static_cast<int>(arrow - comma - 1);
  if (!ops::ParseEinsum(layer.b(), equation, {x.rank(), kernel_rank}, &shapes->equation)) {
    return false;
  }
  const std::string& input = shapes->equation.inputs[0];
  const std::string& kernel = shapes->equation.inputs[1];
  const std::string& output = shapes->equation.output;
  // "output_shape" leaves out the batch and, in front of or behind the given sizes, the axes of an
  // ellipsis.
  const nlohmann::json& raw = config.Raw("output_shape");
  std::vector<Dim> given;
  for (const nlohmann::json& size : raw.is_array() ? raw : nlohmann::json::array({raw})) {
    if (!size.is_null() && !size.is_number_integer()) return fail("has an unreadable output_shape");
    given.emplace_back(size.is_null() ? -1 : size.get<int64_t>());
  }
  const bool right = equation.ends_with("...");
  std::string named = output;  // the labels that `given` is for
  if (!named.empty() && (right || named[0] > '9')) named.erase(0, 1);
  named.erase(std::remove_if(named.begin(), named.end(), [](char c) { return c <= '9'; }),
              named.end());
  if (named.size() != given.size()) return fail("does not fit output_shape");
  auto size_of = [&](char label) -> Dim {
    const size_t in_output = named.find(label);
    if (in_output != std::string::npos && given[in_output] != Dim(-1)) return given[in_output];
    const size_t in_input = input.find(label);
    return in_input == std::string::npos ? Dim(-1) : x.dim(static_cast<int>(in_input));
  };
  shapes->kernel = Shape();
  for (char label : kernel) {
    const Dim size = size_of(label);
    if (size == Dim(-1)) return fail("has a kernel label of unknown size");
    shapes->kernel.Append(size);
  }
  const std::string bias_axes = config.String("bias_axes", "");
  shapes->bias = Shape();
  for (char label : output) {
    if (bias_axes.find(label) != std::string::npos) {
      shapes->bias.Append(size_of(label));
      shapes->bias_labels += label;
    } else if (shapes->bias.rank() > 0) {
      shapes->bias.Append(1);
    }
  }
  if (shapes->bias_labels.size() != bias_axes.size()) return fail("does not fit bias_axes");
  return true;
}

Argument EinsumDense(Layer& layer, Arguments& call) {
  Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  EinsumShapes shapes;
  if (!ReadEinsumShapes(layer, x, &shapes) || !LoraIsMerged(layer)) return Value();
  const Value kernel = layer.Weight(0, "kernel", shapes.kernel);
  Value bias;
  if (shapes.bias.rank() > 0) {
    bias = layer.Weight(1, "bias", shapes.bias);
    if (!bias.ok()) return Value();
  }
  const Value y = ops::Einsum(layer.b(), shapes.equation, {x, kernel}, bias, shapes.bias_labels);
  return ApplyActivation(layer, y, std::string_view("activation"));
}

// The ids that are not 0.
Value NotZero(Layer& layer, Value ids) {
  if (ids.dtype() != DType::kInt64 && !ir::IsFloat(ids.dtype())) {
    ids = lrt::Cast(layer.b(), ids, DType::kInt32);
  }
  return ops::CompareNumber(layer.b(), BuiltinOperator::NOT_EQUAL, ids, 0);
}

Value LookUp(Layer& layer, Value table, Value ids) {
  if (ids.dtype() != DType::kInt64) ids = lrt::Cast(layer.b(), ids, DType::kInt32);
  return lrt::Cast(layer.b(), lrt::Gather(layer.b(), table, ids, 0), layer.compute_dtype());
}

constexpr std::string_view kEmbeddingTrainingOnly[] = {
    "embeddings_initializer", "embeddings_regularizer", "embeddings_constraint", "input_length",
    "quantization_config"};

Value Embeddings(Layer& layer) {
  Config& config = layer.config();
  config.Ignore(kEmbeddingTrainingOnly);
  if (!LoraIsMerged(layer)) return Value();
  const int64_t rows = config.Int("input_dim");
  return layer.VariableWeight(0, "embeddings", Shape{rows, config.Int("output_dim")});
}

Argument Embedding(Layer& layer, Arguments& call) {
  const Value ids = call.Tensor(0, "inputs");
  const Value table = Embeddings(layer);
  const Value y = LookUp(layer, table, ids);
  if (layer.config().Bool("mask_zero", false)) layer.SetMask(y, NotZero(layer, ids));
  return y;
}

// Forward it looks up; reversed it multiplies by the table's transpose, or by a matrix of its own.
Argument ReversibleEmbedding(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const Value x = call.Tensor(0, "inputs");
  const bool reverse = call.Bool(1, "reverse", false);
  Config& config = layer.config();
  const Value table = Embeddings(layer);
  const int64_t rows = config.Int("input_dim");
  const int64_t columns = config.Int("output_dim");
  const bool tied = config.Bool("tie_weights", true);
  const bool mask_zero = config.Bool("mask_zero", false);
  const std::optional<double> soft_cap = config.OptionalFloat("logit_soft_cap");
  const std::optional<std::string> dtype_name = config.OptionalString("reverse_dtype");
  Value kernel;
  if (!tied) kernel = layer.VariableWeight(1, "reverse_embeddings", Shape{columns, rows});
  if (!table.ok() || (!tied && !kernel.ok())) return Value();
  if (!reverse) {
    const Value y = LookUp(layer, table, x);
    if (mask_zero) layer.SetMask(y, NotZero(layer, x));
    return y;
  }
  Value inputs = x;
  if (tied) kernel = lrt::Transpose(b, table, {1, 0});
  if (dtype_name) {
    const std::optional<DType> dtype = ir::DTypeFromName(*dtype_name);
    if (!dtype) {
      return layer.Fail("reversible-embedding-1",
                        fmt::format("reverse_dtype '{}' is not known", *dtype_name));
    }
    inputs = lrt::Cast(b, inputs, *dtype);
    kernel = lrt::Cast(b, kernel, *dtype);
  }
  if (inputs.rank() < 1 || inputs.dim(-1) != Dim(columns)) {
    return layer.Fail("reversible-embedding-2", fmt::format("the input {} does not end in {}",
                                                            inputs.shape().ToString(), columns));
  }
  const Value logits = ops::Matmul(b, inputs, kernel);
  if (!soft_cap) return logits;
  return ops::Multiply(b, ops::Tanh(b, ops::Divide(b, logits, *soft_cap)), *soft_cap);
}

// Steps whose features all have the mask value become 0 and masked.
Argument Masking(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const Value x = call.Tensor(0, "inputs");
  const nlohmann::json& raw = layer.config().Raw("mask_value");
  if (x.rank() < 1) return layer.Fail("masking-1", "the input is a scalar");
  Value differs;
  if (raw.is_object()) {
    const Value value =
        ReadArgument(b, raw, [](const TensorReference&) { return Value(); }).tensor();
    differs = lrt::Compare(b, BuiltinOperator::NOT_EQUAL, x, lrt::Cast(b, value, x.dtype()));
  } else if (raw.is_null() || raw.is_number()) {
    differs =
        ops::CompareNumber(b, BuiltinOperator::NOT_EQUAL, x, raw.is_null() ? 0 : raw.get<double>());
  } else {
    return layer.Fail("masking-2",
                      fmt::format("the mask value {} is no number", raw.dump().substr(0, 100)));
  }
  const Value kept = lrt::Reduce(b, BuiltinOperator::REDUCE_ANY, differs, {-1}, true);
  const Value y = lrt::Select(b, kept, x, b.Scalar(0, x.dtype()));
  layer.SetMask(y, lrt::Reduce(b, BuiltinOperator::REDUCE_ANY, differs, {-1}, false));
  return y;
}

Argument Identity(Layer&, Arguments& call) {
  return call.Get(0, "inputs");
}

Argument Lambda(Layer& layer, Arguments& call) {
  call.Get(0, "inputs");
  return layer.Fail(
      "lambda-1", "a Lambda layer holds Python code, which a converter of files cannot run",
      "Write it with layers or functions of keras.ops, or export the model from Python with "
      "the keras_litert package: keras_litert.export(model, \"model.tflite\").");
}

// Layers that run a function or module of another framework.
Argument ForeignCode(Layer& layer, Arguments& call) {
  call.Get(0, "inputs");
  return layer.Fail("foreign-1",
                    fmt::format("a {} runs code of another framework, which is not in the file",
                                layer.class_name()),
                    "Write it with layers or keras.ops, or split the model there.");
}

}  // namespace

std::span<const LayerEntry> CoreLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Dense", Dense, MaskRule::kPassThrough},
      {"EinsumDense", EinsumDense},
      {"Embedding", Embedding, MaskRule::kCustom, false},
      {"Identity", Identity, MaskRule::kPassThrough},
      {"FlaxLayer", ForeignCode},
      {"JaxLayer", ForeignCode},
      {"Lambda", Lambda},
      {"Masking", Masking, MaskRule::kCustom},
      {"TFSMLayer", ForeignCode},
      {"TorchModuleWrapper", ForeignCode},
      {"ReversibleEmbedding", ReversibleEmbedding, MaskRule::kCustom, false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
