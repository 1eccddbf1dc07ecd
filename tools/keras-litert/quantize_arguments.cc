// Recipe files are as RecipeFile (src/tuning/recipe_file.h) writes them; every key but a rule's
// recipe may be absent.
#include "quantize_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "util/near_match.h"

namespace keras_litert::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* kFileForm =
    R"(For example {"recipe": "dynamic_int8", "rules": [{"layer": "head/*", "recipe": "float16"}]}.)";

// Reads the members of a JSON object into strings; other members than those are errors.
class Members {
 public:
  Members(const Json& object, std::string where, std::vector<Diagnostic>& errors)
      : object_(object), where_(std::move(where)), errors_(errors) {
    if (!object.is_object()) Report("is no JSON object", kFileForm);
  }

  std::string String(std::string_view name) {
    const Json* value = Find(name);
    if (value == nullptr) return "";
    if (!value->is_string()) {
      Report(fmt::format("the value of \"{}\" is no string", name), kFileForm);
      return "";
    }
    return value->get<std::string>();
  }

  const Json* Find(std::string_view name) {
    known_.push_back(name);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  // Reports members that nobody asked for.
  void Finish() {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const std::optional<std::string> near = NearMatch(key, known_);
      Report(fmt::format("unknown key \"{}\"", key),
             near ? fmt::format("Did you mean \"{}\"?", *near)
                  : fmt::format("Known keys are {}.", fmt::join(known_, ", ")));
    }
  }

  void Report(std::string message, std::string hint) {
    errors_.push_back({where_, "quantize-6", std::move(message), std::move(hint)});
  }

 private:
  const Json& object_;
  std::string where_;
  std::vector<Diagnostic>& errors_;
  std::vector<std::string_view> known_;
};

Result<QuantizeOptions> ReadFile(const std::string& path, std::string& method) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) {
    return Fail(path, "file-1", "the recipe file cannot be read",
                "Check the path and the file's permissions.");
  }
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Fail(path, "quantize-6", "the file is no JSON", kFileForm);

  QuantizeOptions options;
  std::vector<Diagnostic> errors;
  Members members(json, path, errors);
  options.recipe = members.String("recipe");
  method = members.String("method");
  if (const Json* rules = members.Find("rules")) {
    if (!rules->is_array()) members.Report("the value of \"rules\" is no list", kFileForm);
    for (size_t i = 0; rules->is_array() && i < rules->size(); ++i) {
      Members rule((*rules)[i], fmt::format("{}: rule {}", path, i + 1), errors);
      QuantizeRule read{rule.String("layer"), rule.String("op"), rule.String("recipe")};
      rule.Finish();
      if (read.recipe.empty()) rule.Report("the rule names no recipe", kFileForm);
      options.rules.push_back(std::move(read));
    }
  }
  members.Finish();
  if (!errors.empty()) return std::unexpected(Error(std::move(errors)));
  return options;
}

Result<RangeMethod> ReadMethod(const std::string& name) {
  const std::span<const std::string_view> methods = RangeMethodNames();
  const auto method = std::find(methods.begin(), methods.end(), name);
  if (name.empty()) return RangeMethod::kMinMax;
  if (method != methods.end()) return static_cast<RangeMethod>(method - methods.begin());
  const std::vector<std::string_view> known(methods.begin(), methods.end());
  const std::optional<std::string> near = NearMatch(name, known);
  return Fail("keras-litert convert", "usage-12",
              "the calibration method `" + name + "` is not known",
              near ? "Did you mean `" + *near + "`?"
                   : fmt::format("Known are {}.", fmt::join(methods, ", ")));
}

// "LAYER=RECIPE", "@OPERATOR=RECIPE" or "LAYER@OPERATOR=RECIPE".
Result<QuantizeRule> ParseRule(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return Fail("keras-litert convert", "usage-11",
                "--quantize-rule `" + text + "` has not the form LAYER=RECIPE",
                "For example `--quantize-rule 'head/*=float16'`, or `--quantize-rule "
                "@CONV_2D=float32` for an operator.");
  }
  const size_t at = text.substr(0, equals).rfind('@');
  QuantizeRule rule;
  rule.layer = text.substr(0, std::min(at, equals));
  if (at != std::string::npos) rule.op = text.substr(at + 1, equals - at - 1);
  rule.recipe = text.substr(equals + 1);
  return rule;
}

// A number of at least 0, for people: "50", "0.01".
Result<double> ParseNumber(const std::string& option, const std::string& text,
                           const std::string& example) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
      value >= 0) {
    return value;
  }
  return Fail("keras-litert convert", "usage-3",
              fmt::format("{} `{}` is no number of 0 or more", option, text),
              fmt::format("For example `{} {}`.", option, example));
}

// "250000", "250kB", "1.5MB"
Result<int64_t> ParseSize(const std::string& text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}};
  std::string number = text;
  double unit = 1;
  for (const auto& [name, bytes] : kUnits) {
    if (!number.ends_with(name)) continue;
    number.resize(number.size() - name.size());
    unit = bytes;
    break;
  }
  while (number.ends_with(' ')) number.pop_back();
  Result<double> value = ParseNumber("--max-size", number, "250kB");
  if (!value || *value * unit >= 1e18) {
    return Fail("keras-litert convert", "usage-3", "--max-size `" + text + "` is no size",
                "For example `--max-size 250kB`, or `1.5MB`, or bytes.");
  }
  return static_cast<int64_t>(*value * unit);
}

// "HEIGHTxWIDTH" and "LOW:HIGH".
Status ReadImageFormat(const QuantizeArguments& arguments, ImageFormat& format) {
  const auto parse = [](std::string_view text, auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  const std::string_view size = arguments.image_size;
  const size_t times = size.find('x');
  constexpr int64_t kMost = 1 << 14;
  if (!size.empty() &&
      (times == std::string_view::npos || !parse(size.substr(0, times), format.height) ||
       !parse(size.substr(times + 1), format.width) || format.height < 1 || format.width < 1 ||
       format.height > kMost || format.width > kMost)) {
    return Fail("keras-litert convert", "usage-3",
                fmt::format("--image-size `{}` has not the form HEIGHTxWIDTH", size),
                "For example `--image-size 224x224`.");
  }
  const std::string_view scale = arguments.image_scale;
  const size_t colon = scale.find(':');
  if (!scale.empty() &&
      (colon == std::string_view::npos || !parse(scale.substr(0, colon), format.low) ||
       !parse(scale.substr(colon + 1), format.high) || !(format.low < format.high) ||
       !std::isfinite(format.high - format.low))) {
    return Fail("keras-litert convert", "usage-3",
                fmt::format("--image-scale `{}` has not the form LOW:HIGH", scale),
                "What black and white become: `--image-scale=0:255`, `=0:1` or `=-1:1`.");
  }
  return {};
}

Status ReadSearch(const QuantizeArguments& arguments, QuantizeOptions& options) {
  AutoQuantize& search = options.search;
  if (!arguments.min_sqnr.empty()) {
    KL_ASSIGN_OR_RETURN(search.min_sqnr, ParseNumber("--min-sqnr", arguments.min_sqnr, "40"));
  }
  if (!arguments.max_loss.empty()) {
    KL_ASSIGN_OR_RETURN(search.max_loss, ParseNumber("--max-loss", arguments.max_loss, "0.01"));
  }
  if (!arguments.max_size.empty()) {
    KL_ASSIGN_OR_RETURN(search.max_size, ParseSize(arguments.max_size));
  }
  search.recipes = arguments.auto_recipes;
  const bool has_budget = search.min_sqnr || search.max_loss || search.max_size;
  if (options.recipe == kAuto || (!has_budget && search.recipes.empty())) return {};
  return Fail("keras-litert convert", "usage-13",
              "--min-sqnr, --max-loss, --max-size and --auto-recipe are of the recipe `auto`",
              "Write `--quantize auto`, too.");
}

}  // namespace

Result<QuantizeOptions> ReadQuantizeOptions(const QuantizeArguments& arguments) {
  QuantizeOptions options;
  std::string method;
  if (!arguments.file.empty()) {
    KL_ASSIGN_OR_RETURN(options, ReadFile(arguments.file, method));
  }
  if (!arguments.recipe.empty()) options.recipe = arguments.recipe;
  for (const std::string& text : arguments.rules) {
    KL_ASSIGN_OR_RETURN(QuantizeRule rule, ParseRule(text));
    options.rules.push_back(std::move(rule));
  }
  options.calibrate.file = arguments.samples;
  KL_RETURN_IF_ERROR(ReadImageFormat(arguments, options.calibrate.images));
  options.calibrate.runtime = arguments.runtime;
  options.input_type = arguments.input_type;
  options.output_type = arguments.output_type;
  KL_ASSIGN_OR_RETURN(options.calibrate.method,
                      ReadMethod(arguments.method.empty() ? method : arguments.method));
  KL_RETURN_IF_ERROR(ReadSearch(arguments, options));
  options.advise = arguments.advise;
  return options;
}

std::vector<std::string> RecipeNames() {
  std::vector<std::string> names;
  for (const QuantizeRecipe& recipe : QuantizeRecipes()) {
    names.emplace_back(recipe.name);
    if (!recipe.alias.empty()) names.emplace_back(recipe.alias);
  }
  names.emplace_back(kAuto);
  return names;
}

}  // namespace keras_litert::cli
