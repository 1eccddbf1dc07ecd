#include "ir/operators.h"

namespace keras_litert::lrt {
namespace {

std::vector<TensorType> OutputTypes(const Graph& graph) {
  std::vector<TensorType> types;
  for (const ir::Tensor* output : graph.outputs()) types.push_back(output->type);
  return types;
}

}  // namespace

std::vector<Value> While(Builder& b, Graph& condition, Graph& body,
                         const std::vector<Value>& variables) {
  tflite::WhileOptionsT options;
  options.cond_subgraph_index = b.module().IndexOf(condition);
  options.body_subgraph_index = b.module().IndexOf(body);
  return b.EmitMany(BuiltinOperator::WHILE, std::move(options), variables, OutputTypes(body),
                    variables.size());
}

std::vector<Value> If(Builder& b, Value condition, Graph& then_graph, Graph& else_graph,
                      const std::vector<Value>& inputs) {
  tflite::IfOptionsT options;
  options.then_subgraph_index = b.module().IndexOf(then_graph);
  options.else_subgraph_index = b.module().IndexOf(else_graph);
  std::vector<Value> operands{condition};
  operands.insert(operands.end(), inputs.begin(), inputs.end());
  return b.EmitMany(BuiltinOperator::IF, std::move(options), operands, OutputTypes(then_graph),
                    operands.size());
}

}  // namespace keras_litert::lrt
