#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(EliminateCommonSubexpressionsTest, MergesEqualOperators) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4});
  const Value a = lrt::Mul(t.b, x, t.Ramp({4}));
  const Value b = lrt::Mul(t.b, x, t.Ramp({4}));
  const Value c = lrt::Mul(t.b, x, t.Ramp({4}, 2));
  t.Output(lrt::Add(t.b, lrt::Add(t.b, a, b), c));
  ExpectRewrite("eliminate_common_subexpressions", t, EliminateCommonSubexpressions);
}

TEST(EliminateCommonSubexpressionsTest, AttributesAndRandomNumbersKeepOperatorsApart) {
  TestModule t;
  const Value x = t.Input("x", {2, 4});
  t.Output(lrt::Concatenation(t.b,
                              {lrt::Softmax(t.b, x, 1), lrt::Softmax(t.b, x, 2),
                               t.b.Emit(BuiltinOperator::RANDOM_UNIFORM, tflite::RandomOptionsT(),
                                        {t.b.Vector({2, 4})}, {DType::kFloat32, {2, 4}}),
                               t.b.Emit(BuiltinOperator::RANDOM_UNIFORM, tflite::RandomOptionsT(),
                                        {t.b.Vector({2, 4})}, {DType::kFloat32, {2, 4}})},
                              1));
  EliminateCommonSubexpressions(t.module);
  EXPECT_EQ(t.NumOperators(), 5U);
}

TEST(EliminateCommonSubexpressionsTest, MasksOfEqualBytesAreOne) {
  TestModule t;
  const Value x = t.Input("x", {1, 1, 64}, DType::kInt32);
  const auto mask = [&] {
    return t.b.Constant(DType::kInt32, {1, 64, 64}, std::vector<int32_t>(64 * 64, 1));
  };
  t.Output(lrt::Add(t.b, lrt::Minimum(t.b, x, mask()), lrt::Minimum(t.b, x, mask())));
  EliminateCommonSubexpressions(t.module);
  EXPECT_EQ(t.NumOperators(), 2U);
}

}  // namespace
}  // namespace keras_litert::passes
