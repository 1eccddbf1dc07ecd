// Weights and biases of products that compute in integers: w as int8 with a scale for each output
// channel, b as int32 (int64 where the input is int16) in the scales of the kernel's accumulators.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/affine.h"
#include "quantize/bias.h"
#include "quantize/kernels.h"
#include "quantize/weights.h"
#include "util/result.h"

namespace keras_litert::quantize {

// A new constant of the graph.
ir::Tensor* AddConstant(ir::Graph& graph, ir::ConstantPtr constant,
                        std::shared_ptr<const tflite::QuantizationParametersT> quantization);

// Stores what operators share once.
class ProductConstants {
 public:
  // Constants go into `graph`, biases are corrected by `means`; both must outlive this.
  ProductConstants(ir::Graph& graph, const InputMeans& means) : graph_(graph), means_(means) {}

  // Gives `op` its weights and bias, whose input is `input` (int8 or int16), and its report their
  // bytes and noise; a report of a layer, which report.layer names, counts a constant once.
  // REQUIRES: kernel is that of op, kWeights, and ChooseIntegers() chose it. Fails (quantize-4)
  // where weights or bias have a NaN or an infinity.
  Status Store(ir::Operator* op, const IntegerKernel& kernel, const Affine& input,
               QuantizedOperator& report);

 private:
  ir::Graph& graph_;
  const InputMeans& means_;
  using StoredKey = std::tuple<ir::ConstantPtr, int, std::vector<float>>;
  std::map<StoredKey, StoredWeights> stored_;
  std::map<std::pair<bool, std::vector<int64_t>>, ir::ConstantPtr> biases_;  // int64 or int32
  // By layer: weights and biases that its report has already.
  std::set<std::pair<std::string, const ir::Constant*>> counted_;
};

}  // namespace keras_litert::quantize
