#include "quantize/product_constants.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace keras_litert::quantize {
namespace {

using ir::ConstantPtr;
using ir::DType;
using ir::Graph;
using ir::Operator;
using ir::Tensor;
using enum ir::BuiltinOperator;

// max|w[c]| / 127, but so large that the bias fits its integers. Channels without weights get
// scales by which their bias is exact and that are of the others' size.
std::vector<float> WeightScales(const std::vector<float>& largest,
                                const std::vector<double>& offsets, float input_scale) {
  std::vector<float> scale = SymmetricScales(largest);
  const float most = *std::max_element(largest.begin(), largest.end());
  for (size_t c = 0; c < scale.size(); ++c) {
    const double offset = c < offsets.size() ? std::fabs(offsets[c]) : 0;
    if (largest[c] == 0) {
      if (most > 0) scale[c] = most / 127;
      if (offset > 0) scale[c] = static_cast<float>(offset / input_scale * 0x1p-20);
    }
    scale[c] = std::max(scale[c], static_cast<float>(offset / input_scale * 0x1p-30));
  }
  return scale;
}

}  // namespace

Tensor* AddConstant(Graph& graph, ConstantPtr constant,
                    std::shared_ptr<const tflite::QuantizationParametersT> quantization) {
  Tensor* tensor = graph.AddConstant(std::move(constant));
  tensor->quantization = std::move(quantization);
  return tensor;
}

// w ≈ scale[c] · q and b ≈ input scale · scale[c] · q, the scales of the kernel's accumulators.
Status ProductConstants::Store(Operator* op, const IntegerKernel& kernel, const Affine& input,
                               QuantizedOperator& report) {
  const Tensor* weights = op->inputs[kernel.weights];
  const bool counted = !counted_.emplace(report.layer, weights->constant.get()).second;
  const Tensor* bias = kernel.bias < op->inputs.size() ? op->inputs[kernel.bias] : nullptr;
  std::vector<double> offsets;
  if (bias != nullptr) {
    KL_ASSIGN_OR_RETURN(offsets, ir::EvaluateAs<double>(bias->constant));
  }
  for (const double offset : offsets) {
    if (!std::isfinite(offset)) {
      return Fail("", "quantize-4", "the bias has a NaN or an infinity",
                  "Repair the model, or keep this layer in float32 by a rule.");
    }
  }
  KL_ASSIGN_OR_RETURN(const std::vector<float> largest, Largest(weights->constant, kernel.axis));
  StoredKey key{weights->constant, kernel.axis, WeightScales(largest, offsets, input.scale)};
  auto known = stored_.find(key);
  if (known == stored_.end()) {
    KL_ASSIGN_OR_RETURN(StoredWeights stored,
                        ToInt8(weights->constant, kernel.axis, std::get<2>(key)));
    known = stored_.emplace(std::move(key), std::move(stored)).first;
  }
  const StoredWeights& stored = known->second;
  report.weights_sqnr = stored.sqnr;
  if (!counted) {
    report.bytes_before += static_cast<int64_t>(weights->constant->byte_size());
    report.bytes_after += static_cast<int64_t>(stored.constant->byte_size());
    report.bytes_after += static_cast<int64_t>(stored.quantization->scale.size()) * 4;
  }
  const std::vector<float>& scale = stored.quantization->scale;
  std::vector<double> shift;
  if (const std::vector<double>* mean = means_.Find(*op)) {
    KL_ASSIGN_OR_RETURN(shift, MeanShift(weights->constant, kernel.axis, scale, 127, *mean));
  }
  graph_.SetInput(op, kernel.weights, AddConstant(graph_, stored.constant, stored.quantization));
  // Kernels for integers, but for one, want a bias: zeros where there was none.
  if (bias == nullptr) {
    if (op->code == FULLY_CONNECTED) return {};
    offsets.assign(scale.size(), 0);
    if (op->inputs.size() <= kernel.bias) op->inputs.resize(kernel.bias + 1);
  }

  for (size_t c = 0; c < shift.size(); ++c) offsets[c] -= shift[c];

  auto quantization = std::make_shared<tflite::QuantizationParametersT>();
  std::vector<int64_t> integers(offsets.size());
  const bool wide = input.dtype == DType::kInt16;
  const double limit = wide ? 0x1p62 : 0x1p31 - 1;
  for (size_t c = 0; c < offsets.size(); ++c) {
    const float step = input.scale * scale[c];
    quantization->scale.push_back(step);
    quantization->zero_point.push_back(0);
    integers[c] = std::llround(std::clamp(offsets[c] / step, -limit, limit));
  }
  const ir::Shape shape{static_cast<int64_t>(offsets.size())};
  ConstantPtr& constant = biases_[{wide, integers}];
  if (constant != nullptr) {
    // As another copy of a recurrent step has it.
  } else if (wide) {
    constant = ir::MakeConstant<int64_t>(DType::kInt64, shape, integers);
  } else {
    constant = ir::MakeConstant<int32_t>(DType::kInt32, shape,
                                         std::vector<int32_t>(integers.begin(), integers.end()));
  }
  if (bias == nullptr || counted_.emplace(report.layer, bias->constant.get()).second) {
    if (bias != nullptr) report.bytes_before += static_cast<int64_t>(bias->constant->byte_size());
    report.bytes_after += static_cast<int64_t>(constant->byte_size());
  }
  graph_.SetInput(op, kernel.bias, AddConstant(graph_, constant, quantization));
  return {};
}

}  // namespace keras_litert::quantize
