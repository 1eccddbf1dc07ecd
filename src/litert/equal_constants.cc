#include "litert/equal_constants.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace keras_litert::litert {
namespace {

using Bytes = std::span<const std::byte>;

// Of constants that agree in what a fingerprint sees: more are not compared with one another.
constexpr size_t kMostCompared = 8;

// Its size, and some bytes at several places.
size_t Fingerprint(Bytes bytes) {
  constexpr size_t kPlaces = 4;
  constexpr size_t kBytes = 64;
  std::string seen = std::to_string(bytes.size());
  const size_t count = std::min(kBytes, bytes.size());
  for (size_t i = 0; i < kPlaces; ++i) {
    const size_t first = (bytes.size() - count) / (kPlaces - 1) * i;
    seen.append(reinterpret_cast<const char*>(bytes.data() + first), count);
  }
  return std::hash<std::string_view>()(seen);
}

// Gives pages of a mapped file back behind itself, so that two large constants are never in memory
// as a whole.
bool AreEqual(const ir::Constant& a, const ir::Constant& b) {
  constexpr size_t kStep = size_t{1} << 20;
  const Bytes x = *a.bytes();
  const Bytes y = *b.bytes();
  if (x.size() != y.size()) return false;
  for (size_t first = 0; first < x.size(); first += kStep) {
    const size_t count = std::min(kStep, x.size() - first);
    if (std::memcmp(x.data() + first, y.data() + first, count) != 0) return false;
    if (x.size() > kStep) {
      a.ReleaseRange(first, count);
      b.ReleaseRange(first, count);
    }
  }
  return true;
}

}  // namespace

uint32_t EqualConstants::NumberOf(const ir::ConstantPtr& constant, uint32_t number) {
  const std::optional<Bytes> bytes = constant->bytes();
  if (!bytes || bytes->empty()) return number;
  std::vector<Known>& candidates = known_[Fingerprint(*bytes)];
  for (const Known& known : candidates) {
    if (AreEqual(*known.constant, *constant)) return known.number;
  }
  if (candidates.size() < kMostCompared) candidates.push_back({constant, number});
  return number;
}

}  // namespace keras_litert::litert
