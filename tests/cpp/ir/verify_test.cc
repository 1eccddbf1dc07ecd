#include "ir/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/operators.h"

namespace keras_litert::ir {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VerifyTest : public ::testing::Test {
 protected:
  Value Input(Shape shape, DType dtype = DType::kFloat32) {
    module_.input_names.push_back("x" + std::to_string(module_.input_names.size()));
    return Value(module_.main().AddInput({dtype, std::move(shape)}, module_.input_names.back()));
  }
  void Output(Value value) {
    module_.output_names.push_back("y" + std::to_string(module_.output_names.size()));
    module_.main().outputs().push_back(value.tensor());
  }
  Value Floats(Shape shape) {
    const auto n = static_cast<size_t>(shape.NumElements());
    return b_.Constant(DType::kFloat32, shape, std::vector<float>(n));
  }
  // The code of the only problem, or all of them as text.
  std::string Problem() const {
    const std::vector<Diagnostic> problems = Verify(module_);
    if (problems.size() == 1) return problems[0].code;
    std::string text;
    for (const Diagnostic& problem : problems) text += problem.ToString() + "\n";
    return text;
  }

  Module module_;
  BuildContext context_{module_, {}, {}, 0};
  Builder b_{context_, module_.main()};
};

TEST_F(VerifyTest, AcceptsWhatTheBuildersMake) {
  const Dim batch = module_.symbols.NewInput("batch");
  Value x = Input({batch, 9, 9, 4});
  x = lrt::Conv2D(b_, x, Floats({8, 3, 3, 4}), Floats({8}), {.stride_h = 2, .stride_w = 2});
  x = lrt::DepthwiseConv2D(b_, x, Floats({1, 3, 3, 16}), {}, {.padding = tflite::Padding::SAME}, 2);
  x = lrt::MaxPool2D(b_, x, {.height = 2, .width = 2, .stride_h = 2, .stride_w = 2});
  x = lrt::Pad(b_, x, {{}, {1, 0}, {0, 1}, {}});
  x = lrt::Transpose(b_, x, {0, 3, 1, 2});
  x = lrt::Reduce(b_, BuiltinOperator::MEAN, x, {2, 3}, false);
  x = lrt::FullyConnected(b_, x, Floats({5, 16}), Floats({5}), lrt::Activation::RELU);
  x = lrt::Concatenation(b_, {x, lrt::Mul(b_, x, Floats({1, 5}))}, -1);
  x = lrt::Reshape(b_, x, {batch, 2, 5});
  x = lrt::BatchMatMul(b_, x, lrt::Unary(b_, BuiltinOperator::TANH, x), false, true);
  x = lrt::Gather(b_, x, Input({3}, DType::kInt32), 1);
  std::vector<Value> parts = lrt::Unpack(b_, x, 1);
  Output(lrt::Softmax(b_, lrt::Pack(b_, parts, 2)));
  ASSERT_THAT(context_.errors, IsEmpty());
  EXPECT_THAT(Verify(module_), IsEmpty());
}

TEST_F(VerifyTest, AnOperatorReadsWhatComesBefore) {
  Value x = Input({4});
  Value y = lrt::Unary(b_, BuiltinOperator::TANH, x);
  Value z = lrt::Unary(b_, BuiltinOperator::EXP, y);
  Output(z);
  module_.main().MoveBefore(z.tensor()->producer, y.tensor()->producer);
  EXPECT_EQ(Problem(), "verify-1");
}

TEST_F(VerifyTest, OutputsAreComputed) {
  Output(lrt::Unary(b_, BuiltinOperator::TANH, Input({4})));
  module_.main().Erase(module_.main().first());
  EXPECT_EQ(Problem(), "verify-1");
}

TEST_F(VerifyTest, UsersAreListed) {
  Value x = Input({4});
  Output(lrt::Unary(b_, BuiltinOperator::TANH, x));
  x.tensor()->users.clear();
  EXPECT_EQ(Problem(), "verify-2");
}

TEST_F(VerifyTest, TensorsOfOtherGraphsAreNotRead) {
  Graph& other = module_.AddGraph("other");
  Tensor* foreign = other.AddInput({DType::kFloat32, {4}}, "a");
  Value x = Input({4});
  Value y = lrt::Add(b_, x, x);
  Output(y);
  module_.main().SetInput(y.tensor()->producer, 1, foreign);
  EXPECT_EQ(Problem(), "verify-2");
}

TEST_F(VerifyTest, ArityAndOptions) {
  Value x = Input({4});
  Tensor* y = module_.main().AddTensor({DType::kFloat32, {4}});
  module_.main().AddOperator(BuiltinOperator::ADD, {x.tensor()}, {y});
  Output(Value(y));
  EXPECT_EQ(Problem(), "verify-3");
}

TEST_F(VerifyTest, OptionsAreTheOperators) {
  Value x = Input({4});
  Tensor* y = module_.main().AddTensor({DType::kFloat32, {4}});
  Operator* op = module_.main().AddOperator(BuiltinOperator::ADD, {x.tensor(), x.tensor()}, {y});
  op->options.Set(tflite::SubOptionsT{});
  Output(Value(y));
  EXPECT_EQ(Problem(), "verify-3");
}

TEST_F(VerifyTest, OperandsShareADType) {
  Value x = Input({4});
  Value y = lrt::Add(b_, x, x);
  Output(y);
  y.tensor()->type.dtype = DType::kInt32;
  EXPECT_EQ(Problem(), "verify-4");
}

TEST_F(VerifyTest, ConstantsHaveTheirTensorsType) {
  Value c = Floats({4});
  Output(lrt::Add(b_, Input({4}), c));
  c.tensor()->type.shape = {1};
  EXPECT_EQ(Problem(), "verify-4");
}

TEST_F(VerifyTest, ShapesFollowFromOperands) {
  struct Case {
    const char* name;
    Value value;
    Shape wrong;
  };
  Value x = Input({2, 9, 9, 4});
  Value m = Input({6, 4});
  const std::vector<Case> cases = {
      {"broadcast", lrt::Add(b_, x, Floats({4})), {2, 9, 9, 1}},
      {"unary", lrt::Unary(b_, BuiltinOperator::EXP, m), {6, 5}},
      {"convolution", lrt::Conv2D(b_, x, Floats({8, 3, 3, 4}), {}, {}), {2, 9, 9, 8}},
      {"depthwise", lrt::DepthwiseConv2D(b_, x, Floats({1, 3, 3, 4}), {}, {}, 1), {2, 7, 7, 8}},
      {"pool", lrt::AveragePool2D(b_, x, {.height = 2, .width = 2}), {2, 8, 9, 4}},
      {"dense", lrt::FullyConnected(b_, m, Floats({3, 4}), {}), {6, 4}},
      {"product", lrt::BatchMatMul(b_, m, m, false, true), {6, 4}},
      {"reduce", lrt::Reduce(b_, BuiltinOperator::SUM, x, {1}, false), {2, 9, 9}},
      {"reshape", lrt::Reshape(b_, m, {8, 3}), {6, 4}},
      {"transpose", lrt::Transpose(b_, m, {1, 0}), {6, 4}},
      {"concatenation", lrt::Concatenation(b_, {m, m}, 0), {6, 4}},
      {"pack", lrt::Pack(b_, {m, m}, 0), {6, 2, 4}},
      {"unpack", lrt::Unpack(b_, m, 0)[3], {6}},
      {"pad", lrt::Pad(b_, m, {{1, 0}, {0, 0}}), {6, 4}},
      {"gather", lrt::Gather(b_, m, b_.Vector({0, 1}), 0), {6, 4}},
      {"shape", lrt::ShapeOf(b_, x), {3}},
  };
  ASSERT_THAT(Problem(), IsEmpty());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Shape right = c.value.shape();
    c.value.tensor()->type.shape = c.wrong;
    EXPECT_EQ(Problem(), "verify-5");
    c.value.tensor()->type.shape = right;
  }
  EXPECT_THAT(Problem(), IsEmpty());
}

TEST_F(VerifyTest, BiasAndWeightsFit) {
  Value x = Input({2, 9, 9, 4});
  Output(lrt::Conv2D(b_, x, Floats({8, 3, 3, 4}), Floats({7}), {}));
  EXPECT_EQ(Problem(), "verify-5");
}

TEST_F(VerifyTest, CalledGraphsHaveTheLoopsTypes) {
  Graph& condition = module_.AddGraph("condition");
  Graph& body = module_.AddGraph("body");
  Builder in_condition = b_.In(condition);
  Builder in_body = b_.In(body);
  Value c(condition.AddInput({DType::kFloat32, {}}, "v"));
  condition.outputs() = {
      lrt::Compare(in_condition, BuiltinOperator::LESS, c, in_condition.Scalar(9, DType::kFloat32))
          .tensor()};
  Value v(body.AddInput({DType::kFloat32, {}}, "v"));
  body.outputs() = {lrt::Add(in_body, v, v).tensor()};
  Output(lrt::While(b_, condition, body, {Input({})})[0]);
  EXPECT_THAT(Problem(), IsEmpty());
  body.AddInput({DType::kFloat32, {}}, "unmatched");
  EXPECT_EQ(Problem(), "verify-6");
}

TEST_F(VerifyTest, NamesAreAsManyAsTensors) {
  Output(lrt::Unary(b_, BuiltinOperator::TANH, Input({4})));
  module_.output_names.push_back("another");
  EXPECT_EQ(Problem(), "verify-7");
}

}  // namespace
}  // namespace keras_litert::ir
