#include "quantize/recipe.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "util/near_match.h"

namespace keras_litert {
namespace {

constexpr QuantizeRecipe kRecipes[] = {
    {"float16", "", "weights stored as float16, half the size; computed in float32"},
    {"dynamic_wi8_afp32", "dynamic_int8",
     "weights int8 per channel, a quarter of the size; inputs of products quantized as they run"},
    {"weight_only_wi8_afp32", "weight_only_int8",
     "weights stored as int8 per channel, a quarter of the size; computed in float32"},
    {"static_wi8_ai8", "int8",
     "weights and activations int8, computed in integers; needs samples (calibration)"},
    {"static_wi8_ai16", "int16x8",
     "weights int8, activations int16, computed in integers; needs samples (calibration)"},
    {"dynamic_wi4_afp32", "int4",
     "weights of FULLY_CONNECTED and embeddings int4 per channel, an eighth; else dynamic_int8"},
    {"dynamic_wi4b32_afp32", "int4_block32",
     "the same, with a scale for each 32 weights: more exact, a little larger"},
    {"dynamic_wi4b64_afp32", "int4_block64", "the same, with a scale for each 64 weights"},
    {"dynamic_wi4b128_afp32", "int4_block128", "the same, with a scale for each 128 weights"},
};

constexpr std::string_view kRangeMethods[] = {"minmax", "moving_average", "percentile", "mse"};

}  // namespace

std::span<const QuantizeRecipe> QuantizeRecipes() {
  return kRecipes;
}

std::span<const std::string_view> RangeMethodNames() {
  return kRangeMethods;
}

namespace quantize {
namespace {

std::optional<Recipe> RecipeOf(std::string_view name) {
  if (name.empty() || name == kFloatRecipe) return Recipe::kFloat32;
  for (size_t i = 0; i < std::size(kRecipes); ++i) {
    if (name == kRecipes[i].name || (!kRecipes[i].alias.empty() && name == kRecipes[i].alias)) {
      return static_cast<Recipe>(i + 1);  // Recipe has the table's order, behind kFloat32.
    }
  }
  return std::nullopt;
}

Diagnostic UnknownRecipe(std::string_view name) {
  std::vector<std::string_view> known{kFloatRecipe};
  for (const QuantizeRecipe& recipe : kRecipes) {
    known.push_back(recipe.name);
    if (!recipe.alias.empty()) known.push_back(recipe.alias);
  }
  const std::optional<std::string> near = NearMatch(name, known);
  return {"", "quantize-1", fmt::format("unknown quantization recipe '{}'", name),
          near ? fmt::format("Did you mean '{}'?", *near)
               : fmt::format("Known are {}.", fmt::join(known, ", "))};
}

std::optional<Diagnostic> UnknownOperator(std::string_view name) {
  std::vector<std::string_view> known;
  for (const char* const* next = tflite::EnumNamesBuiltinOperator(); *next != nullptr; ++next) {
    if (**next != '\0') known.emplace_back(*next);
  }
  if (std::find(known.begin(), known.end(), name) != known.end()) return std::nullopt;
  const std::optional<std::string> near = NearMatch(name, known);
  return Diagnostic{"", "quantize-2", fmt::format("LiteRT has no operator '{}'", name),
                    near ? fmt::format("Did you mean '{}'?", *near)
                         : "Names are written as reports show them: FULLY_CONNECTED, CONV_2D."};
}

}  // namespace

std::string_view Name(Recipe recipe) {
  return recipe == Recipe::kFloat32 ? kFloatRecipe : kRecipes[static_cast<size_t>(recipe) - 1].name;
}

int BlockSize(Recipe recipe) {
  switch (recipe) {
    case Recipe::kDynamicInt4Blocks32:
      return 32;
    case Recipe::kDynamicInt4Blocks64:
      return 64;
    case Recipe::kDynamicInt4Blocks128:
      return 128;
    default:
      return 0;
  }
}

bool IsInt4(Recipe recipe) {
  return recipe == Recipe::kDynamicInt4 || BlockSize(recipe) != 0;
}

bool IsStatic(Recipe recipe) {
  return recipe == Recipe::kStaticInt8 || recipe == Recipe::kStaticInt16;
}

bool RecipeBook::needs_calibration() const {
  return IsStatic(base_) || std::any_of(rules_.begin(), rules_.end(),
                                        [](const Rule& rule) { return IsStatic(rule.recipe); });
}

bool RecipeBook::rounds_weights() const {
  const auto rounds = [](Recipe recipe) {
    return recipe != Recipe::kFloat32 && recipe != Recipe::kFloat16;
  };
  return rounds(base_) || std::any_of(rules_.begin(), rules_.end(),
                                      [&](const Rule& rule) { return rounds(rule.recipe); });
}

bool Matches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // the last `*` seen, and what it covers ends before `rest`
  size_t rest = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      rest = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++rest;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<RecipeBook> RecipeBook::Make(const QuantizeOptions& options) {
  RecipeBook book;
  std::vector<Diagnostic> errors;
  const auto read = [&](const std::string& name) {
    const std::optional<Recipe> recipe = RecipeOf(name);
    if (!recipe) errors.push_back(UnknownRecipe(name));
    return recipe.value_or(Recipe::kFloat32);
  };
  book.base_ = read(options.recipe);
  for (const QuantizeRule& rule : options.rules) {
    book.rules_.push_back({rule.layer, rule.op, read(rule.recipe)});
    if (rule.op.empty()) continue;
    if (auto error = UnknownOperator(rule.op)) errors.push_back(*std::move(error));
  }
  if (!errors.empty()) return std::unexpected(Error(std::move(errors)));
  return book;
}

Recipe RecipeBook::For(std::string_view layer, ir::BuiltinOperator op) {
  Recipe recipe = base_;
  for (Rule& rule : rules_) {
    if (!rule.op.empty() && rule.op != tflite::EnumNameBuiltinOperator(op)) continue;
    if (!rule.layer.empty() && !Matches(rule.layer, layer)) continue;
    rule.matched = true;
    recipe = rule.recipe;
  }
  return recipe;
}

std::vector<Diagnostic> RecipeBook::Unmatched(const std::vector<std::string>& layers) const {
  std::vector<Diagnostic> errors;
  const std::vector<std::string_view> known(layers.begin(), layers.end());
  for (const Rule& rule : rules_) {
    if (rule.matched) continue;
    std::string what = rule.layer.empty() ? "" : fmt::format("layer '{}'", rule.layer);
    if (!rule.op.empty()) what += fmt::format("{}operator {}", what.empty() ? "" : ", ", rule.op);
    const std::optional<std::string> near = NearMatch(rule.layer, known);
    errors.push_back({"", "quantize-3",
                      fmt::format("the rule for {} matches no operator with weights", what),
                      near ? fmt::format("Did you mean '{}'?", *near)
                           : "`keras-litert convert … --json` without the rule lists the layers."});
  }
  return errors;
}

}  // namespace quantize
}  // namespace keras_litert
