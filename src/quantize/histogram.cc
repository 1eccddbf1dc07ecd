#include "quantize/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace keras_litert::quantize {
namespace {

constexpr size_t kBins = 2048;
constexpr int kSteps = 128;  // of each end that LeastError() tries

}  // namespace

Histogram::Histogram(Range all)
    : all_(all),
      width_((static_cast<double>(all.max) - all.min) / static_cast<double>(kBins)),
      bins_(kBins) {}

size_t Histogram::BinOf(double value) const {
  if (width_ <= 0) return 0;
  const double place = (value - all_.min) / width_;
  return static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(kBins - 1)));
}

void Histogram::Add(std::span<const float> values) {
  for (const float given : values) {
    if (std::isnan(given)) continue;
    if (given == 0) {
      ++zeros_;
      continue;
    }
    const double value = std::clamp(given, all_.min, all_.max);
    Bin& bin = bins_[BinOf(value)];
    ++bin.count;
    bin.sum += value;
    bin.squares += value * value;
  }
}

Range Histogram::Percentile(double fraction) const {
  std::vector<int64_t> counts;
  int64_t total = zeros_;
  for (const Bin& bin : bins_) {
    counts.push_back(bin.count);
    total += bin.count;
  }
  if (total == 0) return all_;
  if (all_.min <= 0 && all_.max >= 0) counts[BinOf(0)] += zeros_;
  // Where the values below are `wanted` of all, between the bin's ends as if they were spread.
  const auto quantile = [&](double wanted) {
    double before = 0;
    for (size_t i = 0; i < kBins; ++i) {
      const auto count = static_cast<double>(counts[i]);
      if (before + count >= wanted && count > 0) {
        const double part = std::clamp((wanted - before) / count, 0.0, 1.0);
        return all_.min + (static_cast<double>(i) + part) * width_;
      }
      before += count;
    }
    return static_cast<double>(all_.max);
  };
  const auto values = static_cast<double>(total);
  return {static_cast<float>(quantile((1 - fraction) * values)),
          static_cast<float>(quantile(fraction * values))};
}

Range Histogram::LeastError() const {
  if (width_ <= 0) return all_;
  // Sums of the bins before each.
  std::vector<Bin> before(kBins + 1);
  for (size_t i = 0; i < kBins; ++i) {
    before[i + 1] = {before[i].count + bins_[i].count, before[i].sum + bins_[i].sum,
                     before[i].squares + bins_[i].squares};
  }
  const auto clipped = [](const Bin& from, const Bin& to, double end) {
    return to.squares - from.squares - 2 * end * (to.sum - from.sum) +
           end * end * static_cast<double>(to.count - from.count);
  };
  struct End {
    double value;
    size_t bin;
    double error;
  };
  std::vector<End> lows;
  std::vector<End> highs;
  const double least = std::min(all_.min, 0.0F);
  const double most = std::max(all_.max, 0.0F);
  for (int i = kSteps; i > 0; --i) {
    const double low = least * i / kSteps;
    const double high = most * i / kSteps;
    // Bins that an end divides count as wholly inside.
    const size_t first = low <= all_.min ? 0 : low >= all_.max ? kBins : BinOf(low);
    const size_t last = high >= all_.max ? kBins : high <= all_.min ? 0 : BinOf(high) + 1;
    if (least < 0 || i == kSteps)
      lows.push_back({low, first, clipped(before[0], before[first], low)});
    if (most > 0 || i == kSteps) {
      highs.push_back({high, last, clipped(before[last], before[kBins], high)});
    }
  }
  double best = std::numeric_limits<double>::infinity();
  Range result = all_;
  for (const End& low : lows) {
    for (const End& high : highs) {
      const double step = (high.value - low.value) / 255;
      const auto inside =
          static_cast<double>(std::max<int64_t>(before[high.bin].count - before[low.bin].count, 0));
      const double error = low.error + high.error + inside * step * step / 12;
      if (error >= best) continue;
      best = error;
      result = {static_cast<float>(low.value), static_cast<float>(high.value)};
    }
  }
  return result;
}

}  // namespace keras_litert::quantize
