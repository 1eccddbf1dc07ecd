#include "ir/copy.h"

#include <utility>

namespace keras_litert::ir {

ModuleCopy Copy(const Module& module) {
  ModuleCopy copy;
  copy.module.symbols = module.symbols;
  copy.module.origins = module.origins;
  copy.module.input_names = module.input_names;
  copy.module.output_names = module.output_names;
  copy.module.description = module.description;
  const auto copied = [&](const std::vector<Tensor*>& tensors) {
    std::vector<Tensor*> result;
    for (const Tensor* tensor : tensors) {
      result.push_back(tensor == nullptr ? nullptr : copy.tensors.at(tensor));
    }
    return result;
  };
  for (size_t i = 0; i < module.graphs.size(); ++i) {
    const Graph& from = *module.graphs[i];
    Graph& to = i == 0 ? copy.module.main() : copy.module.AddGraph(from.name());
    for (const Tensor& tensor : from.tensors()) {
      Tensor* added = to.AddTensor(tensor.type);
      added->name = tensor.name;
      added->constant = tensor.constant;
      added->quantization = tensor.quantization;
      copy.tensors[&tensor] = added;
    }
    for (const Operator* op = from.first(); op != nullptr; op = op->next) {
      Operator* added = to.AddOperator(op->code, copied(op->inputs), copied(op->outputs));
      added->options = op->options;
      added->options2 = op->options2;
      added->origin = op->origin;
    }
    for (const Tensor& tensor : from.tensors()) {
      if (tensor.block_scales == nullptr) continue;
      copy.tensors.at(&tensor)->block_scales = copy.tensors.at(tensor.block_scales);
    }
    to.inputs() = copied(from.inputs());
    to.outputs() = copied(from.outputs());
  }
  return copy;
}

}  // namespace keras_litert::ir
