#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(FoldBatchNormTest, ScaleAndOffsetGoIntoTheConvolution) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 4, 1});
  Value y = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 2, 1}), t.Ramp({2}), {});
  y = lrt::Mul(t.b, y, t.Ramp({1, 1, 1, 2}, 10));
  y = lrt::Add(t.b, y, t.Ramp({2}, 0.5F));
  t.Output(y);
  ExpectRewrite("fold_batch_norm", t, FoldBatchNorm);
}

TEST(FoldBatchNormTest, DepthwiseAndFullyConnected) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 4, 2});
  Value y = lrt::DepthwiseConv2D(t.b, x, t.Ramp({1, 1, 2, 2}), Value(), {}, 1);
  y = lrt::Mul(t.b, y, t.Ramp({2}, 10));
  y = lrt::FullyConnected(t.b, y, t.Ramp({2, 2}), Value());
  t.Output(lrt::Add(t.b, lrt::Mul(t.b, y, t.b.Scalar(3, DType::kFloat32)), t.Ramp({2})));
  ExpectRewrite("fold_batch_norm_depthwise", t, FoldBatchNorm);
}

TEST(FoldBatchNormTest, JoinedConvolutionsTakeTheirParts) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 4, 1});
  const Value y = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 2, 1}), Value(), {});
  const Value z = lrt::Conv2D(t.b, x, t.Ramp({1, 1, 2, 1}), t.Ramp({1}), {});
  Value joined = lrt::Concatenation(t.b, {y, z}, 3);
  joined = lrt::Mul(t.b, joined, t.Ramp({3}, 10));
  t.Output(lrt::Add(t.b, joined, t.Ramp({3}, 0.5F)));
  ExpectRewrite("fold_batch_norm_joined", t, FoldBatchNorm);
}

TEST(FoldBatchNormTest, WhatIsJoinedWithSomethingElseStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 4, 4, 1});
  const Value y = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 1, 1}), Value(), {});
  t.Output(lrt::Mul(t.b, lrt::Concatenation(t.b, {y, x}, 3), t.Ramp({3})));
  t.Output(lrt::Mul(t.b, lrt::Concatenation(t.b, {y, y}, 3), t.Ramp({4})));
  const Value z = lrt::Conv2D(t.b, x, t.Ramp({1, 1, 1, 1}), Value(), {});
  t.Output(lrt::Mul(t.b, lrt::Concatenation(t.b, {z, z}, 3), t.Ramp({2})));
  const Value row = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 2, 1}), Value(), {});
  const Value other = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 3, 1}), Value(), {});
  t.Output(lrt::Mul(t.b, lrt::Concatenation(t.b, {row, other}, 2), t.Ramp({2})));
  FoldBatchNorm(t.module);
  EXPECT_EQ(t.NumOperators(), 12U);
}

TEST(FoldBatchNormTest, AConvolutionThatOthersReadStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 4, 4, 1});
  const Value y = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 2, 1}), Value(), {});
  t.Output(lrt::Mul(t.b, y, t.Ramp({2})));
  t.Output(y);
  FoldBatchNorm(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(FoldBatchNormTest, AnActivationInBetweenStops) {
  TestModule t;
  const Value x = t.Input("x", {2, 4, 4, 1});
  const Value y = lrt::Conv2D(t.b, x, t.Ramp({2, 1, 2, 1}), Value(), {}, lrt::Activation::RELU);
  t.Output(lrt::Mul(t.b, y, t.Ramp({2})));
  FoldBatchNorm(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
