#include <gtest/gtest.h>

#include "ir/operators.h"
#include "ir/print.h"
#include "passes/check_types.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

class LegalizeTest : public testing::Test {
 protected:
  Value Input(DType dtype, const Shape& shape, const char* name) {
    return Value(module_.main().AddInput({dtype, shape}, name));
  }
  void Return(std::initializer_list<Value> values) {
    for (Value v : values) module_.main().outputs().push_back(v.tensor());
  }

  ir::Module module_;
  ir::BuildContext context_{module_, {}, {}, 0};
  ir::Builder b_{context_, module_.main()};
};

using LegalizeFloatsTest = LegalizeTest;
using LegalizeTypesTest = LegalizeTest;
using CheckTypesTest = LegalizeTest;

TEST_F(LegalizeFloatsTest, ComputesInFloat32BetweenTheModelsOwnTypes) {
  const Value x = Input(DType::kFloat16, {2}, "x");
  const Value y = lrt::Add(b_, x, b_.Scalar(0.5, DType::kFloat16));
  Return({lrt::Unary(b_, BuiltinOperator::TANH, y)});
  LegalizeFloats(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 x : float16[2]) {\n"
            "  %1 = CAST(%0) : float32[2]\n"
            "  %2 = ADD(%1, const float32[] 0.5) {pot_scale_int16=false} : float32[2]\n"
            "  %3 = TANH(%2) : float32[2]\n"
            "  %4 = CAST(%3) : float16[2]\n"
            "  return %4\n"
            "}\n");
}

// mixed_float16: float32 inputs and weights, float16 in between.
TEST_F(LegalizeFloatsTest, DropsCastsBetweenFloats) {
  const Value x = Input(DType::kFloat32, {2}, "x");
  const Value y = lrt::Unary(b_, BuiltinOperator::EXP, lrt::Cast(b_, x, DType::kFloat16));
  Return({lrt::Cast(b_, y, DType::kFloat32), y, y});
  LegalizeFloats(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 x : float32[2]) {\n"
            "  %1 = EXP(%0) : float32[2]\n"
            "  %2 = CAST(%1) : float16[2]\n"
            "  return %1, %2, %2\n"
            "}\n");
}

TEST_F(LegalizeFloatsTest, TakesWeightsWithoutARoundingToFloat16) {
  const ir::ConstantPtr stored =
      ir::MakeConstant<float>(DType::kFloat32, {1, 2}, {0.1F, 1e-9F});  // 1e-9 is 0 in float16
  const Value x = Input(DType::kFloat32, {2, 1}, "x");
  const Value w = lrt::Transpose(b_, lrt::Cast(b_, b_.Constant(stored), DType::kFloat16), {1, 0});
  Return({lrt::Mul(b_, lrt::Cast(b_, x, DType::kFloat16), w)});
  LegalizeFloats(module_);
  const ir::ConstantPtr& used = module_.main().first()->inputs[1]->constant;
  EXPECT_EQ(used->type(), (ir::TensorType{DType::kFloat32, {2, 1}}));
  EXPECT_EQ(*ir::EvaluateAs<float>(used), (std::vector<float>{0.1F, 1e-9F}));
}

TEST_F(LegalizeFloatsTest, LeavesInputsThatAreOutputsAlone) {
  const Value x = Input(DType::kFloat64, {2}, "x");
  Return({x, lrt::Unary(b_, BuiltinOperator::NEG, x)});
  LegalizeFloats(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 x : float64[2]) {\n"
            "  %1 = CAST(%0) : float32[2]\n"
            "  %2 = NEG(%1) : float32[2]\n"
            "  %3 = CAST(%2) : float64[2]\n"
            "  return %0, %3\n"
            "}\n");
}

TEST_F(LegalizeFloatsTest, ReachesTheBodiesOfLoops) {
  const Value x = Input(DType::kBFloat16, {2}, "x");
  ir::Graph& condition = module_.AddGraph("condition");
  ir::Graph& body = module_.AddGraph("body");
  condition.AddInput({DType::kBFloat16, {2}}, "state");
  ir::Builder in_condition = b_.In(condition);
  condition.outputs() = {in_condition.Scalar(0, DType::kBool).tensor()};
  const Value state(body.AddInput({DType::kBFloat16, {2}}, "state"));
  ir::Builder in_body = b_.In(body);
  body.outputs() = {lrt::Mul(in_body, state, in_body.Scalar(2, DType::kBFloat16)).tensor()};
  Return({lrt::While(b_, condition, body, {x})[0]});
  LegalizeFloats(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 x : bfloat16[2]) {\n"
            "  %1 = CAST(%0) : float32[2]\n"
            "  %2 = WHILE(%1) {cond_subgraph_index=1, body_subgraph_index=2} : float32[2]\n"
            "  %3 = CAST(%2) : bfloat16[2]\n"
            "  return %3\n"
            "}\n"
            "\n"
            "graph condition(%0 state : float32[2]) {\n"
            "  return const bool[] false\n"
            "}\n"
            "\n"
            "graph body(%0 state : float32[2]) {\n"
            "  %1 = MUL(%0, const float32[] 2) : float32[2]\n"
            "  return %1\n"
            "}\n");
}

TEST_F(LegalizeTypesTest, ComputesSmallIntegersInWiderOnes) {
  const Value x = Input(DType::kUInt8, {2}, "x");
  Return({lrt::Add(b_, x, b_.Scalar(3, DType::kUInt8)), lrt::Mul(b_, x, x)});
  LegalizeTypes(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 x : uint8[2]) {\n"
            "  %1 = CAST(%0) : int32[2]\n"
            "  %2 = ADD(%1, const int32[] 3) {pot_scale_int16=false} : int32[2]\n"
            "  %3 = CAST(%2) : uint8[2]\n"
            "  %4 = CAST(%0) : int32[2]\n"
            "  %5 = MUL(%4, %4) : int32[2]\n"
            "  %6 = CAST(%5) : uint8[2]\n"
            "  return %3, %6\n"
            "}\n");
}

TEST_F(LegalizeTypesTest, LeavesResultsOfAnotherTypeAlone) {
  const Value x = Input(DType::kBool, {2}, "x");
  const Value y = Input(DType::kBool, {2}, "y");
  Return({lrt::Compare(b_, BuiltinOperator::LESS, x, y),
          lrt::Compare(b_, BuiltinOperator::EQUAL, x, y)});
  LegalizeTypes(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 x : bool[2], %1 y : bool[2]) {\n"
            "  %2 = CAST(%0) : int32[2]\n"
            "  %3 = CAST(%1) : int32[2]\n"
            "  %4 = LESS(%2, %3) : bool[2]\n"
            "  %5 = EQUAL(%0, %1) : bool[2]\n"
            "  return %4, %5\n"
            "}\n");
}

TEST_F(LegalizeTypesTest, CastsTheOperandsThatSelectChoosesFrom) {
  const Value c = Input(DType::kBool, {2}, "c");
  const Value x = Input(DType::kUInt16, {2}, "x");
  Return({lrt::Pad(b_, lrt::Select(b_, c, x, b_.Scalar(1, DType::kUInt16)), {{1, 0}})});
  LegalizeTypes(module_);
  EXPECT_EQ(ir::Print(module_),
            "graph main(%0 c : bool[2], %1 x : uint16[2]) {\n"
            "  %2 = SELECT_V2(%0, %1, const uint16[] 1) : uint16[2]\n"
            "  %3 = CAST(%2) : int32[2]\n"
            "  %4 = PAD(%3, const int32[1, 2] {1, 0}) : int32[3]\n"
            "  %5 = CAST(%4) : uint16[3]\n"
            "  return %5\n"
            "}\n");
}

TEST_F(CheckTypesTest, NamesTheLayerWhoseOperatorHasNoKernel) {
  const Value x = Input(DType::kUInt64, {2}, "x");
  {
    const ir::Builder::Scope model(b_, "encoder");
    const ir::Builder::Scope layer(b_, "add_3");
    Return({lrt::Add(b_, x, x)});
  }
  LegalizeTypes(module_);
  EXPECT_EQ(CheckTypes(module_),
            (std::vector<Diagnostic>{
                {"encoder/add_3", "dtype-2",
                 "ADD has no kernel for uint64, only for int32, int64, float32",
                 "Cast the layer's input to another dtype, such as int32 or float32."}}));
}

TEST_F(CheckTypesTest, AcceptsWhatWasLegalized) {
  const Value x = Input(DType::kInt8, {2}, "x");
  Return({lrt::Compare(b_, BuiltinOperator::LESS, x, lrt::Add(b_, x, x))});
  LegalizeTypes(module_);
  EXPECT_EQ(CheckTypes(module_), std::vector<Diagnostic>{});
}

}  // namespace
}  // namespace keras_litert::passes
