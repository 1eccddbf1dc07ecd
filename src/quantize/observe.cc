#include "quantize/observe.h"

#include <algorithm>
#include <utility>

#include "ir/operators.h"
#include "quantize/bias.h"

namespace keras_litert::quantize {

using ir::Operator;
using ir::Tensor;
using ir::Value;

Observers::Observers(ir::Module& module, const std::vector<Tensor*>& tensors)
    : module_(module),
      outputs_(std::move(module.main().outputs())),
      names_(std::move(module.output_names)) {
  ir::Graph& graph = module.main();
  ir::BuildContext context{module, {}, {}, 0};
  ir::Builder b(context, graph);
  std::vector<Value> ends;
  std::vector<Value> means;
  for (Tensor* tensor : tensors) {
    const Value x(tensor);
    std::vector<int> axes;
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
    // Right behind its producer, so that the runtime need not keep it until the end.
    b.SetInsertionPoint(tensor->producer != nullptr ? tensor->producer->next : graph.first());
    for (const ir::BuiltinOperator code :
         {ir::BuiltinOperator::REDUCE_MIN, ir::BuiltinOperator::REDUCE_MAX}) {
      ends.push_back(axes.empty() ? x : lrt::Reduce(b, code, x, axes, /*keep_dims=*/false));
      if (!axes.empty()) added_.push_back(ends.back().tensor()->producer);
    }
    if (ChannelsToObserve(*tensor) == 0) continue;
    axes.pop_back();
    means.push_back(lrt::Reduce(b, ir::BuiltinOperator::MEAN, x, axes, /*keep_dims=*/false));
    added_.push_back(means.back().tensor()->producer);
  }
  b.SetInsertionPoint(nullptr);
  Value result = lrt::Pack(b, ends, 0);
  added_.push_back(result.tensor()->producer);
  if (!means.empty()) {
    means.insert(means.begin(), result);
    result = lrt::Concatenation(b, means, 0);
    added_.push_back(result.tensor()->producer);
  }
  graph.outputs() = {result.tensor()};
  module.output_names = {kOutputName};
}

Observers::~Observers() {
  module_.main().outputs() = std::move(outputs_);
  module_.output_names = std::move(names_);
  std::reverse(added_.begin(), added_.end());
  for (Operator* op : added_) module_.main().Erase(op);
}

}  // namespace keras_litert::quantize
