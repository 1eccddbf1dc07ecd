// Searching a mixed recipe: which part of the model to store in more bytes next.
//
// Noise of parts adds up in the output, nearly: it is small and not correlated. So what is best for
// a number of bytes is found part by part, by the noise that each further byte saves (the lower
// convex hull of bytes and noise). The result is measured by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "keras_litert/quantize.h"

namespace keras_litert::quantize {

// One way to store and compute a part of the model.
struct Choice {
  std::string recipe;
  int64_t bytes = 0;
  double noise = 0;  // that it alone adds to the output: Σ(y − ŷ)² / Σy²
};

// What gets a recipe of its own: a layer's operators of one kind, or a layer.
struct Part {
  std::string layer;
  std::string op;  // empty: all of the layer
  std::vector<Choice> choices;
};

// Leaves of every part's choices those that are worth their bytes, fewest bytes and most noise
// first. Gives the parts in the order in which to go on to their next choice, from all at their
// first to all at their last, by falling noise per byte. Deterministic. REQUIRES: every part has a
// choice; noise and bytes are at least 0, noise is no NaN.
std::vector<size_t> MakePath(std::vector<Part>& parts);

// The recipe that gives each part its choice: choices[i] is an index into parts[i].choices. Parts
// that have the recipe `base` need no rule; with an empty `base` the most frequent recipe becomes
// it.
QuantizeOptions MakeRecipe(const std::vector<Part>& parts, std::span<const size_t> choices,
                           std::string base);

}  // namespace keras_litert::quantize
