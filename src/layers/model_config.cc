#include "layers/model_config.h"

#include <fmt/core.h>

#include <optional>

#include "layers/table.h"
#include "ops/table.h"

namespace keras_litert::layers {

using nlohmann::json;

std::string ScopeNames::Next(const std::string& class_name) {
  // By the class's own name. One class is exported, and serialized, under another.
  const std::string base =
      ToSnakeCase(class_name == "GroupQueryAttention" ? "GroupedQueryAttention" : class_name);
  const int count = used_[base]++;
  return "layers/" + (count == 0 ? base : fmt::format("{}_{}", base, count));
}

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

}  // namespace keras_litert::layers
