#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Value;

TEST(FoldStridesTest, SubsamplingIsTheConvolutionsStride) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 7, 8, 1});
  const Value y = lrt::AveragePool2D(t.b, x, {.stride_h = 2, .stride_w = 3});
  t.Output(lrt::Conv2D(t.b, y, t.Ramp({2, 1, 1, 1}), Value(), {}, lrt::Activation::RELU));
  ExpectRewrite("fold_strides", t, FoldStrides);
}

TEST(FoldStridesTest, SubsamplingThatOthersReadStaysForThem) {
  TestModule t;
  const Value x = t.Input("x", {2, 7, 8, 1});
  const Value y = lrt::MaxPool2D(t.b, x, {.stride_h = 2, .stride_w = 2});
  t.Output(lrt::Conv2D(t.b, y, t.Ramp({2, 1, 1, 1}), Value(), {}));
  t.Output(y);
  FoldStrides(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(FoldStridesTest, WiderWindowsAndFiltersStay) {
  TestModule t;
  const Value x = t.Input("x", {2, 8, 8, 1});
  const Value wide = lrt::MaxPool2D(t.b, x, {.height = 2, .stride_h = 2, .stride_w = 2});
  const Value narrow = lrt::MaxPool2D(t.b, x, {.stride_h = 2, .stride_w = 2});
  t.Output(lrt::Conv2D(t.b, wide, t.Ramp({2, 1, 1, 1}), Value(), {}));
  t.Output(lrt::Conv2D(t.b, narrow, t.Ramp({2, 1, 2, 1}), Value(), {}));
  t.Output(lrt::Conv2D(t.b, narrow, t.Ramp({2, 1, 1, 1}), Value(), {.stride_h = 2, .stride_w = 2}));
  FoldStrides(t.module);
  EXPECT_EQ(t.NumOperators(), 5U);
}

}  // namespace
}  // namespace keras_litert::passes
