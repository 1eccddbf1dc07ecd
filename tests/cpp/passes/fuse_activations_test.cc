#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(FuseActivationsTest, ReluBecomesTheConvolutions) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 4, 1});
  const Value y = lrt::Unary(t.b, BuiltinOperator::RELU6,
                             lrt::Conv2D(t.b, x, t.Ramp({2, 1, 2, 1}), Value(), {}));
  t.Output(lrt::Unary(t.b, BuiltinOperator::RELU, lrt::Add(t.b, y, y)));
  ExpectRewrite("fuse_activations", t, FuseActivations);
}

TEST(FuseActivationsTest, ASecondActivationStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 4});
  const Value y = lrt::Unary(t.b, BuiltinOperator::RELU, lrt::Add(t.b, x, x));
  t.Output(lrt::Unary(t.b, BuiltinOperator::RELU6, y));
  FuseActivations(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
