// In four steps:
//
//   1. Each recipe for the whole model: what it makes of each layer, in bytes.
//   2. Each layer's noise alone: the float model with that layer quantized, on some samples.
//   3. The combinations of all layers' choices that none is predicted to beat in both bytes and
//      noise (quantize/search.h). The first of them that keeps to the budget is found by bisection,
//      each step measured; then some smaller ones are measured that are predicted to be little
//      worse.
//   4. From the smallest file that was accurate, single layers are made smaller again.
//
// What is found is the best of all that was measured.
#include "tuning/auto_quantize.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "quantize/quantize.h"
#include "quantize/search.h"
#include "tuning/measure.h"
#include "tuning/trials.h"

namespace keras_litert {
namespace {

using quantize::Choice;
using quantize::Combination;
using quantize::Part;

// Layers whose noise is measured, those of most bytes first; that of others is estimated.
constexpr size_t kMostParts = 96;
// Files that are tried in each of the steps after the bisection.
constexpr size_t kMostTrims = 8;
// Of the layers' choices that bisection looks at: 9 runs.
constexpr size_t kMostCombinations = 500;
// What the third and the fourth step run, about: for the progress.
constexpr size_t kRunsOfDescent = 24;
// What DEQUANTIZE and QUANTIZE around a float operator among integers cost in a file.
constexpr int64_t kBorderBytes = 300;

Result<bool> IsCalibrated(const std::string& recipe) {
  QuantizeOptions options;
  options.recipe = recipe;
  return quantize::NeedsCalibration(options);
}

std::vector<std::string> RecipesOf(const AutoQuantize& search) {
  return search.recipes.empty() ? AutoRecipes() : search.recipes;
}

class Search {
 public:
  Search(RecipeRunner& runner, const QuantizeOptions& options)
      : search_(options.search), trials_(runner, options) {}

  Result<Found> Run() {
    KL_RETURN_IF_ERROR(TryUniform());
    KL_RETURN_IF_ERROR(SearchWeights());
    for (const std::string& recipe : calibrated_) {
      if (trials_.ReportOf(recipe) == nullptr || !IsWorthwhile(recipe)) continue;
      KL_RETURN_IF_ERROR(SearchIntegers(recipe));
    }
    const std::optional<size_t> best = trials_.Best();
    if (!best) return std::unexpected(trials_.NothingFits());
    const Trial& trial = trials_[*best];
    return Found{trial.recipe, trial.rules, trials_.errors(*best), trials_.all()};
  }

 private:
  // The trial of each part's choice.
  using TrialOf = std::function<Result<size_t>(const std::vector<size_t>&)>;

  // ---- 1. Each recipe for the whole model ----

  Status TryUniform() {
    std::vector<std::string> names = RecipesOf(search_);
    // The float file is what a metric is compared with.
    const bool is_tried = std::find(names.begin(), names.end(), kFloatRecipe) != names.end();
    KL_RETURN_IF_ERROR(trials_.MeasureFloat(search_.metric && !is_tried));
    std::stable_partition(names.begin(), names.end(),
                          [](const std::string& name) { return name == kFloatRecipe; });
    trials_.Expect(names.size());
    for (const std::string& name : names) {
      KL_ASSIGN_OR_RETURN(const bool calibrated, IsCalibrated(name));
      QuantizeOptions recipe;
      recipe.recipe = name;
      KL_ASSIGN_OR_RETURN(const size_t trial, trials_.Try(recipe));
      if (!trials_[trial].failure.empty()) continue;
      (calibrated ? calibrated_ : stored_).push_back(name);
    }
    return {};
  }

  // ---- Recipes of weights: a part is a layer's operators of one kind ----

  Status SearchWeights() {
    std::map<std::pair<std::string, std::string>, size_t> known;
    std::vector<Part> parts;
    std::map<std::pair<size_t, std::string>, double> weights_noise;
    for (const std::string& recipe : stored_) {
      std::map<size_t, Choice> choices;
      std::map<size_t, double> noise;
      for (const QuantizedOperator& op : *trials_.ReportOf(recipe)) {
        // What no recipe stores in fewer bytes has no choice.
        if (op.bytes_before == 0 || op.recipe == kFloatRecipe) continue;
        const auto [found, added] = known.try_emplace({op.layer, op.op}, parts.size());
        if (added) parts.push_back({op.layer, op.op, {}});
        Choice& choice = choices[found->second];
        // Where the recipe could not be had, the part is named by what it got.
        const std::string got = Listed(op.recipe);
        choice.recipe = choice.recipe.empty() || choice.recipe == got ? got : recipe;
        choice.bytes += op.bytes_after;
        noise[found->second] = std::max(noise[found->second], NoiseOf(op.weights_sqnr));
      }
      for (auto& [part, choice] : choices) {
        if (!weights_noise.try_emplace({part, choice.recipe}, noise[part]).second) continue;
        parts[part].choices.push_back(std::move(choice));
      }
    }
    if (tries_float()) {
      // Its report has no entries: nothing was asked for.
      for (const auto& [key, part] : known) {
        const Part& other = parts[part];
        int64_t bytes = 0;
        for (const std::string& recipe : stored_) {
          for (const QuantizedOperator& op : *trials_.ReportOf(recipe)) {
            if (op.layer == other.layer && op.op == other.op) bytes += op.bytes_before;
          }
          if (bytes > 0) break;
        }
        parts[part].choices.push_back({std::string(kFloatRecipe), bytes, 0});
      }
    }
    if (parts.empty()) return {};
    KL_RETURN_IF_ERROR(MeasureNoise(parts, weights_noise));
    for (const Part& part : parts) {
      for (const Choice& choice : part.choices) {
        stored_choices_[part.layer].push_back({part.op, choice});
      }
    }
    return Descend(std::move(parts), "");
  }

  // A recipe's name as the caller has it, else its alias.
  std::string Listed(const std::string& name) const {
    for (const QuantizeRecipe& recipe : QuantizeRecipes()) {
      if (name != recipe.name) continue;
      if (std::find(stored_.begin(), stored_.end(), name) != stored_.end()) return name;
      return std::string(recipe.alias.empty() ? recipe.name : recipe.alias);
    }
    return name;
  }

  // Fills in the choices' noise: each alone on the float model. One that has much less noise in its
  // weights than another that was measured is estimated from it: noise of weights passes on
  // linearly.
  Status MeasureNoise(std::vector<Part>& parts,
                      const std::map<std::pair<size_t, std::string>, double>& weights_noise) {
    std::vector<size_t> order(parts.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto bytes = [&](size_t i) {
      int64_t most = 0;
      for (const Choice& choice : parts[i].choices) most = std::max(most, choice.bytes);
      return most;
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return bytes(a) > bytes(b); });
    trials_.Expect(std::min(order.size(), kMostParts) + kRunsOfDescent);
    double worst_ratio = 1;  // of noise in the output to noise in the weights
    for (size_t n = 0; n < order.size(); ++n) {
      const size_t i = order[n];
      std::optional<double> ratio;
      std::vector<Choice*> noisy;
      for (Choice& choice : parts[i].choices) {
        const auto found = weights_noise.find({i, choice.recipe});
        if (found != weights_noise.end() && found->second > 0) noisy.push_back(&choice);
      }
      std::stable_sort(noisy.begin(), noisy.end(), [&](const Choice* a, const Choice* b) {
        return weights_noise.at({i, a->recipe}) > weights_noise.at({i, b->recipe});
      });
      for (Choice* choice : noisy) {
        const double stored = weights_noise.at({i, choice->recipe});
        constexpr double kMuchLess = 1e-2;
        const bool measured = n < kMostParts;
        const double first = weights_noise.at({i, noisy.front()->recipe});
        if (measured && (choice == noisy.front() || stored > first * kMuchLess)) {
          KL_ASSIGN_OR_RETURN(choice->noise,
                              trials_.NoiseAlone({parts[i].layer, parts[i].op, choice->recipe}));
          ratio = std::max(ratio.value_or(0), choice->noise / stored);
          worst_ratio = std::max(worst_ratio, *ratio);
        } else {
          choice->noise = stored * ratio.value_or(worst_ratio);
        }
      }
    }
    return {};
  }

  // ---- Recipes that compute in integers: a part is a layer ----

  // A caller who names the recipes may want integers for speed; else a search whose smallest file
  // is larger than what was found finds nothing.
  bool IsWorthwhile(const std::string& recipe) const {
    const std::optional<size_t> best = trials_.Best();
    if (!best || !search_.recipes.empty() || !trials_.has_accuracy_budget()) return true;
    const std::optional<size_t> uniform = trials_.FindUniform(recipe);
    return uniform && trials_[*uniform].file_bytes < trials_[*best].file_bytes;
  }

  Status SearchIntegers(const std::string& base) {
    std::vector<Part> parts;
    std::map<std::string, size_t> known;
    for (const QuantizedOperator& op : *trials_.ReportOf(base)) {
      // A rule for a layer without a name would be one for all layers.
      if (op.layer.empty() || op.recipe == kFloatRecipe) continue;
      const auto [found, added] = known.try_emplace(op.layer, parts.size());
      if (added) parts.push_back({op.layer, "", {{base, 0, 0}}});
      parts[found->second].choices[0].bytes += op.bytes_after;
    }
    trials_.Expect(parts.size() + kRunsOfDescent);
    for (size_t i = 0; i < parts.size(); ++i) {
      Part& part = parts[i];
      if (i < kMostParts) {
        KL_ASSIGN_OR_RETURN(part.choices[0].noise, trials_.NoiseAlone({part.layer, "", base}));
      }
      std::map<std::string, Choice> others;
      for (const auto& [op, choice] : stored_choices_[part.layer]) {
        Choice& sum = others[choice.recipe];
        sum.recipe = choice.recipe;
        sum.bytes += choice.bytes;
        sum.noise += choice.noise;
      }
      if (tries_float() && others.empty()) {
        others[std::string(kFloatRecipe)] = {std::string(kFloatRecipe), part.choices[0].bytes, 0};
      }
      for (auto& [recipe, choice] : others) {
        choice.bytes += kBorderBytes;
        part.choices.push_back(std::move(choice));
      }
    }
    if (parts.empty()) return {};
    return Descend(std::move(parts), base);
  }

  // ---- 3. and 4. ----

  Status Descend(std::vector<Part> parts, const std::string& base) {
    const std::vector<Combination> front = quantize::ParetoFront(parts, kMostCombinations);
    std::map<std::vector<size_t>, size_t> tried;
    const TrialOf trial_of = [&](const std::vector<size_t>& choices) -> Result<size_t> {
      const auto known = tried.find(choices);
      if (known != tried.end()) return known->second;
      const QuantizeOptions recipe = quantize::MakeRecipe(parts, choices, base);
      // A recipe for the whole model may have been tried under its name.
      std::optional<size_t> trial;
      if (recipe.rules.empty()) trial = trials_.FindUniform(recipe.recipe);
      if (!trial) {
        KL_ASSIGN_OR_RETURN(trial, trials_.Try(recipe));
      }
      return tried[choices] = *trial;
    };
    // With a budget of accuracy: the first that is accurate. Without: the last that is small, which
    // is the one before the first that is not.
    const auto is_far_enough = [&](size_t i) -> Result<bool> {
      KL_ASSIGN_OR_RETURN(const size_t trial, trial_of(front[i].choices));
      return trials_.has_accuracy_budget() ? trials_.IsAccurate(trial) : !trials_.IsSmall(trial);
    };
    size_t low = 0;
    size_t high = front.size();  // taken as far enough, whether it is or not
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      KL_ASSIGN_OR_RETURN(const bool enough, is_far_enough(middle));
      if (enough) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    if (!trials_.has_accuracy_budget()) {
      return low == 0 ? Status() : GoOn(parts, front[low - 1].choices, trial_of);
    }
    if (low == front.size()) return {};
    KL_RETURN_IF_ERROR(TrySmaller(front, low, trial_of));
    // The smallest that is accurate, of whatever was tried.
    const auto size = [&](const auto& one) {
      return trials_.IsAccurate(one.second) ? trials_[one.second].file_bytes
                                            : std::numeric_limits<int64_t>::max();
    };
    const auto best =
        std::min_element(tried.begin(), tried.end(),
                         [&](const auto& a, const auto& b) { return size(a) < size(b); });
    return TakeBack(parts, best->first, trial_of);
  }

  // Predictions are not exact, and the noise that is measured does not fall with each of them. So
  // there may be accurate files that are smaller than the first that bisection finds: looks at some
  // that are predicted to have more noise, but not much more.
  Status TrySmaller(const std::vector<Combination>& front, size_t accurate,
                    const TrialOf& trial_of) {
    constexpr double kMuchMore = 4;
    const double most = front[accurate].noise * kMuchMore;
    size_t first = accurate;
    while (first > 0 && front[first - 1].noise <= most) --first;
    const size_t count = std::min(accurate - first, kMostTrims);
    for (size_t i = 0; i < count; ++i) {
      const size_t at = first + i * (accurate - first) / count;
      KL_ASSIGN_OR_RETURN(const size_t trial, trial_of(front[at].choices));
      // What follows is larger.
      if (trials_.IsAccurate(trial)) break;
    }
    return {};
  }

  // Gives single parts smaller choices as long as that is accurate: those first that save most
  // bytes for the noise they are predicted to add.
  Status TakeBack(const std::vector<Part>& parts, std::vector<size_t> choices,
                  const TrialOf& trial_of) {
    double noise = 0;  // of all parts, as predicted
    for (size_t i = 0; i < parts.size(); ++i) noise += parts[i].choices[choices[i]].noise;
    std::set<std::pair<size_t, size_t>> failed;  // parts and their choices
    for (size_t tries = 0; tries < kMostTrims; ++tries) {
      std::optional<std::pair<size_t, size_t>> next;
      double most = 0;
      for (size_t part = 0; part < parts.size(); ++part) {
        const std::vector<Choice>& all = parts[part].choices;
        const Choice& now = all[choices[part]];
        for (size_t i = 0; i < choices[part]; ++i) {
          if (failed.contains({part, i})) continue;
          const double gain =
              static_cast<double>(now.bytes - all[i].bytes) / (all[i].noise - now.noise + noise);
          if (gain <= most) continue;
          most = gain;
          next = {part, i};
        }
      }
      if (!next) break;
      const auto [part, choice] = *next;
      std::vector<size_t> smaller = choices;
      smaller[part] = choice;
      KL_ASSIGN_OR_RETURN(const size_t trial, trial_of(smaller));
      if (trials_.IsAccurate(trial)) {
        choices = std::move(smaller);
      } else {
        failed.insert(*next);
      }
    }
    return {};
  }

  // Gives single parts larger choices as long as there is room and it gains: those first that are
  // predicted to save most noise for their bytes.
  Status GoOn(const std::vector<Part>& parts, std::vector<size_t> choices,
              const TrialOf& trial_of) {
    KL_ASSIGN_OR_RETURN(size_t now, trial_of(choices));
    std::set<std::pair<size_t, size_t>> failed;  // parts and their choices
    for (size_t tries = 0; tries < kMostTrims; ++tries) {
      std::optional<std::pair<size_t, size_t>> next;
      double most = 0;
      for (size_t part = 0; part < parts.size(); ++part) {
        const std::vector<Choice>& all = parts[part].choices;
        for (size_t i = choices[part] + 1; i < all.size(); ++i) {
          const int64_t more = all[i].bytes - all[choices[part]].bytes;
          const double gain = (all[choices[part]].noise - all[i].noise) / static_cast<double>(more);
          if (failed.contains({part, i}) || gain <= most ||
              trials_[now].file_bytes + more > *search_.max_size) {
            continue;
          }
          most = gain;
          next = {part, i};
        }
      }
      if (!next) break;
      const auto [part, choice] = *next;
      std::vector<size_t> larger = choices;
      larger[part] = choice;
      KL_ASSIGN_OR_RETURN(const size_t trial, trial_of(larger));
      if (trials_.IsSmall(trial) && trials_.LossOf(trial) < trials_.LossOf(now)) {
        choices = std::move(larger);
        now = trial;
      } else {
        failed.insert(*next);
      }
    }
    return {};
  }

  // Whether layers may stay float32.
  bool tries_float() const { return trials_.ReportOf(kFloatRecipe) != nullptr; }

  const AutoQuantize& search_;
  Trials trials_;
  std::vector<std::string> stored_;      // recipes of weights, in the caller's order
  std::vector<std::string> calibrated_;  // recipes of activations
  // What SearchWeights() found, by layer: an operator's choices.
  std::map<std::string, std::vector<std::pair<std::string, Choice>>> stored_choices_;
};

}  // namespace

std::vector<std::string> AutoRecipes() {
  std::vector<std::string> names;
  // The smallest first; those that this build has.
  for (const std::string_view name : {"int4", "dynamic_int8", "int8", "float16"}) {
    const auto known = QuantizeRecipes();
    if (std::any_of(known.begin(), known.end(), [&](const QuantizeRecipe& recipe) {
          return recipe.name == name || recipe.alias == name;
        })) {
      names.emplace_back(name);
    }
  }
  names.emplace_back(kFloatRecipe);
  return names;
}

bool IsAuto(const QuantizeOptions& options) {
  return options.recipe == kAuto;
}

Result<bool> CheckAuto(const QuantizeOptions& options) {
  const AutoQuantize& search = options.search;
  const char* budgets =
      "Give --min-sqnr, --max-loss or --max-size (in Python min_sqnr=, max_loss=, max_size=).";
  if (!search.min_sqnr && !search.max_loss && !search.max_size) {
    return Fail("", "auto-2", "the recipe 'auto' needs a budget to search in", budgets);
  }
  const auto is_integer = [](const std::string& type) {
    return !type.empty() && type != kFloatRecipe;
  };
  if (is_integer(options.input_type) || is_integer(options.output_type)) {
    return Fail("", "auto-2", "the recipe 'auto' keeps inputs and outputs float32",
                "Save the recipe that it finds, and convert with that and the types.");
  }
  bool calibrated = false;
  for (const std::string& recipe : RecipesOf(search)) {
    KL_ASSIGN_OR_RETURN(const bool its, IsCalibrated(recipe));
    calibrated |= its;
  }
  QuantizeOptions rules;
  rules.rules = options.rules;
  KL_ASSIGN_OR_RETURN(const bool its, quantize::NeedsCalibration(rules));
  return calibrated || its;
}

Result<Found> FindRecipe(RecipeRunner& runner, const QuantizeOptions& options) {
  return Search(runner, options).Run();
}

}  // namespace keras_litert
