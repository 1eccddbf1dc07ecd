#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

Value Padded(TestModule& t, Value x, int64_t before, int64_t after) {
  return lrt::Pad(t.b, x, {{0, 0}, {before, after}, {before, after}, {0, 0}});
}

TEST(FoldPaddingTest, PaddingThatIsSameGoesIntoTheConvolution) {
  TestModule t;
  // MobileNetV2's: stride 2, kernel 3, even size: SAME pads behind only.
  const Value x = t.Input("x", {t.Batch(), 8, 8, 1});
  t.Output(lrt::DepthwiseConv2D(t.b, Padded(t, x, 0, 1), t.Ramp({1, 3, 3, 1}), Value(),
                                {.stride_h = 2, .stride_w = 2}, 1));
  ExpectRewrite("fold_padding", t, FoldPadding);
}

TEST(FoldPaddingTest, OtherPaddingStays) {
  TestModule t;
  const Value even = t.Input("even", {2, 8, 8, 1});
  const Value odd = t.Input("odd", {2, 9, 9, 1});
  const lrt::Window2D window{.stride_h = 2, .stride_w = 2};
  t.Output(lrt::Conv2D(t.b, Padded(t, even, 1, 1), t.Ramp({1, 3, 3, 1}), Value(), window));
  t.Output(lrt::Conv2D(t.b, Padded(t, odd, 0, 1), t.Ramp({1, 3, 3, 1}), Value(), window));
  FoldPadding(t.module);
  EXPECT_EQ(t.NumOperators(), 4U);
}

TEST(FoldPaddingTest, UnknownSizesOnlyWithStrideOne) {
  TestModule t;
  const Value x = t.Input("x", {2, t.Batch(), t.Batch(), 1});
  t.Output(lrt::Conv2D(t.b, Padded(t, x, 1, 1), t.Ramp({1, 3, 3, 1}), Value(), {}));
  t.Output(lrt::Conv2D(t.b, Padded(t, x, 0, 1), t.Ramp({1, 3, 3, 1}), Value(),
                       {.stride_h = 2, .stride_w = 2}));
  FoldPadding(t.module);
  EXPECT_EQ(t.NumOperators(), 3U);
}

}  // namespace
}  // namespace keras_litert::passes
