#include "ops/variable.h"

#include "ir/operators.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

Value Handle(Builder& b, const std::string& name) {
  tflite::VarHandleOptionsT options;
  options.shared_name = name;
  return b.Emit(BuiltinOperator::VAR_HANDLE, std::move(options), {}, {DType::kResource, Shape()});
}

bool IsHandle(const ir::Operator& op, const std::string& name) {
  const auto* options = op.options.AsVarHandleOptions();
  return op.code == BuiltinOperator::VAR_HANDLE && options != nullptr &&
         options->shared_name == name;
}

}  // namespace

Value VariableHandle(Builder& b, const std::string& name) {
  return Handle(b, name);
}

bool HasVariable(Builder& b, const std::string& name) {
  for (const ir::Operator* op = b.graph().first(); op != nullptr; op = op->next) {
    if (IsHandle(*op, name)) return true;
  }
  return false;
}

//   CALL_ONCE { ASSIGN_VARIABLE(VAR_HANDLE(name), initial) }
void InitializeVariable(Builder b, const std::string& name, ir::ConstantPtr initial,
                        ir::Operator* before) {
  ir::Graph& once = b.module().AddGraph(name + "_init");
  Builder in_once = b.In(once);
  AssignVariable(in_once, Handle(in_once, name), in_once.Constant(std::move(initial)));
  tflite::CallOnceOptionsT options;
  options.init_subgraph_index = b.module().IndexOf(once);
  b.SetInsertionPoint(before);
  b.EmitMany(BuiltinOperator::CALL_ONCE, {}, {}, 0);
  ir::Operator* call = before != nullptr ? before->prev : b.graph().last();
  call->options.Set(std::move(options));
}

Value ZeroVariable(Builder& b, const std::string& name, const ir::TensorType& type) {
  for (const ir::Operator* op = b.graph().first(); op != nullptr; op = op->next) {
    if (IsHandle(*op, name)) return Value(op->outputs[0]);
  }
  const auto bytes = static_cast<size_t>(type.shape.NumElements()) * ir::SizeOf(type.dtype);
  InitializeVariable(b, name, ir::OwnedConstant(type, std::vector<std::byte>(bytes)));
  return Handle(b, name);
}

Value ReadVariable(Builder& b, Value handle, const ir::TensorType& type) {
  return b.Emit(BuiltinOperator::READ_VARIABLE, {handle}, type);
}

void AssignVariable(Builder& b, Value handle, Value value) {
  b.EmitMany(BuiltinOperator::ASSIGN_VARIABLE, {handle, value}, {}, 2);
}

}  // namespace keras_litert::ops
