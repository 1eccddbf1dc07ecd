#include "archive/json.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace keras_litert::archive {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 1000;  // Python's own limit is about as high

// The parser knows no NaN and no infinities, so they are blanked before it runs and put back while
// it does:
//
//   before  [1, NaN, null, -Infinity]
//   after   [1, null, null, null]       and, by the order of the nulls, {NaN, null, -infinity}
struct Prepared {
  std::string text;
  std::vector<std::optional<double>> nulls;
};

// Nothing where the text has none of these words, which is the usual case.
std::optional<Prepared> BlankSpecialNumbers(std::string_view text) {
  if (text.find("NaN") == std::string_view::npos &&
      text.find("Infinity") == std::string_view::npos) {
    return std::nullopt;
  }
  using Limits = std::numeric_limits<double>;
  static constexpr std::pair<std::string_view, std::optional<double>> kWords[] = {
      {"null", std::nullopt},
      {"NaN", Limits::quiet_NaN()},
      {"Infinity", Limits::infinity()},
      {"-Infinity", -Limits::infinity()}};
  Prepared prepared;
  prepared.text.reserve(text.size());
  bool in_string = false;
  for (size_t at = 0; at < text.size();) {
    size_t length = 1;
    if (in_string) {
      if (text[at] == '\\') length = std::min<size_t>(2, text.size() - at);
      if (text[at] == '"') in_string = false;
    } else if (text[at] == '"') {
      in_string = true;
    } else {
      for (const auto& [word, value] : kWords) {
        if (!text.substr(at).starts_with(word)) continue;
        prepared.nulls.push_back(value);
        prepared.text += "null";
        at += word.size();
        length = 0;
        break;
      }
    }
    prepared.text += text.substr(at, length);
    at += length;
  }
  return prepared;
}

// Builds the value from the parser's events, without recursion.
class Handler final : public json::json_sax_t {
 public:
  explicit Handler(const std::vector<std::optional<double>>* nulls) : nulls_(nulls) {}

  json TakeValue() { return std::move(value_); }
  const std::string& problem() const { return problem_; }

  bool null() override {
    const size_t index = null_count_++;
    if (nulls_ != nullptr && index < nulls_->size() && (*nulls_)[index]) {
      return Add(json(*(*nulls_)[index]));
    }
    return Add(json(nullptr));
  }
  bool boolean(bool value) override { return Add(json(value)); }
  bool number_integer(number_integer_t value) override { return Add(json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Add(json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return Add(json(value)); }
  bool string(string_t& value) override { return Add(json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(json::object()); }
  bool start_array(size_t) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      problem_ = "an object has the key `" + name.substr(0, 100) + "` twice";
      return false;
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    problem_ = "it is no valid JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  json* Place(json value) {
    if (open_.empty()) {
      value_ = std::move(value);
      return &value_;
    }
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool Add(json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(json value) {
    if (open_.size() >= kMaxDepth) {
      problem_ = "it is nested more than " + std::to_string(kMaxDepth) + " deep";
      return false;
    }
    // The address stays valid: nothing is added to the parent while this is open.
    open_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const std::vector<std::optional<double>>* nulls_;
  json value_;
  std::vector<json*> open_;
  std::string key_;
  size_t null_count_ = 0;
  std::string problem_;
};

}  // namespace

Result<json> ParseJson(std::string_view text, const std::string& path) {
  const std::optional<Prepared> prepared = BlankSpecialNumbers(text);
  Handler handler(prepared ? &prepared->nulls : nullptr);
  const std::string_view source = prepared ? std::string_view(prepared->text) : text;
  if (!json::sax_parse(source.begin(), source.end(), &handler)) {
    return Fail(path, "archive-16", handler.problem(), "Save the model again with Keras.");
  }
  return handler.TakeValue();
}

}  // namespace keras_litert::archive
