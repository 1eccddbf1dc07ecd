#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(MatmulToFullyConnectedTest, ConstantMatrixBecomesWeights) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 5, 2});
  const Value y = lrt::BatchMatMul(t.b, x, t.Ramp({2, 3}));
  t.Output(lrt::BatchMatMul(t.b, y, t.Ramp({2, 3}), false, /*adj_y=*/true));
  ExpectRewrite("matmul_to_fully_connected", t, MatmulToFullyConnected);
}

TEST(MatmulToFullyConnectedTest, BatchedConstantsStay) {
  TestModule t;
  const Value x = t.Input("x", {4, 5, 2});
  t.Output(lrt::BatchMatMul(t.b, x, t.Ramp({4, 2, 3})));
  t.Output(lrt::BatchMatMul(t.b, x, t.Ramp({5, 3}), /*adj_x=*/true));
  MatmulToFullyConnected(t.module);
  for (const ir::Operator* op : t.module.main().Operators()) {
    EXPECT_EQ(op->code, BuiltinOperator::BATCH_MATMUL);
  }
}

}  // namespace
}  // namespace keras_litert::passes
