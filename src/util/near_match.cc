#include "util/near_match.h"

#include <algorithm>
#include <array>

namespace keras_litert {
namespace {

constexpr size_t kLongestName = 128;
// Costs are in eighths of an edit.
constexpr int kEdit = 8;
constexpr int kVariant = 1;

char Canonical(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '_' ? '-' : c;
}

int SubstitutionCost(char a, char b) {
  if (a == b) return 0;
  return Canonical(a) == Canonical(b) ? kVariant : kEdit;
}

// Optimal string alignment, row by row:
//   d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + cost(a[i], b[j]),
//                 d[i-2][j-2] + 1 where a[i-1], a[i] are b[j], b[j-1])
int Distance(std::string_view a, std::string_view b) {
  std::array<std::array<int, kLongestName + 1>, 3> rows;
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = static_cast<int>(j) * kEdit;
  for (size_t i = 1; i <= a.size(); ++i) {
    const auto& two_above = rows[(i + 1) % 3];  // row i - 2
    const auto& above = rows[(i + 2) % 3];      // row i - 1
    auto& row = rows[i % 3];
    row[0] = static_cast<int>(i) * kEdit;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + kEdit, row[j - 1] + kEdit,
                         above[j - 1] + SubstitutionCost(a[i - 1], b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] != a[i - 2] && Canonical(a[i - 1]) == Canonical(b[j - 2]) &&
          Canonical(a[i - 2]) == Canonical(b[j - 1])) {
        row[j] = std::min(row[j], two_above[j - 2] + kEdit);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

int LargestDistance(std::string_view a, std::string_view b) {
  const auto longer = static_cast<int>(std::max(a.size(), b.size()));
  return std::clamp(longer / 3, 1, 4) * kEdit;
}

bool Contains(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(),
                     [](char a, char b) { return Canonical(a) == Canonical(b); }) != text.end();
}

}  // namespace

std::optional<std::string> NearMatch(std::string_view word,
                                     std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > kLongestName) return std::nullopt;
  std::optional<std::string_view> nearest;
  int nearest_distance = 0;
  for (const std::string_view candidate : candidates) {
    if (candidate.empty() || candidate.size() > kLongestName) continue;
    const int distance = Distance(word, candidate);
    // A name all of whose bytes changed is no near match, however short.
    const auto longer = static_cast<int>(std::max(word.size(), candidate.size()));
    if (distance > LargestDistance(word, candidate) || distance >= longer * kEdit) continue;
    if (!nearest || distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  if (!nearest && word.size() >= 4) {
    for (const std::string_view candidate : candidates) {
      if (candidate.size() > kLongestName || !Contains(candidate, word)) continue;
      if (nearest) return std::nullopt;
      nearest = candidate;
    }
  }
  if (!nearest) return std::nullopt;
  return std::string(*nearest);
}

}  // namespace keras_litert
