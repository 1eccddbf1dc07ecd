#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

// The end of a layer normalization in front of three products, one with a bias of its own.
TEST(FoldInputScaleTest, GammaAndBetaGoIntoTheProductsBehind) {
  TestModule t;
  const Value x = lrt::Unary(t.b, BuiltinOperator::TANH, t.Input("x", {t.Batch(), 5, 2}));
  const Value y = lrt::Add(t.b, lrt::Mul(t.b, x, t.Ramp({2}, 10)), t.Ramp({1, 1, 2}, 0.5F));
  t.Output(lrt::FullyConnected(t.b, y, t.Ramp({3, 2}), t.Ramp({3})));
  t.Output(lrt::FullyConnected(t.b, y, t.Ramp({2, 2}), Value()));
  ExpectRewrite("fold_input_scale", t, FoldInputScale);
}

// bias + W c of a filter [3 outputs, 1, 2, 5 inputs], stored as it is and with its outputs last.
TEST(FoldInputScaleTest, TheOffsetsSumsAreTheSameHoweverFiltersAreStored) {
  TestModule t;
  const Value x = lrt::Unary(t.b, BuiltinOperator::TANH, t.Input("x", {t.Batch(), 4, 4, 5}));
  std::vector<float> plain;
  for (int i = 0; i < 30; ++i) plain.push_back(static_cast<float>(i * 7 % 11) - 5);
  std::vector<float> outputs_last(30);
  for (size_t o = 0; o < 3; ++o) {
    for (size_t i = 0; i < 10; ++i) outputs_last[i * 3 + o] = plain[o * 10 + i];
  }
  const std::vector<float> factor = {1, 2, 4};
  const std::vector<float> offset = {1, -3, 5, 7, 11};
  std::vector<float> expected = {10, 20, 30};  // of whole numbers, which floats add exactly
  for (size_t i = 0; i < 30; ++i) expected[i / 10] += plain[i] * factor[i / 10] * offset[i % 5];

  const ir::ConstantPtr stored =
      ir::MakeConstant<float>(DType::kFloat32, {1, 2, 5, 3}, outputs_last);
  const auto add = ir::MakeConstant<float>(DType::kFloat32, {5}, offset);
  const Value moved = lrt::Add(t.b, x, t.b.Constant(add));
  for (const ir::ConstantPtr& filter :
       {ir::MakeConstant<float>(DType::kFloat32, {3, 1, 2, 5}, plain),
        ir::Transposed(stored, {3, 0, 1, 2})}) {
    const Value weights = t.b.Constant(ir::ScaledAlong(filter, 0, factor));
    t.Output(lrt::Conv2D(t.b, moved, weights, t.Ramp({3}, 10), {}));
  }
  FoldInputScale(t.module);
  ASSERT_EQ(t.NumOperators(), 3U);
  for (const ir::Tensor* output : t.module.main().outputs()) {
    EXPECT_EQ(*ir::EvaluateAs<float>(output->producer->inputs[2]->constant), expected);
  }
}

TEST(FoldInputScaleTest, ConvolutionsTakeAFactorAndWithoutPaddingAnOffset) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 4, 2});
  const Value scaled = lrt::Mul(t.b, x, t.b.Scalar(3, DType::kFloat32));
  t.Output(lrt::DepthwiseConv2D(t.b, scaled, t.Ramp({1, 1, 1, 2}), Value(), {}, 1));
  const Value inner = lrt::Unary(t.b, BuiltinOperator::TANH, x);
  const Value moved = lrt::Add(t.b, inner, t.Ramp({2}, 10));
  t.Output(lrt::Conv2D(t.b, moved, t.Ramp({1, 2, 1, 2}), t.Ramp({1}), {}));
  ExpectRewrite("fold_input_scale_convolutions", t, FoldInputScale);
}

TEST(FoldInputScaleTest, AnOffsetStaysInFrontOfPadding) {
  TestModule t;
  const Value x = lrt::Unary(t.b, BuiltinOperator::TANH, t.Input("x", {2, 4, 4, 2}));
  lrt::Window2D same;
  same.padding = lrt::Padding::SAME;
  const Value y = lrt::Add(t.b, x, t.Ramp({2}));
  t.Output(lrt::Conv2D(t.b, y, t.Ramp({1, 2, 2, 2}), Value(), same));
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 3U);
}

// As the Normalization layer has it: mean 1000 and standard deviation 1 would cancel in float32.
// The factor goes past the offset.
TEST(FoldInputScaleTest, AnOffsetOfTheInputStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 2});
  const Value y = lrt::Add(t.b, lrt::Mul(t.b, x, t.Ramp({2})), t.Ramp({2}, -1000));
  t.Output(lrt::FullyConnected(t.b, y, t.Ramp({3, 2}), Value()));
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(FoldInputScaleTest, AFactorGoesPastAnOffsetThatStaysInFrontOfPadding) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 4, 2});
  lrt::Window2D same;
  same.padding = lrt::Padding::SAME;
  const Value y = lrt::Add(t.b, lrt::Mul(t.b, x, t.Ramp({2}, 0.5F)), t.Ramp({1, 2}));
  t.Output(lrt::Conv2D(t.b, y, t.Ramp({1, 2, 2, 2}), t.Ramp({1}), same));
  t.Output(lrt::DepthwiseConv2D(t.b, y, t.Ramp({1, 2, 2, 2}, 2), Value(), same, 1));
  ExpectRewrite("fold_input_scale_past_offset", t, FoldInputScale);
}

TEST(FoldInputScaleTest, AFactorStaysBehindAnOffsetWhereItIsReadOtherwise) {
  TestModule t;
  const Value x = t.Input("x", {2, 2});
  const Value scaled = lrt::Mul(t.b, x, t.Ramp({2}));
  t.Output(lrt::FullyConnected(t.b, lrt::Add(t.b, scaled, t.Ramp({2})), t.Ramp({3, 2}), Value()));
  t.Output(scaled);
  const Value zero = t.b.Constant(DType::kFloat32, {2}, std::vector<float>{0, 1});
  const Value lost = lrt::Add(t.b, lrt::Mul(t.b, x, zero), t.Ramp({2}));
  t.Output(lrt::FullyConnected(t.b, lost, t.Ramp({3, 2}, 2), Value()));
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 6U);
}

// The same, of numbers that come as integers and in another order.
TEST(FoldInputScaleTest, AnOffsetOfTheInputStaysHoweverItIsMoved) {
  TestModule t;
  const Value x = t.Input("x", {3, 2, 2}, DType::kInt32);
  const Value moved = lrt::Transpose(t.b, lrt::Cast(t.b, x, DType::kFloat32), {1, 0, 2});
  const Value y = lrt::Add(t.b, lrt::Add(t.b, moved, t.Ramp({2}, 7)), t.Ramp({2}, -1000));
  t.Output(lrt::FullyConnected(t.b, y, t.Ramp({3, 2}), Value()));
  const Value z = lrt::Add(t.b, lrt::Reshape(t.b, moved, {6, 2}), t.Ramp({2}, -500));
  t.Output(lrt::FullyConnected(t.b, z, t.Ramp({4, 2}), Value()));
  const size_t before = t.NumOperators();
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), before);
}

TEST(FoldInputScaleTest, FactorsOfVeryDifferentSizesStay) {
  TestModule t;
  const Value x = t.Input("x", {2, 9});
  t.Output(lrt::FullyConnected(t.b, lrt::Mul(t.b, x, t.Ramp({9})), t.Ramp({3, 9}), Value()));
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(FoldInputScaleTest, AReaderThatCannotTakeItStops) {
  TestModule t;
  const Value x = t.Input("x", {2, 2});
  const Value y = lrt::Mul(t.b, x, t.Ramp({2}));
  t.Output(lrt::FullyConnected(t.b, y, t.Ramp({3, 2}), Value()));
  t.Output(lrt::Add(t.b, y, x));
  const Value z = lrt::Mul(t.b, x, t.Ramp({2}, 2));
  t.Output(lrt::FullyConnected(t.b, z, t.Ramp({3, 2}, 2), Value()));
  t.Output(z);
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 5U);
}

TEST(FoldInputScaleTest, SharedWeightsStay) {
  TestModule t;
  const Value x = t.Input("x", {2, 2});
  const Value weights = t.Ramp({3, 2});
  t.Output(lrt::FullyConnected(t.b, lrt::Mul(t.b, x, t.Ramp({2})), weights, Value()));
  t.Output(lrt::FullyConnected(t.b, x, weights, Value()));
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 3U);
}

TEST(FoldInputScaleTest, AFactorThatIsNotOfTheChannelsStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 3, 2});
  const Value y = lrt::Mul(t.b, x, t.Ramp({3, 1}));
  t.Output(lrt::FullyConnected(t.b, y, t.Ramp({3, 2}), Value()));
  FoldInputScale(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
