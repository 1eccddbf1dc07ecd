// What a conversion did.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keras_litert/quantize.h"

namespace keras_litert {

// One input or output of the signature.
struct TensorReport {
  std::string name;
  std::string dtype;           // "float32"
  std::vector<int64_t> shape;  // -1: chosen by the caller at run time
};

struct OperatorCount {
  std::string name;  // "CONV_2D"
  int64_t count = 0;
};

struct ConvertReport {
  std::string model_name;
  std::vector<TensorReport> inputs;
  std::vector<TensorReport> outputs;
  std::vector<OperatorCount> operators;      // most frequent first
  std::vector<QuantizedOperator> quantized;  // empty unless quantization was asked for
  std::vector<OutputError> output_errors;    // of quantization; empty unless there were samples
  // Quantization as it was done: what was asked for, or what the search chose.
  std::string recipe;
  std::vector<QuantizeRule> rules;
  std::vector<Trial> trials;  // what the search tried, in order; empty unless it searched
  // The layers that cost most accuracy first, then those that may be smaller. Empty unless asked.
  std::vector<Advice> advice;
  int64_t file_bytes = 0;
  double seconds = 0;              // from opening the model to the renamed file
  int64_t peak_memory_bytes = 0;   // of the whole process; 0 where unknown
  std::vector<std::string> notes;  // what a user should know: frozen dimensions, computing dtypes …
};

}  // namespace keras_litert
