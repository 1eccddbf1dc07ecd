#include "litert/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "ir/operators.h"

namespace keras_litert::litert {
namespace {

using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class WriterTest : public ::testing::Test {
 protected:
  WriterTest() {
    directory_ = std::filesystem::path(::testing::TempDir()) /
                 ("writer_test_" +
                  std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~WriterTest() override { std::filesystem::remove_all(directory_); }

  // Writes the module and keeps the file's bytes, verified as a FlatBuffer.
  const tflite::Model& Write(const WriteOptions& options = {}) {
    const std::filesystem::path path = directory_ / "model.tflite";
    auto size = WriteFile(module_, path, options);
    EXPECT_TRUE(size.has_value()) << size.error().ToString();
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(static_cast<int64_t>(bytes_.size()), *size);
    flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size());
    EXPECT_TRUE(tflite::VerifyModelBuffer(verifier));
    return *tflite::GetModel(bytes_.data());
  }
  Value Input(const std::string& name, Shape shape, DType dtype = DType::kFloat32) {
    module_.input_names.push_back(name);
    return Value(module_.main().AddInput({dtype, std::move(shape)}, name));
  }
  void Output(const std::string& name, Value value) {
    module_.output_names.push_back(name);
    module_.main().outputs().push_back(value.tensor());
  }
  // The floats of a buffer in either form.
  std::vector<float> Floats(const tflite::Buffer& buffer) const {
    const bool external = buffer.offset() > 1;
    const void* data = external ? bytes_.data() + buffer.offset()
                                : reinterpret_cast<const char*>(buffer.data()->data());
    std::vector<float> values((external ? buffer.size() : buffer.data()->size()) / sizeof(float));
    std::memcpy(values.data(), data, values.size() * sizeof(float));
    return values;
  }
  std::vector<std::string> FilesLeft() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  ir::Module module_;
  ir::BuildContext context_{module_};
  ir::Builder b_{context_, module_.main()};
  std::filesystem::path directory_;
  std::string bytes_;
};

std::vector<float> Iota(size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

TEST_F(WriterTest, DenseLayer) {
  const Dim batch = module_.symbols.NewInput("batch");
  Value x = Input("x", {batch, 4});
  Value y = lrt::FullyConnected(b_, x, b_.Constant(DType::kFloat32, {3, 4}, Iota(12)),
                                b_.Constant(DType::kFloat32, {3}, Iota(3)), lrt::Activation::RELU);
  Output("scores", y);
  module_.description = "a dense layer";
  const tflite::Model& model = Write({.metadata = {{"note", "hello"}}});

  EXPECT_EQ(model.version(), 3U);
  EXPECT_EQ(model.description()->str(), "a dense layer");
  ASSERT_EQ(model.operator_codes()->size(), 1U);
  EXPECT_EQ(model.operator_codes()->Get(0)->builtin_code(), ir::BuiltinOperator::FULLY_CONNECTED);
  EXPECT_EQ(model.operator_codes()->Get(0)->deprecated_builtin_code(), 9);
  EXPECT_EQ(model.operator_codes()->Get(0)->version(), 1);
  const tflite::SubGraph& graph = *model.subgraphs()->Get(0);
  ASSERT_EQ(graph.tensors()->size(), 4U);
  const tflite::Tensor& input = *graph.tensors()->Get(graph.inputs()->Get(0));
  EXPECT_EQ(input.name()->str(), "x");
  EXPECT_THAT(*input.shape(), ElementsAre(1, 4));
  EXPECT_THAT(*input.shape_signature(), ElementsAre(-1, 4));
  EXPECT_EQ(input.buffer(), 0U);
  EXPECT_EQ(model.buffers()->Get(0)->data(), nullptr);
  const tflite::Operator& op = *graph.operators()->Get(0);
  EXPECT_EQ(op.builtin_options_as_FullyConnectedOptions()->fused_activation_function(),
            tflite::ActivationFunctionType::RELU);
  const tflite::Tensor& weights = *graph.tensors()->Get(op.inputs()->Get(1));
  EXPECT_EQ(weights.shape_signature(), nullptr);
  EXPECT_EQ(Floats(*model.buffers()->Get(weights.buffer())), Iota(12));
  const tflite::SignatureDef& signature = *model.signature_defs()->Get(0);
  EXPECT_EQ(signature.signature_key()->str(), "serving_default");
  EXPECT_EQ(signature.inputs()->Get(0)->name()->str(), "x");
  EXPECT_EQ(signature.outputs()->Get(0)->name()->str(), "scores");
  EXPECT_EQ(signature.outputs()->Get(0)->tensor_index(),
            static_cast<uint32_t>(graph.outputs()->Get(0)));
  EXPECT_EQ(model.metadata()->Get(0)->name()->str(), "note");
  const auto* note = model.buffers()->Get(model.metadata()->Get(0)->buffer())->data();
  EXPECT_EQ(std::string(note->begin(), note->end()), "hello");
}

TEST_F(WriterTest, WeightsLieBehindTheTablesInBothForms) {
  Value x = Input("x", {1, 40});
  Value w1 = b_.Constant(DType::kFloat32, {50, 40}, Iota(2000));
  Value w2 = b_.Constant(
      ir::Transposed(ir::MakeConstant<float>(DType::kFloat32, {50, 7}, Iota(350)), {1, 0}));
  Output("y", lrt::FullyConnected(b_, lrt::FullyConnected(b_, x, w1, {}), w2, {}));
  std::vector<float> transposed;
  for (int i = 0; i < 7; ++i) {
    for (int j = 0; j < 50; ++j) transposed.push_back(static_cast<float>(j * 7 + i + 1));
  }
  for (const bool external : {false, true}) {
    SCOPED_TRACE(external);
    const tflite::Model& model = Write({.external_weights_from = external ? 1 : int64_t{1} << 30});
    const tflite::SubGraph& graph = *model.subgraphs()->Get(0);
    std::vector<const tflite::Buffer*> buffers;
    for (const tflite::Operator* op : *graph.operators()) {
      buffers.push_back(model.buffers()->Get(graph.tensors()->Get(op->inputs()->Get(1))->buffer()));
    }
    for (const tflite::Buffer* buffer : buffers) {
      EXPECT_EQ(buffer->data() == nullptr, external);
      const size_t offset =
          external ? buffer->offset()
                   : static_cast<size_t>(reinterpret_cast<const char*>(buffer->data()->data()) -
                                         bytes_.data());
      EXPECT_EQ(offset % 16, 0U);
    }
    EXPECT_EQ(Floats(*buffers[0]), Iota(2000));
    EXPECT_EQ(Floats(*buffers[1]), transposed);
  }
}

TEST_F(WriterTest, EqualConstantsShareABuffer) {
  Value x = Input("x", {1, 300});
  ir::ConstantPtr large = ir::MakeConstant<float>(DType::kFloat32, {300}, Iota(300));
  Value y = lrt::Add(b_, lrt::Add(b_, x, b_.Constant(large)), b_.Constant(large));
  y = lrt::Add(b_, y, b_.Constant(DType::kFloat32, {2, 1}, Iota(2)));
  y = lrt::Add(b_, y, b_.Constant(DType::kFloat32, {1, 2, 1}, Iota(2)));  // same bytes, other shape
  Output("y", y);
  const tflite::Model& model = Write();
  EXPECT_EQ(model.buffers()->size(), 3U);
  EXPECT_EQ(model.subgraphs()->Get(0)->tensors()->size(), 1U + 3U + 4U);
}

// As in copies of a recurrent step, whose channels have a scale and an int64 zero point each.
TEST_F(WriterTest, EqualScalesAndShapesAreWrittenOnce) {
  const Value x = Input("x", {Dim(2), Dim(4)}, DType::kInt8);
  const auto channels = [&](float scale) {
    const Value constant = b_.Constant(ir::MakeConstant<int8_t>(
        DType::kInt8, {2, 4}, std::vector<int8_t>(8, static_cast<int8_t>(scale))));
    auto quantization = std::make_shared<tflite::QuantizationParametersT>();
    quantization->scale = {scale, 2};
    quantization->zero_point = {0, 0};
    constant.tensor()->quantization = quantization;
    return constant;
  };
  Value y = x;
  for (const float scale : {1.0F, 1.0F, 3.0F}) y = lrt::Add(b_, y, channels(scale));
  Output("y", y);
  const auto& tensors = *Write().subgraphs()->Get(0)->tensors();
  std::vector<const tflite::Tensor*> quantized;
  for (const tflite::Tensor* tensor : tensors) {
    EXPECT_EQ(tensor->shape(), tensors.Get(0)->shape());
    if (tensor->quantization() != nullptr) quantized.push_back(tensor);
  }
  ASSERT_EQ(quantized.size(), 3);
  const auto& [first, second, third] = std::tie(quantized[0], quantized[1], quantized[2]);
  EXPECT_EQ(first->quantization(), second->quantization());
  EXPECT_NE(first->quantization(), third->quantization());
  EXPECT_EQ(first->quantization()->zero_point(), third->quantization()->zero_point());
  EXPECT_EQ(third->quantization()->scale()->Get(0), 3);
  EXPECT_EQ(third->quantization()->zero_point()->size(), 2);
}

TEST_F(WriterTest, OutputsThatNoOperatorComputesAreCopied) {
  const Dim batch = module_.symbols.NewInput("batch");
  const Dim time = module_.symbols.NewInput("time");
  Value x = Input("x", {batch, 4});
  Value z = Input("z", {batch, time, 2});
  Value y = lrt::Unary(b_, ir::BuiltinOperator::TANH, x);
  Output("y", y);
  Output("y_again", y);
  Output("x_again", x);
  Output("z_again", z);
  Output("constant", b_.Constant(DType::kFloat32, {2}, Iota(2)));
  const tflite::Model& model = Write();
  const tflite::SubGraph& graph = *model.subgraphs()->Get(0);
  std::vector<int> outputs(graph.outputs()->begin(), graph.outputs()->end());
  std::sort(outputs.begin(), outputs.end());
  EXPECT_EQ(std::unique(outputs.begin(), outputs.end()), outputs.end());
  for (int output : outputs) {
    int producers = 0;
    for (const tflite::Operator* op : *graph.operators())
      producers += op->outputs()->Get(0) == output;
    EXPECT_EQ(producers, 1);
  }
  std::vector<std::string> names;
  for (const tflite::TensorMap* entry : *model.signature_defs()->Get(0)->outputs()) {
    names.push_back(
        graph.tensors()->Get(static_cast<uint32_t>(entry->tensor_index()))->name()->str());
  }
  EXPECT_THAT(names, ElementsAre("y", "y_again", "x_again", "z_again", "constant"));
}

TEST_F(WriterTest, NamesAreUnique) {
  Value x = Input("x", {4});
  {
    ir::Builder::Scope scope(b_, "block");
    x = lrt::Unary(b_, ir::BuiltinOperator::TANH, x);
    x = lrt::Unary(b_, ir::BuiltinOperator::TANH, x);
    x.tensor()->name = "x";
    x = lrt::Unary(b_, ir::BuiltinOperator::TANH, x);
  }
  Output("x", x);
  const tflite::Model& model = Write();
  std::vector<std::string> names;
  for (const tflite::Tensor* tensor : *model.subgraphs()->Get(0)->tensors())
    names.push_back(tensor->name()->str());
  EXPECT_THAT(names, ElementsAre("x", "block/TANH", "x_2", "x_1"));
}

TEST_F(WriterTest, CastOptionsAreFilledIn) {
  Output("y", lrt::Cast(b_, Input("x", {4}, DType::kInt64), DType::kBool));
  const auto* options =
      Write().subgraphs()->Get(0)->operators()->Get(0)->builtin_options_as_CastOptions();
  EXPECT_EQ(options->in_data_type(), tflite::TensorType::INT64);
  EXPECT_EQ(options->out_data_type(), tflite::TensorType::BOOL);
}

TEST_F(WriterTest, CodesBeyond127HaveAPlaceholder) {
  Output("y", lrt::Gelu(b_, Input("x", {4}), true));
  const tflite::OperatorCode& code = *Write().operator_codes()->Get(0);
  EXPECT_EQ(code.builtin_code(), ir::BuiltinOperator::GELU);
  EXPECT_EQ(code.deprecated_builtin_code(), 127);
}

TEST_F(WriterTest, SameModuleSameBytes) {
  Value x = Input("x", {1, 40});
  Output("y", lrt::FullyConnected(b_, x, b_.Constant(DType::kFloat32, {50, 40}, Iota(2000)), {}));
  Write();
  const std::string first = bytes_;
  Write();
  EXPECT_EQ(bytes_, first);
}

TEST_F(WriterTest, NothingIsLeftWhenAConstantFails) {
  Value x = Input("x", {1, 400});
  ir::ConstantPtr broken = ir::ReaderConstant({DType::kFloat32, {400}}, [](std::span<std::byte>) {
    return Status(keras_litert::Fail("weights", "read-1", "is truncated"));
  });
  Output("y", lrt::Add(b_, x, b_.Constant(broken)));
  auto result = WriteFile(module_, directory_ / "model.tflite");
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().ToString(), HasSubstr("is truncated"));
  EXPECT_THAT(FilesLeft(), UnorderedElementsAre());
}

TEST_F(WriterTest, TargetsThatCannotBeWrittenSaySo) {
  Output("y", lrt::Unary(b_, ir::BuiltinOperator::TANH, Input("x", {4})));
  auto missing = WriteFile(module_, directory_ / "no" / "model.tflite");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().ToString(), HasSubstr("Create the output directory first"));
  auto directory = WriteFile(module_, directory_);
  ASSERT_FALSE(directory.has_value());
  EXPECT_THAT(directory.error().ToString(), HasSubstr("is a directory"));
}

}  // namespace
}  // namespace keras_litert::litert
