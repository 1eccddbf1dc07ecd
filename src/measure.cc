#include "measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "ir/builder.h"
#include "litert/writer.h"
#include "util/cancelled.h"

namespace keras_litert {
namespace {

using ir::DType;
using ir::Module;
using ir::Operator;
using ir::Tensor;

// The module with other outputs, all float32 and named 0, 1 …, as long as this object lives.
class OtherOutputs {
 public:
  OtherOutputs(Module& module, const std::vector<Tensor*>& tensors)
      : module_(module),
        outputs_(std::move(module.main().outputs())),
        names_(std::move(module.output_names)) {
    ir::BuildContext context{module, {}, {}, 0};
    ir::Builder b(context, module.main());
    module.main().outputs().clear();
    module.output_names.clear();
    for (Tensor* tensor : tensors) {
      if (tensor->type.dtype != DType::kFloat32) {
        tensor = b.Emit(ir::BuiltinOperator::DEQUANTIZE, {ir::Value(tensor)},
                        {DType::kFloat32, tensor->type.shape})
                     .tensor();
        added_.push_back(tensor->producer);
      }
      module.output_names.push_back(std::to_string(module.output_names.size()));
      module.main().outputs().push_back(tensor);
    }
  }
  ~OtherOutputs() {
    module_.main().outputs() = std::move(outputs_);
    module_.output_names = std::move(names_);
    for (Operator* op : added_) module_.main().Erase(op);
  }
  OtherOutputs(const OtherOutputs&) = delete;
  OtherOutputs& operator=(const OtherOutputs&) = delete;

 private:
  Module& module_;
  std::vector<Tensor*> outputs_;
  std::vector<std::string> names_;
  std::vector<Operator*> added_;
};

// Sums over elements of two runs of one tensor.
struct Sums {
  double signal = 0;
  double noise = 0;
  double largest = 0;  // difference
  double least_value = std::numeric_limits<double>::infinity();
  double most_value = -std::numeric_limits<double>::infinity();

  void Add(const litert::Array& expected, const litert::Array& actual) {
    const size_t count = std::min(expected.bytes.size(), actual.bytes.size()) / sizeof(float);
    for (size_t i = 0; i < count; ++i) {
      float want;
      float got;
      std::memcpy(&want, expected.bytes.data() + i * sizeof(float), sizeof(float));
      std::memcpy(&got, actual.bytes.data() + i * sizeof(float), sizeof(float));
      if (!std::isfinite(want) || !std::isfinite(got)) continue;
      const double error = static_cast<double>(got) - want;
      signal += static_cast<double>(want) * want;
      noise += error * error;
      largest = std::max(largest, std::fabs(error));
      least_value = std::min<double>(least_value, want);
      most_value = std::max<double>(most_value, want);
    }
  }

  // 10·log10(Σx² / Σ(x − x̂)²); infinite where they are equal.
  double Decibels() const {
    if (noise == 0) return std::numeric_limits<double>::infinity();
    return 10 * std::log10(signal / noise);
  }
};

Result<const litert::Array*> Output(const litert::LoadedModel& model,
                                    const std::vector<litert::Array>& outputs,
                                    const std::string& name) {
  const auto& names = model.output_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return Fail("", "internal-measure", fmt::format("LiteRT does not know output {}", name));
  }
  return &outputs[static_cast<size_t>(found - names.begin())];
}

Result<const litert::Array*> Output(const litert::LoadedModel& model,
                                    const std::vector<litert::Array>& outputs, size_t index) {
  return Output(model, outputs, std::to_string(index));
}

OutputError ErrorOf(const std::string& name, const Sums& sums) {
  const double range = sums.most_value - sums.least_value;
  return {name, sums.Decibels(), sums.largest, range > 0 ? sums.largest / range : 0};
}

// The batch in the dtypes of the module's inputs, some of which are integers now.
Result<std::vector<litert::Array>> AsInputs(const Module& module,
                                            const std::vector<litert::Array>& batch) {
  std::vector<litert::Array> inputs = batch;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = *module.main().inputs()[i];
    if (input.quantization == nullptr || input.type.dtype == inputs[i].type.dtype) continue;
    const quantize::Affine affine{input.type.dtype, input.quantization->scale[0],
                                  static_cast<int32_t>(input.quantization->zero_point[0])};
    const ir::ConstantPtr given = ir::ViewConstant(inputs[i].type, batch[i].bytes, nullptr);
    KL_ASSIGN_OR_RETURN(inputs[i].bytes, ir::EvaluateBytes(*quantize::ToAffine(given, affine)));
    inputs[i].type.dtype = affine.dtype;
  }
  return inputs;
}

template <typename T>
void Unpack(const std::vector<std::byte>& from, double scale, double zero, float* to) {
  for (size_t i = 0; i < from.size() / sizeof(T); ++i) {
    T q;
    std::memcpy(&q, from.data() + i * sizeof(T), sizeof(T));
    to[i] = static_cast<float>(scale * (static_cast<double>(q) - zero));
  }
}

// What a file gave for `output`, which may be in integers.
litert::Array AsFloats(const litert::Array& given, const Tensor& output) {
  const DType dtype = given.type.dtype;
  if (output.quantization == nullptr || dtype == DType::kFloat32) return given;
  const size_t count = given.bytes.size() / ir::SizeOf(dtype);
  std::vector<float> values(count);
  const double scale = output.quantization->scale[0];
  const auto zero = static_cast<double>(output.quantization->zero_point[0]);
  if (dtype == DType::kInt8) Unpack<int8_t>(given.bytes, scale, zero, values.data());
  if (dtype == DType::kUInt8) Unpack<uint8_t>(given.bytes, scale, zero, values.data());
  if (dtype == DType::kInt16) Unpack<int16_t>(given.bytes, scale, zero, values.data());
  litert::Array result{{DType::kFloat32, given.type.shape}, {}};
  result.bytes.resize(count * sizeof(float));
  std::memcpy(result.bytes.data(), values.data(), result.bytes.size());
  return result;
}

}  // namespace

Result<std::unique_ptr<Measurement>> Measurement::Start(Module& module,
                                                        const std::filesystem::path& output) {
  std::unique_ptr<Measurement> measurement(new Measurement(output));
  std::vector<Tensor*> tensors;
  const std::vector<Tensor*>& outputs = module.main().outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i]->type.dtype != DType::kFloat32 || outputs[i]->is_constant()) continue;
    measurement->outputs_.push_back(i);
    tensors.push_back(outputs[i]);
  }
  for (const Operator* op = module.main().first(); op != nullptr; op = op->next) {
    if (op->outputs.empty() || op->output()->type.dtype != DType::kFloat32) continue;
    measurement->probes_.push_back(op->output());
    tensors.push_back(op->output());
  }
  const OtherOutputs others(module, tensors);
  KL_RETURN_IF_ERROR(litert::WriteFile(module, measurement->float_file_.path()));
  return measurement;
}

Result<std::vector<OutputError>> Measurement::Finish(Module& module, quantize::Quantized& quantized,
                                                     const Batches& batches,
                                                     const CalibrateOptions& options,
                                                     const std::function<bool()>& cancelled) {
  // What is compared: position in the float file, tensor of the quantized one, place of the result.
  std::vector<size_t> positions;
  std::vector<Tensor*> tensors;
  std::vector<double*> results;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    positions.push_back(i);
    tensors.push_back(module.main().outputs()[outputs_[i]]);
    results.push_back(nullptr);
  }
  for (size_t i = 0; i < quantized.reports.size(); ++i) {
    const auto found = std::find(probes_.begin(), probes_.end(), quantized.outputs[i]);
    if (quantized.outputs[i] == nullptr || found == probes_.end()) continue;
    positions.push_back(outputs_.size() + static_cast<size_t>(found - probes_.begin()));
    tensors.push_back(quantized.outputs[i]);
    results.push_back(&quantized.reports[i].output_sqnr);
  }
  if (tensors.empty()) return std::vector<OutputError>();

  const ScratchFile file(output_);
  {
    const OtherOutputs others(module, tensors);
    KL_RETURN_IF_ERROR(litert::WriteFile(module, file.path()));
  }
  KL_ASSIGN_OR_RETURN(const auto runtime, litert::Runtime::Open(options.runtime));
  KL_ASSIGN_OR_RETURN(const auto exact, runtime->Load(float_file_.path()));
  KL_ASSIGN_OR_RETURN(const auto rounded, runtime->Load(file.path()));
  std::vector<Sums> sums(tensors.size());
  for (size_t n = 0; n < std::min(batches.size(), kMostBatches); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const auto expected, RunBatch(*exact, batches[n], module.input_names));
    KL_ASSIGN_OR_RETURN(const auto inputs, AsInputs(module, batches[n]));
    KL_ASSIGN_OR_RETURN(const auto actual, RunBatch(*rounded, inputs, module.input_names));
    for (size_t i = 0; i < tensors.size(); ++i) {
      KL_ASSIGN_OR_RETURN(const litert::Array* want, Output(*exact, expected, positions[i]));
      KL_ASSIGN_OR_RETURN(const litert::Array* got, Output(*rounded, actual, i));
      sums[i].Add(*want, *got);
    }
  }
  std::vector<OutputError> errors;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (results[i] != nullptr) {
      *results[i] = sums[i].Decibels();
      continue;
    }
    errors.push_back(ErrorOf(module.output_names[outputs_[i]], sums[i]));
  }
  return errors;
}

Result<std::unique_ptr<FloatRun>> FloatRun::Start(const Module& module, const Batches& batches,
                                                  const CalibrateOptions& options,
                                                  const std::filesystem::path& output,
                                                  const std::function<bool()>& cancelled) {
  std::unique_ptr<FloatRun> run(new FloatRun(batches));
  const std::vector<Tensor*>& outputs = module.main().outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i]->type.dtype == DType::kFloat32 && !outputs[i]->is_constant()) {
      run->outputs_.push_back(i);
    }
  }
  if (run->outputs_.empty()) {
    return Fail("", "auto-3", "the model has no float outputs whose error could be measured",
                "Choose a recipe by name instead of auto.");
  }
  const ScratchFile file(output);
  litert::WriteOptions write;
  write.cancelled = cancelled;
  KL_RETURN_IF_ERROR(litert::WriteFile(module, file.path(), write));
  KL_ASSIGN_OR_RETURN(run->runtime_, litert::Runtime::Open(options.runtime));
  KL_ASSIGN_OR_RETURN(const auto loaded, run->runtime_->Load(file.path()));
  for (size_t n = 0; n < std::min(batches.size(), kMostBatches); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const auto results, RunBatch(*loaded, batches[n], module.input_names));
    std::vector<litert::Array>& expected = run->expected_.emplace_back();
    for (const size_t i : run->outputs_) {
      KL_ASSIGN_OR_RETURN(const litert::Array* result,
                          Output(*loaded, results, module.output_names[i]));
      expected.push_back(*result);
    }
  }
  return run;
}

Result<std::vector<OutputError>> FloatRun::Compare(const Module& module,
                                                   const std::filesystem::path& file,
                                                   size_t most_batches,
                                                   const std::function<bool()>& cancelled) const {
  KL_ASSIGN_OR_RETURN(const auto loaded, runtime_->Load(file));
  std::vector<Sums> sums(outputs_.size());
  for (size_t n = 0; n < std::min(expected_.size(), most_batches); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const auto inputs, AsInputs(module, batches_[n]));
    KL_ASSIGN_OR_RETURN(const auto results, RunBatch(*loaded, inputs, module.input_names));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      KL_ASSIGN_OR_RETURN(const litert::Array* got,
                          Output(*loaded, results, module.output_names[outputs_[i]]));
      sums[i].Add(expected_[n][i], AsFloats(*got, *module.main().outputs()[outputs_[i]]));
    }
  }
  std::vector<OutputError> errors;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    errors.push_back(ErrorOf(module.output_names[outputs_[i]], sums[i]));
  }
  return errors;
}

}  // namespace keras_litert
