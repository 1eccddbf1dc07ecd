#include "quantize/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace keras_litert::quantize {
namespace {

using ir::DType;
using testing::ElementsAre;
using testing::HasSubstr;

ir::ConstantPtr Weights(const ir::Shape& shape, const std::vector<float>& values) {
  return ir::MakeConstant<float>(DType::kFloat32, shape, values);
}

std::vector<int32_t> Integers(const StoredWeights& stored) {
  return *ir::EvaluateAs<int32_t>(stored.constant);
}

TEST(WeightsTest, EachChannelHasItsScale) {
  // Channels along axis 1 of [2, 3, 2]; the largest sizes are 127, 0 and 2.54.
  const ir::ConstantPtr x =
      Weights({2, 3, 2}, {1, -127, 0, 0, 2.54F, 0.01F, 63.5F, -0.5F, 0, 0, -1.27F, 0.03F});
  const Result<StoredWeights> stored = ToInt8(x, 1);
  ASSERT_TRUE(stored.has_value());
  EXPECT_THAT(stored->quantization->scale, ElementsAre(1, 1, 2.54F / 127));
  EXPECT_THAT(stored->quantization->zero_point, ElementsAre(0, 0, 0));
  EXPECT_EQ(stored->quantization->quantized_dimension, 1);
  EXPECT_EQ(stored->constant->type(), (ir::TensorType{DType::kInt8, {2, 3, 2}}));
  // 63.5 and -0.5 lie halfway: away from 0.
  EXPECT_THAT(Integers(*stored), ElementsAre(1, -127, 0, 0, 127, 1, 64, -1, 0, 0, -64, 2));
}

// The largest error is half a step, and the ratio is what its definition says.
TEST(WeightsTest, ErrorsAreAtMostHalfAStep) {
  std::vector<float> values(70 * 300);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i)) * static_cast<float>(i % 300 + 1);
  }
  const Result<StoredWeights> stored = ToInt8(Weights({70, 300}, values), 1);
  ASSERT_TRUE(stored.has_value());
  const std::vector<int32_t> q = Integers(*stored);
  double signal = 0;
  double noise = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = stored->quantization->scale[i % 300];
    const float error = values[i] - static_cast<float>(q[i]) * scale;
    EXPECT_LE(std::fabs(error), scale * 0.5001F);
    EXPECT_LE(std::abs(q[i]), 127);
    signal += std::pow(values[i], 2.0);
    noise += std::pow(error, 2.0);
  }
  EXPECT_NEAR(stored->sqnr, 10 * std::log10(signal / noise), 1e-3);
}

// Steps of 1 and of 2; each 0.25 is rounded to 0, each 0.75 to 1 or 0.
TEST(WeightsTest, RoundingMovesMeansByItsErrorTimesTheInputs) {
  const auto shift = [](const ir::Shape& shape, const std::vector<float>& values, int axis,
                        const std::vector<float>& scale, const std::vector<double>& mean) {
    return *MeanShift(Weights(shape, values), axis, scale, 127, mean);
  };
  // A matrix, and windows of two pixels.
  EXPECT_THAT(shift({2, 2}, {0.25F, 0.75F, 1, 0.75F}, 0, {1, 2}, {10, 100}),
              ElementsAre(-0.25 * 10 + 0.25 * 100, 1.0 * 10 - 0.75 * 100));
  EXPECT_THAT(shift({1, 1, 2, 2}, {0.25F, 0.75F, 0.25F, 0}, 0, {1}, {10, 100}),
              ElementsAre(-0.5 * 10 + 0.25 * 100));
  // Two groups of two output channels, one input channel each.
  EXPECT_THAT(shift({4, 1, 1, 1}, {0.25F, 0.75F, 0.25F, 0.75F}, 0, {1, 1, 1, 1}, {10, 100}),
              ElementsAre(-2.5, 2.5, -25, 25));
  // Depthwise: two channels, multiplied for two outputs each, by windows of two pixels.
  EXPECT_THAT(
      shift({1, 1, 2, 4}, {0.25F, 0, 0.75F, 0.25F, 0, 0.75F, 0, 0.25F}, 3, {1, 1, 1, 1}, {10, 100}),
      ElementsAre(-2.5, 2.5, 25, -50));
  // What is clipped counts, too.
  EXPECT_THAT(shift({1, 1}, {130}, 0, {1}, {10}), ElementsAre(-30));
}

TEST(WeightsTest, Int4HasAScaleForEachBlockOfARow) {
  std::vector<float> values(2 * 64);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 15) - 7;                // 7 is in every block
    values[i] *= std::ldexp(1.0F, -static_cast<int>(i / 32));  // by 1, 1/2, 1/4, 1/8
  }
  const Result<StoredWeights> stored = ToInt4Blocks(Weights({2, 64}, values), 32);
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->constant->type(), (ir::TensorType{DType::kInt4, {2, 64}}));
  EXPECT_EQ(stored->block_scales->type(), (ir::TensorType{DType::kFloat16, {2, 2}}));
  EXPECT_THAT(*ir::EvaluateAs<float>(stored->block_scales), ElementsAre(1, 0.5, 0.25, 0.125));
  const std::vector<int32_t> q = Integers(*stored);
  for (size_t i = 0; i < q.size(); ++i) EXPECT_EQ(q[i], static_cast<int32_t>(i % 15) - 7);
  EXPECT_EQ(stored->sqnr, std::numeric_limits<double>::infinity());
  const auto* blocks = stored->quantization->details.AsBlockwiseQuantization();
  ASSERT_NE(blocks, nullptr);
  EXPECT_EQ(blocks->block_size, 32);
  EXPECT_EQ(blocks->zero_points, -1);
}

TEST(WeightsTest, ScalesOfBlocksAreNormalFloat16) {
  const Result<StoredWeights> small = ToInt4Blocks(Weights({1, 32}, std::vector<float>(32)), 32);
  ASSERT_TRUE(small.has_value());
  EXPECT_THAT(*ir::EvaluateAs<float>(small->block_scales), ElementsAre(0x1p-14F));
  const Result<StoredWeights> large =
      ToInt4Blocks(Weights({1, 32}, std::vector<float>(32, 5e5F)), 32);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().diagnostics().at(0).code, "quantize-5");
}

TEST(WeightsTest, WeightsThatAreNoNumbersAreErrors) {
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const Result<StoredWeights> stored = ToInt8(Weights({2, 2}, {1, 2, bad, 3}), 0);
    ASSERT_FALSE(stored.has_value());
    EXPECT_THAT(stored.error().ToString(), HasSubstr("quantize-4"));
  }
}

TEST(WeightsTest, Float16HoldsWhatItCan) {
  const Result<StoredWeights> stored = ToFloat16(Weights({3}, {1.0009765625F, -65504, 0}));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->constant->type().dtype, DType::kFloat16);
  EXPECT_THAT(*ir::EvaluateAs<float>(stored->constant), ElementsAre(1.0009765625F, -65504, 0));
  EXPECT_EQ(stored->sqnr, std::numeric_limits<double>::infinity());
  const Result<StoredWeights> large = ToFloat16(Weights({2}, {1, 7e4F}));
  ASSERT_FALSE(large.has_value());
  EXPECT_THAT(large.error().ToString(),
              HasSubstr("quantize-5: the weights reach 70000, beyond float16's 65504"));
}

}  // namespace
}  // namespace keras_litert::quantize
