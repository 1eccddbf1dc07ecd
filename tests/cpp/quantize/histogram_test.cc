#include "quantize/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace keras_litert::quantize {
namespace {

TEST(HistogramTest, PercentilesOfEvenlySpreadValues) {
  Histogram histogram({-1, 3});
  std::vector<float> values;
  for (int i = 0; i <= 100000; ++i) values.push_back(-1 + 4.0F * static_cast<float>(i) / 100000);
  histogram.Add(std::span(values).first(40000));
  histogram.Add(std::span(values).subspan(40000));
  const Range kept = histogram.Percentile(0.99);
  EXPECT_NEAR(kept.min, -0.96, 4.0 / 2048);
  EXPECT_NEAR(kept.max, 2.96, 4.0 / 2048);
  const Range all = histogram.Percentile(1);
  EXPECT_NEAR(all.min, -1, 1e-6);
  EXPECT_NEAR(all.max, 3, 1e-6);
}

// More zeros than anything else: quantiles count them.
TEST(HistogramTest, ZerosCount) {
  Histogram histogram({0, 10});
  const std::vector<float> zeros(9990, 0.0F);
  const std::vector<float> others(10, 10.0F);
  histogram.Add(zeros);
  histogram.Add(others);
  EXPECT_LT(histogram.Percentile(0.99).max, 10.0 / 2048 + 1e-6);
  EXPECT_GT(histogram.Percentile(0.9999).max, 9.9);
}

// A million small values and one far away: what clipping costs is less than what steps cost.
TEST(HistogramTest, LeastErrorClipsWhatIsRare) {
  Histogram histogram({-1, 10});
  std::vector<float> values;
  for (int i = 0; i < 1000000; ++i) values.push_back(std::sin(static_cast<float>(i)));
  values.push_back(10);
  histogram.Add(values);
  const Range kept = histogram.LeastError();
  EXPECT_EQ(kept.min, -1);
  EXPECT_GE(kept.max, 0.99);
  EXPECT_LT(kept.max, 5);
}

TEST(HistogramTest, EqualAndMissingValues) {
  Histogram equal({5, 5});
  equal.Add(std::vector<float>(100, 5.0F));
  EXPECT_EQ(equal.Percentile(0.999).max, 5);
  EXPECT_EQ(equal.LeastError().max, 5);
  const Histogram none({-1, 1});
  EXPECT_EQ(none.Percentile(0.999).min, -1);
  Histogram far({3, 5});  // nothing near 0
  far.Add(std::vector<float>{3, 4, 4.5F, 5, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_GT(far.LeastError().max, 4.9);
}

}  // namespace
}  // namespace keras_litert::quantize
