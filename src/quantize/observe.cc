#include "quantize/observe.h"

#include <utility>

#include "ir/operators.h"

namespace keras_litert::quantize {

using ir::Operator;
using ir::Tensor;
using ir::Value;

Observers::Observers(ir::Module& module, const std::vector<Tensor*>& tensors)
    : module_(module),
      outputs_(std::move(module.main().outputs())),
      names_(std::move(module.output_names)) {
  ir::Graph& graph = module.main();
  const Operator* last = graph.last();
  ir::BuildContext context{module, {}, {}, 0};
  ir::Builder b(context, graph);
  std::vector<Value> ends;
  for (Tensor* tensor : tensors) {
    const Value x(tensor);
    std::vector<int> axes;
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
    for (const ir::BuiltinOperator code :
         {ir::BuiltinOperator::REDUCE_MIN, ir::BuiltinOperator::REDUCE_MAX}) {
      ends.push_back(axes.empty() ? x : lrt::Reduce(b, code, x, axes, /*keep_dims=*/false));
    }
  }
  graph.outputs() = {lrt::Pack(b, ends, 0).tensor()};
  module.output_names = {kOutputName};
  for (Operator* op = graph.last(); op != last; op = op->prev) added_.push_back(op);
}

Observers::~Observers() {
  module_.main().outputs() = std::move(outputs_);
  module_.output_names = std::move(names_);
  for (Operator* op : added_) module_.main().Erase(op);
}

}  // namespace keras_litert::quantize
