// Finds what a mistyped name was probably meant to be.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace keras_litert {

// The candidate that is closest to `word`, if one is close enough to be worth suggesting.
//
// Distance is Damerau-Levenshtein in its restricted form (optimal string alignment): insertions,
// deletions, substitutions and swaps of neighbours, each cost 1. A difference of ASCII case, or `_`
// for `-`, costs 1/8. A candidate is close enough within one edit for every three bytes of the
// longer name, at least one and at most four. Where none is, the only candidate that contains
// `word` (of four bytes or more) is taken: "batch" ⇒ "static-batch". Of equally close candidates
// the first wins. A candidate that equals `word` is a match too. Names are compared as bytes; names
// of more than 128 bytes match nothing (words may come from untrusted files).
std::optional<std::string> NearMatch(std::string_view word,
                                     std::span<const std::string_view> candidates);

}  // namespace keras_litert
