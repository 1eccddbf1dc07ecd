// Zero padding in front of a convolution becomes its SAME padding where the two are the same.
//
//   CONV_2D(PAD(x, p), W) {VALID}   ⇒   CONV_2D(x, W) {SAME}
//
// SAME pads ceil(n / stride) windows' worth, the odd element behind; it depends on x's size, so
// sizes must be static (or the stride 1, where the padding does not depend on the size).
#include <optional>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Dim;
using ir::Operator;

struct Axis {
  Dim in;      // before padding
  int filter;  // taps
  int stride;
  int dilation;
};

// The (before, after) that SAME adds, or nullopt where it depends on an unknown size.
std::optional<lrt::AxisPadding> SamePadding(const Axis& axis) {
  const int64_t effective = int64_t{axis.filter - 1} * axis.dilation + 1;
  int64_t total = effective - 1;
  if (axis.stride != 1) {
    if (!axis.in.is_static()) return std::nullopt;
    const int64_t n = axis.in.value();
    const int64_t out = (n + axis.stride - 1) / axis.stride;
    total = std::max<int64_t>(0, (out - 1) * axis.stride + effective - n);
  }
  return lrt::AxisPadding{total / 2, total - total / 2};
}

template <typename Options>
void TryFold(ir::Graph& graph, Operator* op, Operator* pad, Options* options) {
  if (options->padding != lrt::Padding::VALID) return;
  auto amounts = ir::EvaluateAs<int64_t>(pad->inputs[1]->constant);
  if (!amounts || amounts->size() != 8) return;
  const std::vector<int64_t>& p = *amounts;
  if (p[0] != 0 || p[1] != 0 || p[6] != 0 || p[7] != 0) return;
  const ir::Shape& x = pad->inputs[0]->type.shape;
  const ir::Shape& filter = op->inputs[1]->type.shape;
  const Axis height{x[1], static_cast<int>(filter[1].value()), options->stride_h,
                    options->dilation_h_factor};
  const Axis width{x[2], static_cast<int>(filter[2].value()), options->stride_w,
                   options->dilation_w_factor};
  if (SamePadding(height) != lrt::AxisPadding{p[2], p[3]} ||
      SamePadding(width) != lrt::AxisPadding{p[4], p[5]}) {
    return;
  }
  options->padding = lrt::Padding::SAME;
  Redirect(graph, op, 0, pad->inputs[0]);
}

}  // namespace

void FoldPadding(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code != BuiltinOperator::CONV_2D && op->code != BuiltinOperator::DEPTHWISE_CONV_2D) {
        continue;
      }
      Operator* pad = op->inputs[0]->producer;
      if (pad == nullptr || pad->code != BuiltinOperator::PAD || !pad->inputs[1]->is_constant()) {
        continue;
      }
      if (op->code == BuiltinOperator::CONV_2D) {
        TryFold(*graph, op, pad, op->options.AsConv2DOptions());
      } else {
        TryFold(*graph, op, pad, op->options.AsDepthwiseConv2DOptions());
      }
    }
  }
}

}  // namespace keras_litert::passes
