#include "ir/print.h"

#include <gtest/gtest.h>

#include "ir/operators.h"

namespace keras_litert::ir {
namespace {

TEST(PrintTest, ShowsTypesAttributesAndSmallConstants) {
  Module module;
  BuildContext context{module};
  Builder b(context, module.main());
  const Dim batch = module.symbols.NewInput("batch");
  Value x(module.main().AddInput({DType::kFloat32, {batch, 8, 8, 3}}, "image"));
  Value filter = b.Constant(DType::kFloat32, Shape{4, 3, 3, 3}, std::vector<float>(108));
  Value y = lrt::Conv2D(b, x, filter, Builder::Absent(),
                        {.stride_h = 2, .stride_w = 2, .padding = lrt::Padding::SAME},
                        lrt::Activation::RELU6);
  Value mean = lrt::Reduce(b, BuiltinOperator::MEAN, y, {1, 2}, false);
  Value z = lrt::Add(b, mean,
                     b.Constant(DType::kFloat32, Shape{4}, std::vector<float>{1, -0.5F, 1e-9F, 0}));
  module.main().outputs() = {z.tensor()};
  EXPECT_EQ(Print(module),
            "graph main(%0 image : float32[batch#1, 8, 8, 3]) {\n"
            "  %1 = CONV_2D(%0, const float32[4, 3, 3, 3], %none) {stride_w=2, stride_h=2, "
            "fused_activation_function=RELU6} : float32[batch#1, 4, 4, 4]\n"
            "  %2 = MEAN(%1, const int32[2] {1, 2}) : float32[batch#1, 4]\n"
            "  %3 = ADD(%2, const float32[4] {1, -0.5, 1e-09, 0}) {pot_scale_int16=false} : "
            "float32[batch#1, 4]\n"
            "  return %3\n"
            "}\n");
}

TEST(PrintTest, ShowsVectorsOfOptionsTwo) {
  Module module;
  BuildContext context{module};
  Builder b(context, module.main());
  Value x(module.main().AddInput({DType::kFloat32, {2, 3}}, "x"));
  tflite::StablehloGatherOptionsT options;
  options.offset_dims = {0, 1};
  options.index_vector_dim = 2;
  Value y = b.Emit(BuiltinOperator::STABLEHLO_GATHER, options, {x, b.Vector({1})},
                   {DType::kFloat32, {3}});
  module.main().outputs() = {y.tensor()};
  EXPECT_EQ(Print(module),
            "graph main(%0 x : float32[2, 3]) {\n"
            "  %1 = STABLEHLO_GATHER(%0, const int32[1] {1}) {offset_dims=[0, 1], "
            "index_vector_dim=2} : float32[3]\n"
            "  return %1\n"
            "}\n");
}

}  // namespace
}  // namespace keras_litert::ir
