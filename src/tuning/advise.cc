#include "tuning/advise.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "tuning/measure.h"

namespace keras_litert {
namespace {

constexpr std::string_view kHalf = "float16";
// Layers that are tried, of each kind of advice, and how many pieces of advice are given of it.
constexpr size_t kMostTried = 10;
constexpr size_t kMostGiven = 5;
// Less than this is none: dB, and of the file.
constexpr double kLeastGain = 0.1;
constexpr double kLeastSaving = 0.01;
// What a smaller form of a layer may cost.
constexpr double kMostLoss = 1;

// A layer's operators of one kind.
struct Layer {
  std::string name;
  std::string op;
  std::string recipe;        // of its operator with most weights
  int64_t most_bytes = -1;   // of that
  int64_t bytes_before = 0;  // of all
  int64_t bytes_after = 0;
  double added_noise = 0;  // at its results, relative to them
};

// In the order of execution. What a layer adds to the noise is taken from that of the
// operator before it, which is exact in a chain and a guess beside branches: it only says what is
// tried first.
std::vector<Layer> LayersOf(const std::vector<QuantizedOperator>& operators) {
  std::vector<Layer> layers;
  std::map<std::pair<std::string, std::string>, size_t> known;
  std::map<std::string, std::set<std::string>> kinds;
  for (const QuantizedOperator& op : operators) kinds[op.layer].insert(op.op);
  double before = 0;
  for (const QuantizedOperator& op : operators) {
    const double noise = NoiseOf(op.output_sqnr);
    if (!op.layer.empty()) {
      const auto [found, added] = known.try_emplace({op.layer, op.op}, layers.size());
      const std::string kind = kinds[op.layer].size() > 1 ? op.op : "";
      if (added) layers.push_back({op.layer, kind, "", -1, 0, 0, 0});
      Layer& layer = layers[found->second];
      if (op.bytes_before > layer.most_bytes) {
        layer.most_bytes = op.bytes_before;
        layer.recipe = op.recipe;
      }
      layer.bytes_before += op.bytes_before;
      layer.bytes_after += op.bytes_after;
      layer.added_noise += std::max(0.0, noise - before);
      // Where nothing was measured, in loops: that of its weights.
      if (std::isnan(op.output_sqnr) && op.recipe != kFloatRecipe) {
        layer.added_noise += NoiseOf(op.weights_sqnr);
      }
    }
    before = noise;
  }
  return layers;
}

// The next more exact recipe; empty: none.
std::string Better(const Layer& layer) {
  if (layer.recipe == kFloatRecipe) return "";
  // A few numbers are not worth another dtype.
  constexpr int64_t kFew = 4096;
  if (layer.recipe == kHalf || layer.bytes_before < kFew) return std::string(kFloatRecipe);
  if (layer.recipe.find("wi4") != std::string::npos) return "dynamic_int8";
  return std::string(kHalf);
}

}  // namespace

Result<std::vector<Advice>> Advise(RecipeRunner& runner, const ConvertReport& report) {
  const double ratio = WorstRatio(report.output_errors);
  std::vector<Layer> layers = LayersOf(report.quantized);

  // The change that a layer's recipe alone makes.
  const auto measure = [&](const Layer& layer, std::string recipe) -> Result<Advice> {
    std::vector<QuantizeRule> rules = report.rules;
    rules.push_back({layer.name, layer.op, recipe});
    KL_ASSIGN_OR_RETURN(const RecipeRunner::Outcome outcome,
                        runner.Run(report.recipe, rules, kMostBatches));
    const double then = WorstRatio(outcome.errors);
    const double gain =
        std::isfinite(ratio) ? then - ratio : std::numeric_limits<double>::quiet_NaN();
    return Advice{layer.name,
                  layer.op,
                  layer.recipe,
                  std::move(recipe),
                  gain,
                  then,
                  outcome.bytes - report.file_bytes};
  };
  const auto collect = [&](auto&& recipe_for, auto&& is_good) -> Result<std::vector<Advice>> {
    std::vector<Advice> advice;
    size_t tried = 0;
    for (const Layer& layer : layers) {
      std::string recipe = recipe_for(layer);
      if (recipe.empty()) continue;
      if (++tried > kMostTried) break;
      Result<Advice> one = measure(layer, std::move(recipe));
      if (!one) {
        if (one.error().diagnostics().front().code.starts_with("quantize-")) continue;
        return std::unexpected(one.error());
      }
      if (is_good(*one)) advice.push_back(*std::move(one));
    }
    return advice;
  };

  std::vector<Advice> all;
  if (std::isfinite(ratio)) {
    std::stable_sort(layers.begin(), layers.end(),
                     [](const Layer& a, const Layer& b) { return a.added_noise > b.added_noise; });
    KL_ASSIGN_OR_RETURN(all, collect(Better, [](const Advice& a) { return a.gain >= kLeastGain; }));
    std::stable_sort(all.begin(), all.end(),
                     [](const Advice& a, const Advice& b) { return a.gain > b.gain; });
    if (all.size() > kMostGiven) all.resize(kMostGiven);
  }

  // Layers of many bytes that lose little as int8.
  std::stable_sort(layers.begin(), layers.end(),
                   [](const Layer& a, const Layer& b) { return a.bytes_after > b.bytes_after; });
  const auto least = static_cast<int64_t>(kLeastSaving * static_cast<double>(report.file_bytes));
  KL_ASSIGN_OR_RETURN(
      std::vector<Advice> smaller,
      collect(
          [&](const Layer& layer) -> std::string {
            const bool wide = layer.recipe == kFloatRecipe || layer.recipe == kHalf;
            return wide && layer.bytes_after > least ? "dynamic_int8" : "";
          },
          [&](const Advice& a) { return !(a.gain < -kMostLoss) && -a.bytes >= least; }));
  std::stable_sort(smaller.begin(), smaller.end(),
                   [](const Advice& a, const Advice& b) { return a.bytes < b.bytes; });
  if (smaller.size() > kMostGiven) smaller.resize(kMostGiven);
  std::move(smaller.begin(), smaller.end(), std::back_inserter(all));
  return all;
}

}  // namespace keras_litert
