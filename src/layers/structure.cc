#include "layers/structure.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "ir/operators.h"

namespace keras_litert::layers {

using nlohmann::json;
using ops::Argument;
using ops::Builder;
using ops::DType;
using ops::Shape;
using ops::Value;

namespace {

bool ReadReference(const json& history, TensorReference& reference) {
  if (!history.is_array() || history.size() != 3 || !history[0].is_string() ||
      !history[1].is_number_integer() || !history[2].is_number_integer()) {
    return false;
  }
  reference = {history[0].get<std::string>(), history[1].get<int64_t>(), history[2].get<int64_t>()};
  return true;
}

const json* MarkerConfig(const json& j) {
  if (!j.is_object() || !j.contains("class_name") || !j["class_name"].is_string()) return nullptr;
  const auto config = j.find("config");
  return config == j.end() ? nullptr : &*config;
}

// A nested list of numbers with a dtype.
Value ReadTensor(Builder& b, const json& config) {
  std::vector<int64_t> sizes;
  std::vector<double> values;
  bool rectangular = true;
  const json empty;
  const json& value = config.contains("value") ? config["value"] : empty;
  for (const json* level = &value; level->is_array(); level = &(*level)[0]) {
    sizes.push_back(static_cast<int64_t>(level->size()));
    if (level->empty()) break;
  }
  auto collect = [&](auto&& self, const json& j, size_t depth) -> void {
    if (j.is_array()) {
      if (depth >= sizes.size() || static_cast<int64_t>(j.size()) != sizes[depth]) {
        rectangular = false;
        return;
      }
      for (const json& item : j) self(self, item, depth + 1);
    } else if (j.is_number() || j.is_boolean()) {
      rectangular &= depth == sizes.size();
      values.push_back(j.is_boolean() ? (j.get<bool>() ? 1 : 0) : j.get<double>());
    } else {
      rectangular = false;
    }
  };
  collect(collect, value, 0);
  const std::optional<DType> dtype = config.contains("dtype") && config["dtype"].is_string()
                                         ? ir::DTypeFromName(config["dtype"].get<std::string>())
                                         : std::nullopt;
  if (!rectangular || !dtype) {
    return b.Fail("structure-1", "a tensor stored in the config cannot be read");
  }
  return lrt::Cast(b, b.Constant(DType::kFloat64, Shape::Of(sizes), values), *dtype);
}

}  // namespace

Argument ReadArgument(Builder& b, const json& j, const ResolveTensor& resolve) {
  if (j.is_null()) return {};
  if (j.is_boolean()) return Argument::Bool(j.get<bool>());
  if (j.is_number_integer()) return Argument::Int(j.get<int64_t>());
  if (j.is_number()) return Argument::Float(j.get<double>());
  if (j.is_string()) return Argument::String(j.get<std::string>());
  if (j.is_array()) {
    std::vector<Argument> items;
    for (const json& item : j) items.push_back(ReadArgument(b, item, resolve));
    return Argument::List(std::move(items));
  }
  if (const json* config = MarkerConfig(j)) {
    const auto& name = j["class_name"].get_ref<const std::string&>();
    if (name == "__keras_tensor__") {
      TensorReference reference;
      if (config->contains("keras_history") &&
          ReadReference((*config)["keras_history"], reference)) {
        return resolve(reference);
      }
      return b.Fail("structure-2", "a tensor of the config has no keras_history");
    }
    if (name == "__tensor__" || name == "__numpy__") return ReadTensor(b, *config);
    if (name == "__ellipsis__") return Argument::Ellipsis();
    if (name == "__slice__" && config->is_object()) {
      auto part = [&](const char* key) {
        return config->contains(key) ? ReadArgument(b, (*config)[key], resolve) : Argument();
      };
      return Argument::Slice(part("start"), part("stop"), part("step"));
    }
    if (name == "DTypePolicy" && config->contains("name") && (*config)["name"].is_string()) {
      return Argument::String((*config)["name"].get<std::string>());
    }
    return b.Fail("structure-3", fmt::format("an argument of class '{}' is not supported", name),
                  "Pass numbers, strings, tensors, or lists and dicts of these.");
  }
  std::vector<std::pair<std::string, Argument>> items;
  for (const auto& [key, item] : j.items()) items.emplace_back(key, ReadArgument(b, item, resolve));
  return Argument::Dict(std::move(items));
}

void VisitTensors(const json& j, const std::function<void(const TensorReference&)>& visit) {
  if (j.is_object()) {
    if (const json* config = MarkerConfig(j); config && j["class_name"] == "__keras_tensor__") {
      TensorReference reference;
      if (config->contains("keras_history") &&
          ReadReference((*config)["keras_history"], reference)) {
        visit(reference);
      }
      return;
    }
  }
  if (j.is_structured()) {
    for (const json& item : j) VisitTensors(item, visit);
  }
}

}  // namespace keras_litert::layers
