#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(RemoveDeadCodeTest, ErasesChainsThatNobodyReads) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4});
  lrt::Add(t.b, lrt::Mul(t.b, x, t.b.Scalar(2, DType::kFloat32)), x);
  t.Output(lrt::Unary(t.b, BuiltinOperator::RELU, x));
  ExpectRewrite("remove_dead_code", t, RemoveDeadCode);
}

TEST(RemoveDeadCodeTest, KeepsAnOperatorOfWhichOneResultIsRead) {
  TestModule t;
  const Value x = t.Input("x", {2, 8});
  t.Output(lrt::TopK(t.b, x, 3).indices);
  RemoveDeadCode(t.module);
  EXPECT_EQ(t.NumOperators(), 1U);
}

}  // namespace
}  // namespace keras_litert::passes
