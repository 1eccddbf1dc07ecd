#include "quantize/scale_groups.h"

#include <gtest/gtest.h>

#include "ir/operators.h"

namespace keras_litert::quantize {
namespace {

using ir::DType;
using ir::Value;
using enum ir::BuiltinOperator;

class ScaleGroupsTest : public testing::Test {
 protected:
  // Spans [min, max], of which int8 is to span half.
  void Observe(Value x, float min, float max) {
    observed_[x.tensor()] = {.all = {min, max}, .kept = {min / 2, max / 2}};
  }
  Value Input(float min, float max) {
    const Value x(graph().AddInput({DType::kFloat32, {2, 4, 4, 3}}, "x"));
    Observe(x, min, max);
    return x;
  }
  Value Pooled(Value x) {
    const Value y = lrt::MaxPool2D(b_, x, {.stride_h = 2, .stride_w = 2});
    Observe(y, 0, 1);
    return y;
  }
  Value Joined(const std::vector<Value>& xs) {
    const Value y = lrt::Concatenation(b_, xs, 3);
    Observe(y, 0, 1);
    return y;
  }
  // All operators in `dtype`.
  ScaleGroups Groups(DType dtype = DType::kInt8, std::optional<DType> input_type = std::nullopt) {
    for (const ir::Operator* op : graph().Operators()) integers_[op] = dtype;
    return ScaleGroups(graph(), integers_, ranges_, input_type);
  }
  ir::Graph& graph() { return module_.main(); }

  ir::Module module_;
  ir::BuildContext context_{module_, {}, {}, 0};
  ir::Builder b_{context_, module_.main()};
  Ranges observed_;
  TensorRanges ranges_{observed_};
  Integers integers_;
};

TEST_F(ScaleGroupsTest, Int8SpansWhatIsKeptAndInt16All) {
  const Value x = Input(-8, 8);
  ScaleGroups groups = Groups();
  // 8 / 255 and 8 / 32767: half of the span of 16 by 255 steps, and all of the larger end.
  EXPECT_FLOAT_EQ(groups.AffineFor(x.tensor(), DType::kInt8).scale, 8.0F / 255);
  EXPECT_FLOAT_EQ(groups.AffineFor(x.tensor(), DType::kInt16).scale, 8.0F / 32767);
}

TEST_F(ScaleGroupsTest, WhatMovesOrComparesHasOneScaleOfAllRanges) {
  const Value low = Input(-2, 0);
  const Value high = Input(0, 6);
  const Value alone = Input(0, 100);
  const Value y = Joined({Pooled(low), high});
  ScaleGroups groups = Groups();
  for (const Value x : {low, high, y}) {
    EXPECT_FLOAT_EQ(groups.AffineFor(x.tensor(), DType::kInt8).scale, 4.0F / 255);
  }
  EXPECT_FLOAT_EQ(groups.AffineFor(alone.tensor(), DType::kInt8).scale, 50.0F / 255);
}

TEST_F(ScaleGroupsTest, ConstantsWidenTheRangeButForMasks) {
  const auto largest = [&](float constant) {
    const Value x = Input(0, 2);
    const Value y = lrt::Maximum(b_, x, b_.Scalar(constant, DType::kFloat32));
    Observe(y, 0, 2);
    ScaleGroups groups = Groups();
    return groups.AffineFor(y.tensor(), DType::kInt16).scale * 32767;
  };
  EXPECT_FLOAT_EQ(largest(5), 5);
  EXPECT_FLOAT_EQ(largest(-1e9F), 2);
}

TEST_F(ScaleGroupsTest, FixedRangesAreSharedOnlyByASingleReader) {
  const Value fixed = lrt::Unary(b_, LOGISTIC, Input(-9, 9));
  Observe(fixed, 0.25F, 0.75F);
  const Value pooled = Pooled(fixed);
  const Value other = Input(0, 20);
  const Value y = Joined({fixed, other});
  ScaleGroups groups = Groups();
  // LiteRT's specification: LOGISTIC gives [0, 255 / 256].
  const Affine specified{DType::kInt8, 1.0F / 256, -128};
  EXPECT_EQ(groups.AffineFor(fixed.tensor(), DType::kInt8), specified);
  EXPECT_EQ(groups.AffineFor(pooled.tensor(), DType::kInt8), specified);
  EXPECT_FLOAT_EQ(groups.AffineFor(other.tensor(), DType::kInt8).scale, 10.0F / 255);
  EXPECT_EQ(groups.AffineFor(y.tensor(), DType::kInt8),
            groups.AffineFor(other.tensor(), DType::kInt8));
}

TEST_F(ScaleGroupsTest, WhatIsClippedAtSixHasFewEnoughStepsUpToIt) {
  const Value clipped = lrt::Unary(b_, RELU6, Input(-9, -8));
  Observe(clipped, 0, 1e-12F);
  const Value pooled = Pooled(clipped);
  Observe(pooled, 0, 1e-12F);
  const Value free = lrt::Unary(b_, RELU, Input(-9, -8));
  Observe(free, 0, 1e-12F);
  ScaleGroups groups = Groups(DType::kInt16);
  const Affine affine = groups.AffineFor(clipped.tensor(), DType::kInt16);
  EXPECT_LT(6 / affine.scale, 0x1p31F);
  EXPECT_EQ(groups.AffineFor(pooled.tensor(), DType::kInt16), affine);
  EXPECT_LT(groups.AffineFor(free.tensor(), DType::kInt16).scale, affine.scale);
}

TEST_F(ScaleGroupsTest, AnInputOfAnotherTypeIsRequantizedInFront) {
  const Value x = Input(0, 40);
  const Value y = Pooled(x);
  ScaleGroups same = Groups(DType::kInt8, DType::kInt8);
  EXPECT_EQ(same.AffineFor(y.tensor(), DType::kInt8), same.AffineFor(x.tensor(), DType::kInt8));
  ScaleGroups other = Groups(DType::kInt8, DType::kInt16);
  EXPECT_FLOAT_EQ(other.AffineFor(y.tensor(), DType::kInt8).scale, 0.5F / 255);
}

}  // namespace
}  // namespace keras_litert::quantize
