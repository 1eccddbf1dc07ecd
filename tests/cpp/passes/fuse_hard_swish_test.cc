#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

Value SpelledOut(TestModule& t, Value x, double shift) {
  const Value relu6 =
      lrt::Unary(t.b, BuiltinOperator::RELU6, lrt::Add(t.b, x, t.b.Scalar(shift, DType::kFloat32)));
  return lrt::Mul(t.b, x, lrt::Mul(t.b, relu6, t.b.Scalar(1.0 / 6, DType::kFloat32)));
}

TEST(FuseHardSwishTest, BecomesOneOperator) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 8});
  t.Output(SpelledOut(t, x, 3));
  ExpectRewrite("fuse_hard_swish", t, [](ir::Module& m) {
    FuseHardSwish(m);
    RemoveDeadCode(m);
  });
}

TEST(FuseHardSwishTest, OtherShiftsStay) {
  TestModule t;
  const Value x = t.Input("x", {2, 8});
  t.Output(SpelledOut(t, x, 3.5));
  FuseHardSwish(t.module);
  EXPECT_EQ(t.NumOperators(), 4U);
}

}  // namespace
}  // namespace keras_litert::passes
