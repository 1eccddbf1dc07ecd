// The recipe "auto": searches a mixed recipe within a budget, measuring in LiteRT what it tries.
#pragma once

#include <string>
#include <vector>

#include "keras_litert/quantize.h"
#include "tuning/run_recipe.h"
#include "util/result.h"

namespace keras_litert {

// True where the options ask for a search.
bool IsAuto(const QuantizeOptions& options);

// What the options must be before any time is spent. Errors: auto-2 (no budget, or one that cannot
// be), quantize-1 … of the recipes. Gives whether the search needs ranges of activations.
Result<bool> CheckAuto(const QuantizeOptions& options);

struct Found {
  std::string recipe;
  std::vector<QuantizeRule> rules;  // the caller's behind those that were found
  std::vector<OutputError> errors;  // of the file with this recipe
  std::vector<Trial> trials;
};

// Fails (auto-1) with the best that was found where nothing keeps to the budget.
Result<Found> FindRecipe(RecipeRunner& runner, const QuantizeOptions& options);

}  // namespace keras_litert
