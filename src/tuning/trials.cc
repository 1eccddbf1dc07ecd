#include "tuning/trials.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tuning/measure.h"
#include "util/cancelled.h"

namespace keras_litert {
namespace {

// Batches that tell a layer's noise.
constexpr size_t kFewBatches = 4;

// Over all outputs.
double TotalNoise(const std::vector<OutputError>& errors) {
  double noise = 0;
  for (const OutputError& error : errors) noise += NoiseOf(error.sqnr);
  return noise;
}

// "dynamic_int8, 2 float16, 1 float32"
std::string NameOf(const QuantizeOptions& options) {
  std::map<std::string, int> counts;
  for (const QuantizeRule& rule : options.rules) ++counts[rule.recipe];
  std::string name = options.recipe;
  for (const auto& [recipe, count] : counts) name += fmt::format(", {} {}", count, recipe);
  return name;
}

QuantizeOptions FloatModel() {
  QuantizeOptions options;
  options.recipe = kFloatRecipe;
  return options;
}

}  // namespace

Trials::Trials(RecipeRunner& runner, const QuantizeOptions& options)
    : runner_(runner), options_(options), search_(options.search) {}

Result<RecipeRunner::Outcome> Trials::Evaluate(
    const QuantizeOptions& recipe, size_t most_batches,
    const std::function<Status(const std::filesystem::path&)>& use) {
  const size_t runs = runner_.runs();
  if (search_.progress) search_.progress(runs, std::max(runs + 1, expected_runs_));
  return runner_.Run(recipe.recipe, WithTheCallers(recipe.rules), most_batches, use);
}

std::vector<QuantizeRule> Trials::WithTheCallers(std::vector<QuantizeRule> rules) const {
  rules.insert(rules.end(), options_.rules.begin(), options_.rules.end());
  return rules;
}

Status Trials::MeasureFloat(bool needs_metric) {
  if (needs_metric) {
    const auto ask = [&](const std::filesystem::path& file) -> Status {
      float_metric_ = search_.metric(file);
      return float_metric_ ? Status() : Cancelled();
    };
    KL_ASSIGN_OR_RETURN(const RecipeRunner::Outcome ignored, Evaluate(FloatModel(), 1, ask));
  }
  if (!options_.rules.empty()) {
    KL_ASSIGN_OR_RETURN(const RecipeRunner::Outcome outcome, Evaluate(FloatModel(), kFewBatches));
    background_ = TotalNoise(outcome.errors);
  }
  return {};
}

Result<size_t> Trials::Try(const QuantizeOptions& recipe) {
  Trial trial;
  trial.name = NameOf(recipe);
  trial.recipe = recipe.recipe;
  trial.rules = WithTheCallers(recipe.rules);
  const auto ask = [&](const std::filesystem::path& file) -> Status {
    if (!search_.metric) return {};
    const std::optional<double> metric = search_.metric(file);
    if (!metric) return Cancelled();
    trial.metric = *metric;
    return {};
  };
  Result<RecipeRunner::Outcome> outcome = Evaluate(recipe, kMostBatches, ask);
  if (!outcome) {
    const Diagnostic& first = outcome.error().diagnostics().front();
    // Weights that a recipe cannot hold are a reason against it, other failures are not.
    if (!first.code.starts_with("quantize-")) return std::unexpected(outcome.error());
    trial.failure = first.message;
    errors_.emplace_back();
    trials_.push_back(std::move(trial));
    return trials_.size() - 1;
  }
  trial.file_bytes = outcome->bytes;
  for (const OutputError& error : outcome->errors) {
    trial.sqnr = std::min(trial.sqnr, error.sqnr);
    trial.max_relative = std::max(trial.max_relative, error.max_relative);
  }
  if (recipe.rules.empty()) {
    if (recipe.recipe == kFloatRecipe && search_.metric) float_metric_ = trial.metric;
    reports_[recipe.recipe] = std::move(outcome->reports);
  }
  trial.fits = IsAccurate(trial) && IsSmall(trial);
  errors_.push_back(std::move(outcome->errors));
  trials_.push_back(std::move(trial));
  return trials_.size() - 1;
}

Result<double> Trials::NoiseAlone(QuantizeRule rule) {
  QuantizeOptions recipe;
  recipe.rules.push_back(std::move(rule));
  KL_ASSIGN_OR_RETURN(const RecipeRunner::Outcome outcome, Evaluate(recipe, kFewBatches));
  return std::max(0.0, TotalNoise(outcome.errors) - background_);
}

std::optional<size_t> Trials::FindUniform(const std::string& recipe) const {
  for (size_t i = 0; i < trials_.size(); ++i) {
    if (trials_[i].recipe == recipe && trials_[i].rules.size() == options_.rules.size()) return i;
  }
  return std::nullopt;
}

const std::vector<QuantizedOperator>* Trials::ReportOf(std::string_view recipe) const {
  const auto found = reports_.find(recipe);
  return found == reports_.end() ? nullptr : &found->second;
}

bool Trials::IsAccurate(const Trial& trial) const {
  if (!trial.failure.empty()) return false;
  if (search_.min_sqnr && !(trial.sqnr >= *search_.min_sqnr)) return false;
  if (!search_.max_loss) return true;
  if (!search_.metric) return trial.max_relative <= *search_.max_loss;
  return trial.metric >= float_metric_.value_or(trial.metric) - *search_.max_loss;
}

bool Trials::IsSmall(const Trial& trial) const {
  return trial.failure.empty() && (!search_.max_size || trial.file_bytes <= *search_.max_size);
}

double Trials::LossOf(const Trial& trial) const {
  return search_.metric ? -trial.metric : -trial.sqnr;
}

std::optional<size_t> Trials::Best() const {
  const auto rank = [&](size_t i) {
    const double bytes = static_cast<double>(trials_[i].file_bytes);
    const double loss = LossOf(i);
    return has_accuracy_budget() ? std::pair(bytes, loss) : std::pair(loss, bytes);
  };
  std::optional<size_t> best;
  for (size_t i = 0; i < trials_.size(); ++i) {
    if (trials_[i].fits && (!best || rank(i) < rank(*best))) best = i;
  }
  return best;
}

std::string Trials::Describe(const Trial& trial) const {
  std::string text =
      fmt::format("'{}' has {} bytes and {:.1f} dB", trial.name, trial.file_bytes, trial.sqnr);
  text += search_.metric ? fmt::format(", metric {:.6g}", trial.metric)
                         : fmt::format(", differs by {:.2g} of the range", trial.max_relative);
  return text;
}

Error Trials::NothingFits() const {
  const Trial* small = nullptr;     // the most accurate that is small enough
  const Trial* accurate = nullptr;  // the smallest that is accurate enough
  const Trial* smallest = nullptr;
  const Trial* exact = nullptr;
  for (const Trial& trial : trials_) {
    if (!trial.failure.empty()) continue;
    if (IsSmall(trial) && (small == nullptr || LossOf(trial) < LossOf(*small))) small = &trial;
    if (IsAccurate(trial) && (accurate == nullptr || trial.file_bytes < accurate->file_bytes)) {
      accurate = &trial;
    }
    if (smallest == nullptr || trial.file_bytes < smallest->file_bytes) smallest = &trial;
    if (exact == nullptr || LossOf(trial) < LossOf(*exact)) exact = &trial;
  }
  std::string found;
  if (small == nullptr && smallest != nullptr) {
    found = "the smallest that was found: " + Describe(*smallest);
  } else if (accurate == nullptr && exact != nullptr) {
    found = "the most accurate that was found: " + Describe(*exact);
  } else if (small != nullptr && accurate != nullptr) {
    found = fmt::format(
        "the most accurate that is small enough: {}; the smallest that is accurate enough: {}",
        Describe(*small), Describe(*accurate));
  }
  return Error(Diagnostic{"", "auto-1",
                          fmt::format("none of {} recipes that were tried keeps to the budget; {}",
                                      trials_.size(), found),
                          "Loosen the budget, or let the search choose from other recipes."});
}

}  // namespace keras_litert
