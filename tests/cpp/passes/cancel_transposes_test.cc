#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

// What a channels_first block looks like: every convolution between two transposes.
TEST(CancelTransposesTest, ChannelsFirstBlockRunsChannelsLast) {
  TestModule t;
  Value x = t.Input("x", {t.Batch(), 3, 8, 8});
  auto conv = [&](Value v, int64_t in, int64_t out) {
    v = lrt::Transpose(t.b, v, {0, 2, 3, 1});
    v = lrt::Conv2D(t.b, v, t.Ramp({out, 1, 1, in}), Value(), {});
    return lrt::Transpose(t.b, v, {0, 3, 1, 2});
  };
  Value y = conv(x, 3, 4);
  y = lrt::Mul(t.b, y, t.Ramp({4, 1, 1}));
  y = lrt::Unary(t.b, BuiltinOperator::RELU, y);
  y = lrt::Pad(t.b, y, {{0, 0}, {0, 0}, {1, 2}, {3, 4}});
  y = lrt::Concatenation(t.b, {conv(y, 4, 2), conv(y, 4, 2)}, 1);
  t.Output(lrt::Reduce(t.b, BuiltinOperator::MEAN, y, {2, 3}, false));
  ExpectRewrite("cancel_transposes", t, CancelTransposes);
}

TEST(CancelTransposesTest, ReductionThatReordersTheRestStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 3, 4});
  t.Output(lrt::Reduce(t.b, BuiltinOperator::SUM, lrt::Transpose(t.b, x, {2, 1, 0}), {1}, false));
  CancelTransposes(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(CancelTransposesTest, TransposeWithAnotherReaderStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 3, 4});
  const Value y = lrt::Transpose(t.b, x, {0, 2, 1});
  t.Output(lrt::Unary(t.b, BuiltinOperator::EXP, y));
  t.Output(y);
  CancelTransposes(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
