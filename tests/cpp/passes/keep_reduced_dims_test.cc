#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(KeepReducedDimsTest, ReshapeBehindMeanGoes) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 7, 7, 16});
  const Value mean = lrt::Reduce(t.b, BuiltinOperator::MEAN, x, {1, 2}, false);
  t.Output(lrt::Mul(t.b, x, lrt::Reshape(t.b, mean, {t.Batch(), 1, 1, 16})));
  ExpectRewrite("keep_reduced_dims", t, KeepReducedDims);
}

TEST(KeepReducedDimsTest, AnotherShapeStays) {
  TestModule t;
  const Value x = t.Input("x", {2, 7, 7, 16});
  const Value mean = lrt::Reduce(t.b, BuiltinOperator::MEAN, x, {1, 2}, false);
  t.Output(lrt::Reshape(t.b, mean, {2, 1, 16}));
  KeepReducedDims(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
