#include "layers/config.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace keras_litert::layers {

using Json = nlohmann::json;

namespace {
const Json kNull;
}  // namespace

Config::Config(ir::Builder& b, const Json& j)
    : b_(&b), json_(&j), used_(std::make_shared<std::set<std::string, std::less<>>>()) {}

const Json* Config::Find(std::string_view key) {
  used_->emplace(key);
  if (!json_->is_object()) return nullptr;
  const auto entry = json_->find(key);
  return entry == json_->end() || entry->is_null() ? nullptr : &*entry;
}

bool Config::Has(std::string_view key) const {
  if (!json_->is_object()) return false;
  const auto entry = json_->find(key);
  return entry != json_->end() && !entry->is_null();
}

const Json& Config::Raw(std::string_view key) {
  const Json* value = Find(key);
  return value == nullptr ? kNull : *value;
}

void Config::WrongKind(std::string_view key, std::string_view expected) {
  const std::string got =
      Has(key) ? json_->find(key)->dump(-1, ' ', false, Json::error_handler_t::replace) : "nothing";
  b_->Fail("config-1",
           fmt::format("config key '{}' must be {}, got {}", key, expected, got.substr(0, 120)));
}

int64_t Config::Int(std::string_view key) {
  const Json* value = Find(key);
  if (value != nullptr && value->is_number_integer()) return value->get<int64_t>();
  if (value != nullptr && value->is_number_float()) {
    constexpr double kExact = 0x1p53;  // up to here doubles hold every integer
    const auto number = value->get<double>();
    if (std::fabs(number) <= kExact && number == std::trunc(number)) {
      return static_cast<int64_t>(number);
    }
  }
  WrongKind(key, "an int");
  return 1;
}

int64_t Config::Int(std::string_view key, int64_t fallback) {
  return Find(key) == nullptr ? fallback : Int(key);
}

std::optional<int64_t> Config::OptionalInt(std::string_view key) {
  if (Find(key) == nullptr) return std::nullopt;
  return Int(key);
}

double Config::Float(std::string_view key) {
  const Json* value = Find(key);
  if (value != nullptr && value->is_number()) return value->get<double>();
  WrongKind(key, "a number");
  return 0;
}

double Config::Float(std::string_view key, double fallback) {
  return Find(key) == nullptr ? fallback : Float(key);
}

std::optional<double> Config::OptionalFloat(std::string_view key) {
  if (Find(key) == nullptr) return std::nullopt;
  return Float(key);
}

bool Config::Bool(std::string_view key, bool fallback) {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  WrongKind(key, "a bool");
  return fallback;
}

std::string Config::String(std::string_view key) {
  const Json* value = Find(key);
  if (value != nullptr && value->is_string()) return value->get<std::string>();
  WrongKind(key, "a string");
  return "";
}

std::string Config::String(std::string_view key, std::string_view fallback) {
  return Find(key) == nullptr ? std::string(fallback) : String(key);
}

std::optional<std::string> Config::OptionalString(std::string_view key) {
  if (Find(key) == nullptr) return std::nullopt;
  return String(key);
}

std::vector<int> Config::Ints(std::string_view key, int count) {
  const Json* value = Find(key);
  std::vector<int> ints;
  if (value != nullptr && value->is_number_integer() && count > 0) {
    return std::vector<int>(static_cast<size_t>(count), value->get<int>());
  }
  bool good = value != nullptr && value->is_array();
  if (good) {
    for (const Json& item : *value) {
      good &= item.is_number_integer();
      ints.push_back(item.is_number_integer() ? item.get<int>() : 1);
    }
  }
  if (!good || (count > 0 && static_cast<int>(ints.size()) != count)) {
    WrongKind(key, count > 0 ? fmt::format("an int or a list of {} ints", count)
                             : std::string("a list of ints"));
    ints.resize(static_cast<size_t>(count), 1);
  }
  return ints;
}

std::vector<int> Config::Ints(std::string_view key, const std::vector<int>& fallback) {
  return Find(key) == nullptr ? fallback : Ints(key, static_cast<int>(fallback.size()));
}

namespace {
bool FlattenNumbers(const Json& j, std::vector<double>& out) {
  if (j.is_number()) {
    out.push_back(j.get<double>());
    return true;
  }
  if (!j.is_array()) return false;
  for (const Json& item : j) {
    if (!FlattenNumbers(item, out)) return false;
  }
  return true;
}
}  // namespace

std::vector<double> Config::Floats(std::string_view key) {
  const Json* value = Find(key);
  std::vector<double> numbers;
  if (value == nullptr || !FlattenNumbers(*value, numbers)) WrongKind(key, "numbers");
  return numbers;
}

void Config::Ignore(std::span<const std::string_view> keys) {
  for (std::string_view key : keys) used_->emplace(key);
}

void Config::ReportUnread() {
  if (!json_->is_object()) return;
  for (const auto& [key, value] : json_->items()) {
    if (used_->contains(key)) continue;
    b_->Fail("config-2",
             fmt::format("config key '{}' = {} is not known", key,
                         value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120)),
             "The file may come from a newer Keras than this compiler knows; please report it.");
  }
}

}  // namespace keras_litert::layers
