#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Value;

TEST(PackToConcatenationTest, StackedHalvesOfAHead) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 8});
  const Value minus = lrt::Unary(t.b, BuiltinOperator::NEG, x);
  t.Output(lrt::Reshape(t.b, lrt::Pack(t.b, {minus, x}, 1), {t.Batch(), 16}));
  ExpectRewrite("pack_to_concatenation", t, PackToConcatenation);
}

TEST(PackToConcatenationTest, AlternatingElementsStay) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 8});
  const Value y = t.Input("y", {t.Batch(), 8});
  t.Output(lrt::Reshape(t.b, lrt::Pack(t.b, {x, y}, 2), {t.Batch(), 16}));
  PackToConcatenation(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(PackToConcatenationTest, AnotherMergeStays) {
  TestModule t;
  const Value x = t.Input("x", {4, 2, 8});
  const Value y = t.Input("y", {4, 2, 8});
  t.Output(lrt::Reshape(t.b, lrt::Pack(t.b, {x, y}, 1), {4, 2, 16}));
  PackToConcatenation(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

TEST(PackToConcatenationTest, AStackThatOthersReadStays) {
  TestModule t;
  const Value x = t.Input("x", {4, 8});
  const Value stack = lrt::Pack(t.b, {x, x}, 1);
  t.Output(lrt::Reshape(t.b, stack, {4, 16}));
  t.Output(stack);
  PackToConcatenation(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
