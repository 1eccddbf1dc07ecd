// The recipe "auto": searches a mixed recipe within a budget, measuring in LiteRT what it tries.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "calibrate.h"
#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/affine.h"
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

// `module` is the float model, as the passes left it. Files are written beside `output` and taken
// away again. Fails (auto-1) with the best that was found where nothing keeps to the budget.
Result<Found> FindRecipe(const ir::Module& module, const QuantizeOptions& options,
                         const quantize::Ranges& ranges, const Batches& batches,
                         const std::filesystem::path& output,
                         const std::function<bool()>& cancelled);

}  // namespace keras_litert
