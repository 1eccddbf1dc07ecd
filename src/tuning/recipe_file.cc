#include "tuning/recipe_file.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace keras_litert {

std::string RecipeFile(const ConvertReport& report, RangeMethod method) {
  using Json = nlohmann::ordered_json;
  Json file = {{"recipe", report.recipe}};
  if (method != RangeMethod::kMinMax) {
    file["method"] = RangeMethodNames()[static_cast<size_t>(method)];
  }
  for (const QuantizeRule& rule : report.rules) {
    Json entry;
    if (!rule.layer.empty()) entry["layer"] = rule.layer;
    if (!rule.op.empty()) entry["op"] = rule.op;
    entry["recipe"] = rule.recipe;
    file["rules"].push_back(std::move(entry));
  }
  return file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace keras_litert
