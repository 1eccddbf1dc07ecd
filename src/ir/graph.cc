#include "ir/graph.h"

#include <algorithm>

namespace keras_litert::ir {

const TensorType& Value::type() const {
  static const TensorType kFailed;
  return ok() ? tensor_->type : kFailed;
}

const ConstantPtr& Value::constant() const {
  static const ConstantPtr kNone;
  return ok() ? tensor_->constant : kNone;
}

Tensor* Graph::AddTensor(TensorType type) {
  Tensor& tensor = tensors_.emplace_back();
  tensor.type = std::move(type);
  tensor.graph = this;
  RegisterWitness(&tensor);
  return &tensor;
}

Tensor* Graph::AddInput(TensorType type, std::string name) {
  Tensor* tensor = AddTensor(std::move(type));
  tensor->name = std::move(name);
  inputs_.push_back(tensor);
  return tensor;
}

Tensor* Graph::AddConstant(ConstantPtr constant) {
  Tensor* tensor = AddTensor(constant->type());
  tensor->constant = std::move(constant);
  return tensor;
}

Operator* Graph::AddOperator(BuiltinOperator code, std::vector<Tensor*> inputs,
                             std::vector<Tensor*> outputs, Operator* before) {
  Operator& op = operators_.emplace_back();
  op.code = code;
  op.inputs = std::move(inputs);
  op.outputs = std::move(outputs);
  for (Tensor* input : op.inputs) {
    if (input != nullptr) input->users.push_back(&op);
  }
  for (Tensor* output : op.outputs) output->producer = &op;
  Link(&op, before);
  return &op;
}

void Graph::Link(Operator* op, Operator* before) {
  op->next = before;
  op->prev = before != nullptr ? before->prev : last_;
  (op->prev != nullptr ? op->prev->next : first_) = op;
  (before != nullptr ? before->prev : last_) = op;
}

void Graph::Unlink(Operator* op) {
  (op->prev != nullptr ? op->prev->next : first_) = op->next;
  (op->next != nullptr ? op->next->prev : last_) = op->prev;
  op->prev = op->next = nullptr;
}

void Graph::MoveBefore(Operator* op, Operator* before) {
  if (op == before) return;
  Unlink(op);
  Link(op, before);
}

void Graph::Erase(Operator* op) {
  for (size_t i = 0; i < op->inputs.size(); ++i) SetInput(op, i, nullptr);
  for (Tensor* output : op->outputs) output->producer = nullptr;
  Unlink(op);
  op->erased = true;
}

void Graph::SetInput(Operator* op, size_t index, Tensor* tensor) {
  Tensor*& slot = op->inputs[index];
  if (slot == tensor) return;
  if (slot != nullptr) {
    auto use = std::find(slot->users.begin(), slot->users.end(), op);
    if (use != slot->users.end()) slot->users.erase(use);
  }
  slot = tensor;
  if (tensor != nullptr) tensor->users.push_back(op);
}

void Graph::ReplaceAllUses(Tensor* from, Tensor* to) {
  if (from == to) return;
  for (Operator* user : from->users) {
    for (Tensor*& input : user->inputs) {
      if (input == from) {
        input = to;
        to->users.push_back(user);
      }
    }
  }
  // An operator that reads `from` twice stands in the list twice and was rewritten at its first
  // turn.
  from->users.clear();
  for (Tensor*& output : outputs_) {
    if (output == from) output = to;
  }
}

bool Graph::IsOutput(const Tensor* tensor) const {
  return std::find(outputs_.begin(), outputs_.end(), tensor) != outputs_.end();
}

bool Graph::IsInput(const Tensor* tensor) const {
  return std::find(inputs_.begin(), inputs_.end(), tensor) != inputs_.end();
}

Operator* Graph::OnlyUser(const Tensor* tensor) const {
  return tensor->users.size() == 1 && !IsOutput(tensor) ? tensor->users[0] : nullptr;
}

std::vector<Operator*> Graph::Operators() const {
  std::vector<Operator*> ops;
  for (Operator* op = first_; op != nullptr; op = op->next) ops.push_back(op);
  return ops;
}

size_t Graph::NumOperators() const {
  size_t count = 0;
  for (Operator* op = first_; op != nullptr; op = op->next) ++count;
  return count;
}

const Graph::Witness* Graph::FindWitness(SymbolId symbol) const {
  auto entry = witnesses_.find(symbol);
  return entry == witnesses_.end() ? nullptr : &entry->second;
}

void Graph::RegisterWitness(Tensor* tensor) {
  for (int axis = 0; axis < tensor->type.shape.rank(); ++axis) {
    const Dim dim = tensor->type.shape[axis];
    if (!dim.is_static() && dim.coefficient() == 1) {
      witnesses_.try_emplace(dim.symbol(), Witness{tensor, axis});
    }
  }
}

Module::Module() : origins{""} {
  AddGraph("main");
}

Graph& Module::AddGraph(std::string name) {
  return *graphs.emplace_back(std::make_unique<Graph>(std::move(name)));
}

int Module::IndexOf(const Graph& graph) const {
  for (size_t i = 0; i < graphs.size(); ++i) {
    if (graphs[i].get() == &graph) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace keras_litert::ir
