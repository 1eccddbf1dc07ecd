#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(SimplifyArithmeticTest, PreprocessingChainBecomesOneAffineMap) {
  TestModule t;
  Value x = t.Input("x", {t.Batch(), 4, 4, 3});
  x = lrt::Mul(t.b, x, t.b.Scalar(0.5, DType::kFloat32));
  x = lrt::Add(t.b, x, t.b.Scalar(0, DType::kFloat32));
  x = lrt::Sub(t.b, x, t.Ramp({3}));
  x = lrt::Div(t.b, x, t.Ramp({1, 1, 1, 3}, 2));
  t.Output(x);
  ExpectRewrite("simplify_arithmetic", t, SimplifyArithmetic);
}

TEST(SimplifyArithmeticTest, ConstantsThatWidenTheResultStay) {
  TestModule t;
  const Value x = t.Input("x", {2, 1});
  t.Output(lrt::Add(t.b, lrt::Add(t.b, x, t.Ramp({3})), t.Ramp({3})));
  SimplifyArithmetic(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
