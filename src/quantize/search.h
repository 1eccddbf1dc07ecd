// Searching a mixed recipe: which part of the model to store in more bytes next.
//
// Noise of parts adds up in the output, nearly: it is small and not correlated. So the noise of any
// combination of choices is predicted from that of each, and those that no other beats in both
// bytes and noise are found part by part. The caller measures some of them.
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

// What each part gets: indices into parts[i].choices.
struct Combination {
  std::vector<size_t> choices;
  int64_t bytes = 0;
  double noise = 0;
};

// Puts every part's choices in order, fewest bytes and most noise first, without those that another
// beats in both. Gives the combinations that no other beats, likewise in order, the first and the
// last of them included; at most `most` of them, evenly spread. Deterministic. REQUIRES: every part
// has a choice; noise and bytes are at least 0, noise is no NaN; most >= 2.
std::vector<Combination> ParetoFront(std::vector<Part>& parts, size_t most);

// The recipe that gives each part its choice: choices[i] is an index into parts[i].choices. Parts
// that have the recipe `base` need no rule; with an empty `base` the most frequent recipe becomes
// it.
QuantizeOptions MakeRecipe(const std::vector<Part>& parts, std::span<const size_t> choices,
                           std::string base);

}  // namespace keras_litert::quantize
