#include "quantize/search.h"

#include <algorithm>
#include <map>
#include <utility>

namespace keras_litert::quantize {
namespace {

// Noise saved for each byte more. REQUIRES: b has more bytes than a.
double Gain(const Choice& a, const Choice& b) {
  return (a.noise - b.noise) / static_cast<double>(b.bytes - a.bytes);
}

// The lower convex hull: more bytes, less noise, ever less gain.
std::vector<Choice> Hull(std::vector<Choice> choices) {
  std::stable_sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.noise < b.noise;
  });
  std::vector<Choice> hull;
  for (Choice& choice : choices) {
    if (!hull.empty() && choice.noise >= hull.back().noise) continue;
    while (hull.size() >= 2 &&
           Gain(hull[hull.size() - 2], hull.back()) <= Gain(hull.back(), choice)) {
      hull.pop_back();
    }
    hull.push_back(std::move(choice));
  }
  return hull;
}

}  // namespace

std::vector<size_t> MakePath(std::vector<Part>& parts) {
  struct Step {
    size_t part;
    double gain;
  };
  std::vector<Step> steps;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<Choice>& choices = parts[i].choices;
    choices = Hull(std::move(choices));
    for (size_t j = 1; j < choices.size(); ++j) {
      steps.push_back({i, Gain(choices[j - 1], choices[j])});
    }
  }
  // Stable: the steps of one part, whose gains fall, stay in order.
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.gain > b.gain; });
  std::vector<size_t> path;
  for (const Step& step : steps) path.push_back(step.part);
  return path;
}

QuantizeOptions MakeRecipe(const std::vector<Part>& parts, std::span<const size_t> choices,
                           std::string base) {
  const auto recipe = [&](size_t i) { return parts[i].choices[choices[i]].recipe; };
  if (base.empty()) {
    std::map<std::string, int> counts;
    for (size_t i = 0; i < parts.size(); ++i) ++counts[recipe(i)];
    int most = 0;
    for (const auto& [name, count] : counts) {
      if (count <= most) continue;
      base = name;
      most = count;
    }
  }
  QuantizeOptions options;
  // A part without a layer's name is named by a rule for all layers: those of the others follow it.
  const bool all =
      std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.layer.empty(); });
  for (const bool named : {false, true}) {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].layer.empty() == named || (recipe(i) == base && !all)) continue;
      options.rules.push_back({parts[i].layer, parts[i].op, recipe(i)});
    }
  }
  options.recipe = std::move(base);
  return options;
}

}  // namespace keras_litert::quantize
