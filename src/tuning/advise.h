// What to change in a quantized model next, with the gain measured.
#pragma once

#include <vector>

#include "keras_litert/report.h"
#include "tuning/run_recipe.h"

namespace keras_litert {

// Tries to give single layers another recipe than `report` says they have, one at a time, and
// measures what that changes. Uses the report's recipe, rules and operators. Errors: those of
// running; a layer that cannot have another recipe is left out.
Result<std::vector<Advice>> Advise(RecipeRunner& runner, const ConvertReport& report);

}  // namespace keras_litert
