#include "quantize/search.h"

#include <algorithm>
#include <map>
#include <utility>

namespace keras_litert::quantize {
namespace {

// Leaves what nothing else beats in both, in order.
template <typename T>
void KeepBest(std::vector<T>& all) {
  std::stable_sort(all.begin(), all.end(), [](const T& a, const T& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.noise < b.noise;
  });
  size_t kept = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (kept > 0 && all[i].noise >= all[kept - 1].noise) continue;
    if (i != kept) all[kept] = std::move(all[i]);
    ++kept;
  }
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(kept), all.end());
}

}  // namespace

std::vector<Combination> ParetoFront(std::vector<Part>& parts, size_t most) {
  std::vector<Combination> front(1);
  for (Part& part : parts) {
    KeepBest(part.choices);
    std::vector<Combination> longer;
    longer.reserve(front.size() * part.choices.size());
    for (size_t i = 0; i < part.choices.size(); ++i) {
      for (const Combination& so_far : front) {
        longer.push_back(
            {{}, so_far.bytes + part.choices[i].bytes, so_far.noise + part.choices[i].noise});
        // Only who it came from, for now: most of these are beaten.
        longer.back().choices = {static_cast<size_t>(&so_far - front.data()), i};
      }
    }
    KeepBest(longer);
    if (longer.size() > most) {
      for (size_t i = 0; i < most; ++i) {
        const size_t from = i * (longer.size() - 1) / (most - 1);
        if (from != i) longer[i] = std::move(longer[from]);
      }
      longer.erase(longer.begin() + static_cast<std::ptrdiff_t>(most), longer.end());
    }
    for (Combination& one : longer) {
      std::vector<size_t> choices = front[one.choices[0]].choices;
      choices.push_back(one.choices[1]);
      one.choices = std::move(choices);
    }
    front = std::move(longer);
  }
  return front;
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
