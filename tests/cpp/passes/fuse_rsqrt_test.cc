#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Value;

TEST(FuseRsqrtTest, ReciprocalOfASquareRoot) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 8});
  const Value root = lrt::Unary(t.b, BuiltinOperator::SQRT, x);
  t.Output(lrt::Div(t.b, t.b.Scalar(1, DType::kFloat32), root));
  ExpectRewrite("fuse_rsqrt", t, [](ir::Module& m) {
    FuseRsqrt(m);
    RemoveDeadCode(m);
  });
}

TEST(FuseRsqrtTest, OtherNumeratorsAndWiderResultsStay) {
  TestModule t;
  const Value x = t.Input("x", {2, 8});
  const Value root = lrt::Unary(t.b, BuiltinOperator::SQRT, x);
  t.Output(lrt::Div(t.b, t.b.Scalar(2, DType::kFloat32), root));
  t.Output(lrt::Div(t.b, t.b.Constant(DType::kFloat32, {1, 1, 1}, std::vector<float>{1}), root));
  FuseRsqrt(t.module);
  EXPECT_EQ(t.NumOperators(), 3U);
}

}  // namespace
}  // namespace keras_litert::passes
