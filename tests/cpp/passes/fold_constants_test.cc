#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(FoldConstantsTest, ComputesWithBroadcasting) {
  TestModule t;
  const Value x = t.Input("x", {2, 3});
  const Value sum = lrt::Add(t.b, t.Ramp({2, 1}), t.Ramp({3}, 10));
  const Value root = lrt::Unary(t.b, BuiltinOperator::SQUARE, sum);
  t.Output(lrt::Mul(t.b, x, root));
  ExpectRewrite("fold_constants", t, FoldConstants);
}

TEST(FoldConstantsTest, DoesNotBlowUpTheFile) {
  TestModule t;
  t.Output(lrt::BroadcastTo(t.b, t.Ramp({1, 4}), Shape{100000, 4}));
  FoldConstants(t.module);
  EXPECT_EQ(t.NumOperators(), 1U);
}

TEST(FoldConstantsTest, ShapeArithmetic) {
  TestModule t;
  const Value x = t.Input("x", {6});
  const Value joined = lrt::Concatenation(t.b, {t.b.Vector({1, 2}), t.b.Vector({3})}, 0);
  const Value last = lrt::StridedSlice(t.b, joined, t.b.Vector({2}), t.b.Vector({3}),
                                       t.b.Vector({1}), {}, {DType::kInt32, {1}});
  const Value size = lrt::Mul(t.b, last, t.b.Vector({2}));
  t.Output(lrt::Slice(t.b, x, t.b.Vector({0}), size, Shape{6}));
  ExpectRewrite("fold_constants_shapes", t, FoldConstants);
}

}  // namespace
}  // namespace keras_litert::passes
