// What a caller may ask of quantization.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keras_litert {

// A way to store and compute an operator's weights.
struct QuantizeRecipe {
  std::string_view name;         // "dynamic_wi8_afp32"
  std::string_view alias;        // "dynamic_int8"; empty: none
  std::string_view description;  // one line, for help texts
};

// Every recipe, in the order in which help texts list them.
std::span<const QuantizeRecipe> QuantizeRecipes();

// Gives some operators another recipe than the rest. A rule applies where all that it names match;
// of several rules that do, the last counts. A rule that matches nothing is an error, because it
// is a mistyped name.
struct QuantizeRule {
  // Layer path as reports and errors show it ("encoder/dense_3"). `*` stands for any characters,
  // `/` included, `?` for one. Empty: any layer.
  std::string layer;
  std::string op;      // LiteRT's name, "FULLY_CONNECTED"; empty: any operator
  std::string recipe;  // a name or alias, or "float32" to keep float
};

struct QuantizeOptions {
  std::string recipe;  // a name or alias; empty or "float32": only rules quantize
  std::vector<QuantizeRule> rules;
};

// One operator that has weights, in the order of execution.
struct QuantizedOperator {
  std::string layer;
  std::string op;            // "CONV_2D"
  std::string recipe;        // what it got; "float32" where it stayed float
  std::string reason;        // why it did not get what was asked for; empty where it did
  int64_t bytes_before = 0;  // of its weights, as float32
  int64_t bytes_after = 0;   // with their scales
  // Signal-to-quantization-noise ratio of the stored weights: 10·log10(Σw² / Σ(w − ŵ)²) in dB.
  // Infinite where they are exact.
  double weights_sqnr = 0;
};

}  // namespace keras_litert
