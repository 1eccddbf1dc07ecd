// What a file will hold: a module numbered.
//
// The plan decides every index and name before the first byte is written: which tensors each
// subgraph has and in what order, which constants share a buffer, which operator codes and versions
// exist, and where an operator that only copies must be added so that the runtime can hand out
// every output (see AddCopies in plan.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "util/result.h"

namespace keras_litert::litert {

struct PlannedTensor {
  ir::TensorType type;
  std::string name;     // unique in its subgraph
  uint32_t buffer = 0;  // 0: computed when the file runs
  std::shared_ptr<const tflite::QuantizationParametersT> quantization;  // may be null
};

struct PlannedOperator {
  uint32_t code = 0;            // index into Plan::codes
  std::vector<int32_t> inputs;  // -1: absent
  std::vector<int32_t> outputs;
  tflite::BuiltinOptionsUnion options;
  tflite::BuiltinOptions2Union options2;
};

struct PlannedSubgraph {
  std::string name;
  std::vector<PlannedTensor> tensors;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<PlannedOperator> operators;
};

struct PlannedCode {
  ir::BuiltinOperator code;
  int version;
  bool operator==(const PlannedCode&) const = default;
};

// Small constants are evaluated when planned and written inside the tables; others are streamed
// behind them.
struct PlannedBuffer {
  std::vector<std::byte> bytes;  // of a small constant
  ir::ConstantPtr constant;      // of a streamed one; null otherwise
};

struct Plan {
  std::vector<PlannedCode> codes;
  std::vector<PlannedSubgraph> subgraphs;
  std::vector<PlannedBuffer> buffers;  // [0] is empty, as the format demands
};

// Constants up to this size lie inside the tables. Equal ones share a buffer, whatever their size.
inline constexpr size_t kSmallConstant = 1024;

Result<Plan> MakePlan(const ir::Module& module);

// The format's spelling of a dtype.
tflite::TensorType SchemaType(ir::DType dtype);

}  // namespace keras_litert::litert
