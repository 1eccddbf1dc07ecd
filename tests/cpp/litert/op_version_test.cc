// The versions that LiteRT's converter gives the same operators (its op_version_test.cc), for what
// we emit.
#include "litert/op_version.h"

#include <gtest/gtest.h>

#include "ir/operators.h"

namespace keras_litert::litert {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

class OpVersionTest : public ::testing::Test {
 protected:
  Value Input(Shape shape, DType dtype = DType::kFloat32) {
    return Value(module_.main().AddInput({dtype, std::move(shape)}, "x"));
  }
  Value Floats(Shape shape) {
    const auto n = static_cast<size_t>(shape.NumElements());
    return b_.Constant(DType::kFloat32, shape, std::vector<float>(n));
  }
  static int Version(Value value) { return OperatorVersion(*value.tensor()->producer); }
  static Value Quantized(Value value, size_t scales = 1) {
    auto q = std::make_shared<tflite::QuantizationParametersT>();
    q->scale.assign(scales, 0.5F);
    q->zero_point.assign(scales, 0);
    value.tensor()->quantization = q;
    return value;
  }

  ir::Module module_;
  ir::BuildContext context_{module_, {}, {}, 0};
  ir::Builder b_{context_, module_.main()};
};

TEST_F(OpVersionTest, FloatOperatorsAreOfTheFirstVersion) {
  Value x = Input({1, 8, 8, 4});
  EXPECT_EQ(Version(lrt::Conv2D(b_, x, Floats({8, 3, 3, 4}), Floats({8}), {})), 1);
  EXPECT_EQ(Version(lrt::DepthwiseConv2D(b_, x, Floats({1, 3, 3, 4}), Floats({4}), {}, 1)), 1);
  EXPECT_EQ(Version(lrt::FullyConnected(b_, Input({1, 4}), Floats({3, 4}), Floats({3}))), 1);
  EXPECT_EQ(Version(lrt::Add(b_, x, x)), 1);
  EXPECT_EQ(Version(lrt::Softmax(b_, x)), 1);
  EXPECT_EQ(Version(lrt::Transpose(b_, x, {0, 3, 1, 2})), 1);
  EXPECT_EQ(Version(lrt::Reduce(b_, BuiltinOperator::MEAN, x, {1, 2}, false)), 1);
}

TEST_F(OpVersionTest, AttributesRaiseTheVersion) {
  Value x = Input({1, 8, 8, 4});
  EXPECT_EQ(Version(lrt::Conv2D(b_, x, Floats({8, 3, 3, 2}), Floats({8}), {})), 6) << "groups";
  EXPECT_EQ(Version(lrt::DepthwiseConv2D(b_, x, Floats({1, 3, 3, 4}), Floats({4}),
                                         {.dilation_h = 2, .dilation_w = 2}, 1)),
            2);
  EXPECT_EQ(Version(lrt::FullyConnected(b_, Input({1, 2, 4}), Floats({3, 4}), Floats({3}))), 5)
      << "keeps leading axes";
  EXPECT_EQ(Version(lrt::ResizeBilinear(b_, x, 16, 16, false, true)), 3);
  EXPECT_EQ(Version(lrt::ResizeNearestNeighbor(b_, x, 16, 16, false, false)), 1);
  EXPECT_EQ(Version(lrt::Gather(b_, x, Input({1, 2}, DType::kInt32), 1, 1)), 5) << "batch axes";
  EXPECT_EQ(Version(lrt::TransposeConv(b_, x, Floats({2, 2, 2, 4}), Floats({2}), {1, 16, 16, 2},
                                       {.stride_h = 2, .stride_w = 2})),
            3)
      << "bias";
  EXPECT_EQ(Version(lrt::TransposeConv(b_, x, Floats({2, 2, 2, 4}), {}, {1, 16, 16, 2},
                                       {.stride_h = 2, .stride_w = 2}, lrt::Activation::RELU)),
            4);
}

TEST_F(OpVersionTest, DTypesRaiseTheVersion) {
  EXPECT_EQ(Version(lrt::Add(b_, Input({4}, DType::kInt64), Input({4}, DType::kInt64))), 4);
  EXPECT_EQ(Version(lrt::Mul(b_, Input({4}, DType::kInt64), Input({4}, DType::kInt64))), 5);
  EXPECT_EQ(Version(lrt::Cast(b_, Input({4}, DType::kFloat16), DType::kFloat32)), 5);
  EXPECT_EQ(Version(lrt::Cast(b_, Input({4}, DType::kBool), DType::kFloat32)), 1);
  EXPECT_EQ(Version(lrt::FloorDiv(b_, Input({4}), Input({4}))), 2);
  EXPECT_EQ(Version(lrt::Compare(b_, BuiltinOperator::EQUAL, Input({4}, DType::kBool),
                                 Input({4}, DType::kBool))),
            1);
  EXPECT_EQ(Version(lrt::Split(b_, Input({4}, DType::kInt32), 0, 2)[0]), 3);
  EXPECT_EQ(Version(lrt::Unary(b_, BuiltinOperator::ABS, Input({4}, DType::kInt32))), 5);
}

TEST_F(OpVersionTest, RanksRaiseTheVersion) {
  Value x = Input({1, 2, 3, 4, 5});
  EXPECT_EQ(Version(lrt::Transpose(b_, x, {4, 3, 2, 1, 0})), 4);
  EXPECT_EQ(Version(lrt::Pad(b_, x, {{}, {}, {}, {}, {1, 1}})), 4);
  EXPECT_EQ(Version(lrt::Sub(b_, x, x)), 1);
  EXPECT_EQ(Version(lrt::Sub(b_, x, Floats({5}))), 3) << "broadcast";
  EXPECT_EQ(Version(lrt::BroadcastTo(b_, Floats({5}), {2, 5})), 2) << "the first there is";
}

TEST_F(OpVersionTest, QuantizedProducts) {
  Value x = Quantized(Input({1, 4}, DType::kInt8));
  Value w = Quantized(b_.Constant(DType::kInt8, {3, 4}, std::vector<int8_t>(12)), 3);
  Value bias = b_.Constant(DType::kInt32, {3}, std::vector<int32_t>(3));
  EXPECT_EQ(Version(Quantized(lrt::FullyConnected(b_, x, w, bias))), 4);
  EXPECT_EQ(Version(lrt::FullyConnected(b_, Input({1, 4}), w, Floats({3}))), 12)
      << "float activations, a scale for each row";
  EXPECT_EQ(
      Version(lrt::FullyConnected(
          b_, Input({1, 4}), Quantized(b_.Constant(DType::kInt8, {3, 4}, std::vector<int8_t>(12))),
          Floats({3}))),
      3);
}

}  // namespace
}  // namespace keras_litert::litert
