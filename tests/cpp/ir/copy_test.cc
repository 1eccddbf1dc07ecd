#include "ir/copy.h"

#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ir/operators.h"
#include "ir/print.h"
#include "ir/verify.h"

namespace keras_litert::ir {
namespace {

Module Example() {
  Module module;
  BuildContext context{module, {}, {}, 0};
  Builder b(context, module.main());
  const Dim batch = b.symbols().NewInput("batch");
  module.input_names = {"x"};
  const Value x(module.main().AddInput({DType::kFloat32, {batch, 2}}, "x"));
  const Value w = b.Constant(MakeConstant<float>(DType::kFloat32, {2, 2}, {1, 2, 3, 4}));
  const Value h = lrt::Unary(b, BuiltinOperator::TANH, x);
  const Value y = lrt::FullyConnected(b, h, w, {});
  module.main().outputs() = {y.tensor()};
  module.output_names = {"y"};
  return module;
}

TEST(CopyTest, ACopyIsTheSameAndLivesByItself) {
  const Module module = Example();
  const std::string text = Print(module);
  ModuleCopy copy = Copy(module);
  EXPECT_EQ(Print(copy.module), text);
  EXPECT_TRUE(Verify(copy.module).empty());
  EXPECT_EQ(copy.tensors.at(module.main().outputs()[0]), copy.module.main().outputs()[0]);

  Graph& graph = copy.module.main();
  Operator* tanh = graph.first();
  graph.ReplaceAllUses(tanh->output(), graph.inputs()[0]);
  graph.Erase(tanh);
  EXPECT_NE(Print(copy.module), text);
  EXPECT_EQ(Print(module), text);
  // What was erased is not copied again.
  EXPECT_EQ(Copy(copy.module).module.main().NumOperators(), 1U);
}

TEST(CopyTest, ScalesOfBlocksAreTheCopys) {
  Module module = Example();
  Graph& graph = module.main();
  BuildContext context{module, {}, {}, 0};
  Builder b(context, graph);
  Operator* product = graph.outputs()[0]->producer;
  const Tensor* scales =
      b.Constant(MakeConstant<float>(DType::kFloat32, {2, 1}, {0.5F, 0.25F})).tensor();
  product->inputs[1]->block_scales = scales;

  const ModuleCopy copy = Copy(module);
  const Tensor* weights = copy.module.main().outputs()[0]->producer->inputs[1];
  ASSERT_NE(weights->block_scales, nullptr);
  EXPECT_EQ(weights->block_scales, copy.tensors.at(scales));
  EXPECT_EQ(weights->block_scales->graph, &copy.module.main());
}

}  // namespace
}  // namespace keras_litert::ir
