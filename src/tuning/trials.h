// What a search for a recipe tries: each recipe is run on the samples, judged by the caller's
// budget, and kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keras_litert/quantize.h"
#include "tuning/run_recipe.h"
#include "util/result.h"

namespace keras_litert {

class Trials {
 public:
  // The caller's rules hold in each trial, behind those that are tried. REQUIRES: both outlive
  // this.
  Trials(RecipeRunner& runner, const QuantizeOptions& options);

  // So many more runs are to come, as far as known: for the progress.
  void Expect(size_t runs) { expected_runs_ = runner_.runs() + runs; }

  // Runs the float model for what others are compared with: the noise of the caller's rules, and
  // the metric where `needs_metric` (the recipe float32 is not among those that are tried).
  Status MeasureFloat(bool needs_metric);

  // Runs a recipe, its rules before the caller's. Gives its number. A recipe that cannot hold the
  // model's weights is a trial with a failure; other errors end the search.
  Result<size_t> Try(const QuantizeOptions& recipe);

  // The noise that a rule alone adds to the float model, on a few batches: Σ(y − ŷ)² / Σy², summed
  // over the outputs, without that of the caller's rules. No trial.
  Result<double> NoiseAlone(QuantizeRule rule);

  const Trial& operator[](size_t i) const { return trials_[i]; }
  const std::vector<Trial>& all() const { return trials_; }
  const std::vector<OutputError>& errors(size_t i) const { return errors_[i]; }

  // The trial of this recipe for the whole model, under the name that the caller has for it.
  std::optional<size_t> FindUniform(const std::string& recipe) const;

  // What a recipe for the whole model made of each operator; null where it was not tried, or
  // failed.
  const std::vector<QuantizedOperator>* ReportOf(std::string_view recipe) const;

  // Whether the budget says anything of accuracy.
  bool has_accuracy_budget() const { return search_.min_sqnr || search_.max_loss; }
  bool IsAccurate(size_t i) const { return IsAccurate(trials_[i]); }
  bool IsSmall(size_t i) const { return IsSmall(trials_[i]); }
  // By the caller's metric, else by the worst output's SQNR; less is better.
  double LossOf(size_t i) const { return LossOf(trials_[i]); }

  // Of those within the budget: the smallest, or without a budget of accuracy the most accurate.
  std::optional<size_t> Best() const;

  // Error auto-1: which trials came closest.
  Error NothingFits() const;

 private:
  bool IsAccurate(const Trial& trial) const;
  bool IsSmall(const Trial& trial) const;
  double LossOf(const Trial& trial) const;
  std::string Describe(const Trial& trial) const;

  // `use` (may be empty) is given the file.
  Result<RecipeRunner::Outcome> Evaluate(
      const QuantizeOptions& recipe, size_t most_batches,
      const std::function<Status(const std::filesystem::path&)>& use = {});
  std::vector<QuantizeRule> WithTheCallers(std::vector<QuantizeRule> rules) const;

  RecipeRunner& runner_;
  const QuantizeOptions& options_;
  const AutoQuantize& search_;

  std::vector<Trial> trials_;
  std::vector<std::vector<OutputError>> errors_;  // of the trials
  std::map<std::string, std::vector<QuantizedOperator>, std::less<>> reports_;
  std::optional<double> float_metric_;
  double background_ = 0;  // noise of the caller's rules
  size_t expected_runs_ = 0;
};

}  // namespace keras_litert
