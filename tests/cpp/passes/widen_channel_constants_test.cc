#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Shape;
using ir::Value;

// Elements of the constant that is added to an image of this shape.
int64_t ElementsAddedTo(const Shape& image, const Shape& constant) {
  TestModule t;
  t.Output(lrt::Add(t.b, t.Input("x", image), t.Ramp(constant)));
  WidenChannelConstants(t.module);
  return t.module.main().first()->inputs[1]->constant->num_elements();
}

TEST(WidenChannelConstantsTest, RowsOfAnImageGetTheirConstantAsARow) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 1024, 4, 2});
  t.Output(lrt::Sub(t.b, t.Ramp({1, 1, 1, 2}), lrt::Mul(t.b, x, t.Ramp({2}, 0.5F))));
  ExpectRewrite("widen_channel_constants", t, WidenChannelConstants);
}

TEST(WidenChannelConstantsTest, WhatWouldGainLittleStays) {
  EXPECT_EQ(ElementsAddedTo({1, 32, 32, 3}, {3}), 32 * 3);
  EXPECT_EQ(ElementsAddedTo({1, 64, 64, 3}, {1}), 1);
  EXPECT_EQ(ElementsAddedTo({1, 64, 64, 9}, {9}), 9);
  EXPECT_EQ(ElementsAddedTo({1, 31, 32, 3}, {3}), 3);
  EXPECT_EQ(ElementsAddedTo({1, 2, 4096, 3}, {3}), 3);
  EXPECT_EQ(ElementsAddedTo({64, 64, 3}, {3}), 3);
  EXPECT_EQ(ElementsAddedTo({1, 64, 64, 3}, {64, 1}), 64);
}

// Of unknown width nothing can be repeated so many times.
TEST(WidenChannelConstantsTest, UnknownSizesStay) {
  TestModule t;
  const Value x = t.Input("x", {1, 512, t.Batch(), 3});
  t.Output(lrt::Add(t.b, x, t.Ramp({3})));
  WidenChannelConstants(t.module);
  EXPECT_EQ(t.module.main().first()->inputs[1]->constant->num_elements(), 3);
}

}  // namespace
}  // namespace keras_litert::passes
