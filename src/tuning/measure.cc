#include "tuning/measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "litert/writer.h"
#include "util/cancelled.h"
#include "util/platform.h"

namespace keras_litert {
namespace {

using ir::DType;
using ir::Module;
using ir::Operator;
using ir::Tensor;

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
      if (!std::isfinite(want)) continue;
      // NaN or infinite where the float model is not: as wrong as can be, and still a number.
      const double error =
          std::isfinite(got) ? static_cast<double>(got) - want : std::numeric_limits<float>::max();
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

double NoiseOf(double sqnr) {
  return std::isnan(sqnr) ? 0 : std::pow(10.0, -sqnr / 10);
}

Result<std::unique_ptr<Measurement>> Measurement::Start(Module& module, const Batches& batches,
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
    tensors.push_back(op->output());
  }
  measurement->probes_.assign(tensors.begin(), tensors.end());
  measurement->plan_ = PlanProbes(module, tensors, batches);
  for (const std::vector<size_t>& group : measurement->plan_.groups) {
    std::vector<Tensor*> probed;
    for (const size_t i : group) probed.push_back(tensors[i]);
    const OtherOutputs others(module, probed);
    measurement->float_files_.push_back(std::make_unique<ScratchFile>(output));
    KL_RETURN_IF_ERROR(litert::WriteFile(module, measurement->float_files_.back()->path()));
  }
  return measurement;
}

Result<std::vector<OutputError>> Measurement::Finish(Module& module, quantize::Quantized& quantized,
                                                     const Batches& batches,
                                                     const CalibrateOptions& options,
                                                     const std::function<bool()>& cancelled) {
  KL_ASSIGN_OR_RETURN(const auto runtime, litert::Runtime::Open(options.runtime));
  std::vector<OutputError> errors(outputs_.size());
  for (size_t g = 0; g < plan_.groups.size(); ++g) {
    // What is compared: position in the float file, tensor of the quantized one, and where the
    // result goes: outputs, then operators.
    struct Compared {
      size_t position = 0;
      double* result = nullptr;
      size_t output = 0;  // where `result` is null
      Sums sums = {};
    };
    std::vector<Compared> compared;
    std::vector<Tensor*> tensors;
    const std::vector<size_t>& group = plan_.groups[g];
    for (size_t position = 0; position < group.size(); ++position) {
      const size_t probe = group[position];
      if (probe < outputs_.size()) {
        compared.push_back({.position = position, .output = probe});
        tensors.push_back(module.main().outputs()[outputs_[probe]]);
        continue;
      }
      for (size_t i = 0; i < quantized.reports.size(); ++i) {
        if (quantized.outputs[i] == nullptr || quantized.outputs[i] != probes_[probe]) continue;
        compared.push_back({.position = position, .result = &quantized.reports[i].output_sqnr});
        tensors.push_back(quantized.outputs[i]);
      }
    }
    if (tensors.empty()) continue;

    const ScratchFile file(output_);
    {
      const OtherOutputs others(module, tensors);
      KL_RETURN_IF_ERROR(litert::WriteFile(module, file.path()));
    }
    KL_ASSIGN_OR_RETURN(const auto exact, runtime->Load(float_files_[g]->path(), DefaultThreads()));
    KL_ASSIGN_OR_RETURN(const auto rounded, runtime->Load(file.path(), DefaultThreads()));
    for (size_t i = 0; i < group.size(); ++i) {
      exact->Reserve(std::to_string(i), plan_.bytes[group[i]]);
    }
    for (size_t i = 0; i < compared.size(); ++i) {
      rounded->Reserve(std::to_string(i), plan_.bytes[group[compared[i].position]]);
    }
    KL_RETURN_IF_ERROR(ForEachPart(
        module, batches, kMostBatches, plan_.rows, cancelled,
        [&](const std::vector<litert::Array>& part) -> Status {
          KL_ASSIGN_OR_RETURN(const auto expected, RunBatch(*exact, part, module.input_names));
          KL_ASSIGN_OR_RETURN(const auto inputs, AsInputs(module, part));
          KL_ASSIGN_OR_RETURN(const auto actual, RunBatch(*rounded, inputs, module.input_names));
          for (size_t i = 0; i < compared.size(); ++i) {
            KL_ASSIGN_OR_RETURN(
                const litert::Array* want,
                OutputNamed(*exact, expected, std::to_string(compared[i].position)));
            KL_ASSIGN_OR_RETURN(const litert::Array* got,
                                OutputNamed(*rounded, actual, std::to_string(i)));
            compared[i].sums.Add(*want, *got);
          }
          return {};
        }));
    for (const Compared& one : compared) {
      if (one.result != nullptr) {
        *one.result = one.sums.Decibels();
      } else {
        errors[one.output] = ErrorOf(module.output_names[outputs_[one.output]], one.sums);
      }
    }
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
  KL_ASSIGN_OR_RETURN(const auto loaded, run->runtime_->Load(file.path(), DefaultThreads()));
  const std::vector<size_t> bytes = PlanProbes(module, outputs, batches).bytes;
  for (size_t i = 0; i < bytes.size(); ++i) loaded->Reserve(module.output_names[i], bytes[i]);
  for (size_t n = 0; n < std::min(batches.size(), kMostBatches); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const auto results, RunBatch(*loaded, batches[n], module.input_names));
    std::vector<litert::Array>& expected = run->expected_.emplace_back();
    for (const size_t i : run->outputs_) {
      KL_ASSIGN_OR_RETURN(const litert::Array* result,
                          OutputNamed(*loaded, results, module.output_names[i]));
      expected.push_back(*result);
    }
  }
  return run;
}

Result<std::vector<OutputError>> FloatRun::Compare(const Module& module,
                                                   const std::filesystem::path& file,
                                                   size_t most_batches,
                                                   const std::function<bool()>& cancelled) const {
  KL_ASSIGN_OR_RETURN(const auto loaded, runtime_->Load(file, DefaultThreads()));
  for (size_t i = 0; i < outputs_.size(); ++i) {
    size_t most = 0;
    for (const auto& batch : expected_) most = std::max(most, batch[i].bytes.size());
    loaded->Reserve(module.output_names[outputs_[i]], most);
  }
  std::vector<Sums> sums(outputs_.size());
  for (size_t n = 0; n < std::min(expected_.size(), most_batches); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const auto inputs, AsInputs(module, batches_[n]));
    KL_ASSIGN_OR_RETURN(const auto results, RunBatch(*loaded, inputs, module.input_names));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      KL_ASSIGN_OR_RETURN(const litert::Array* got,
                          OutputNamed(*loaded, results, module.output_names[outputs_[i]]));
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
