// The configuration of a Keras layer, read fail-closed.
//
// Every key that a lowering reads or ignores on purpose is marked; ReportUnread() makes an error of
// the rest, because a key that nobody knows may change what the layer computes.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"

namespace keras_litert::layers {

class Config {
 public:
  // `json` outlives this object. Anything but a JSON object reads as an empty one.
  Config(ir::Builder& b, const nlohmann::json& json);

  const nlohmann::json& json() const { return *json_; }

  // True if the key is there and not null; does not mark it.
  bool Has(std::string_view key) const;
  // The raw value; null JSON where absent. Marks the key.
  const nlohmann::json& Raw(std::string_view key);

  // Without a fallback the key is required. A value of another kind is reported.
  int64_t Int(std::string_view key);
  int64_t Int(std::string_view key, int64_t fallback);
  std::optional<int64_t> OptionalInt(std::string_view key);
  double Float(std::string_view key);
  double Float(std::string_view key, double fallback);
  std::optional<double> OptionalFloat(std::string_view key);
  bool Bool(std::string_view key, bool fallback);
  std::string String(std::string_view key);
  std::string String(std::string_view key, std::string_view fallback);
  std::optional<std::string> OptionalString(std::string_view key);
  // A list of ints; one int stands for a list of it where `count` is given.
  std::vector<int> Ints(std::string_view key, int count = 0);
  // The ints, or `fallback` where the key is absent or null.
  std::vector<int> Ints(std::string_view key, const std::vector<int>& fallback);
  // All numbers of a list, flattened (see Raw() for its structure).
  std::vector<double> Floats(std::string_view key);

  // Marks keys that do not matter at inference.
  void Ignore(std::initializer_list<std::string_view> keys) {
    Ignore(std::span(keys.begin(), keys.size()));
  }
  void Ignore(std::span<const std::string_view> keys);
  // Reports every key that nobody marked.
  void ReportUnread();

 private:
  const nlohmann::json* Find(std::string_view key);
  void WrongKind(std::string_view key, std::string_view expected);

  ir::Builder* b_;
  const nlohmann::json* json_;
  std::shared_ptr<std::set<std::string, std::less<>>> used_;
};

}  // namespace keras_litert::layers
