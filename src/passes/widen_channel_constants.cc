// Constants of few channels are repeated along the width, so that whole rows are computed at once.
//
//   ADD(x [n, h, w, c], k [c])   ⇒   ADD(x, k repeated [w, c])        c ≤ 8, w known
//   likewise MUL and SUB
//
// XNNPACK computes a broadcast operand run by run, and a run ends with what is broadcast: that
// would be a call for each pixel of an image, to add 3 numbers. The result is the same. Costs w · c
// elements in the file.
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Operator;
using ir::Shape;
using ir::Tensor;

constexpr int64_t kMostChannels = 8;
constexpr int64_t kMostElements = 4096;  // of the repeated constant
// Fewer pixels save less than 3 µs.
constexpr int64_t kFewestPixels = 1024;

void Widen(ir::Graph& graph, Operator* op) {
  const WithConstant match = MatchConstantOperand(*op);
  if (!match || match.x->type.dtype != DType::kFloat32) return;
  const Shape& shape = match.x->type.shape;
  if (shape.rank() != 4 || !shape[1].is_static() || !shape[2].is_static() ||
      !shape[3].is_static() || op->output()->type.shape != shape) {
    return;
  }
  const int64_t width = shape[2].value();
  const int64_t channels = shape[3].value();
  if (channels > kMostChannels || width * channels > kMostElements ||
      shape[1].value() * width < kFewestPixels) {
    return;
  }
  // One number is broadcast in one run as it is.
  const Tensor* constant = match.constant;
  if (constant->constant->num_elements() != channels || channels == 1 ||
      !IsPerChannel(constant, channels, shape.rank())) {
    return;
  }
  const auto values = ir::EvaluateAs<float>(constant->constant);
  if (!values) return;
  std::vector<float> row;
  row.reserve(static_cast<size_t>(width * channels));
  for (int64_t i = 0; i < width; ++i) row.insert(row.end(), values->begin(), values->end());
  graph.SetInput(
      op, 1 - match.position,
      graph.AddConstant(ir::MakeConstant<float>(DType::kFloat32, {1, 1, width, channels}, row)));
}

}  // namespace

void WidenChannelConstants(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code == BuiltinOperator::ADD || op->code == BuiltinOperator::SUB ||
          op->code == BuiltinOperator::MUL) {
        Widen(*graph, op);
      }
    }
  }
}

}  // namespace keras_litert::passes
