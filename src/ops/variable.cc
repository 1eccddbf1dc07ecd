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

//   CALL_ONCE { ASSIGN_VARIABLE(VAR_HANDLE(name), 0) }
//   VAR_HANDLE(name)
Value ZeroVariable(Builder& b, const std::string& name, const ir::TensorType& type) {
  for (const ir::Operator* op = b.graph().first(); op != nullptr; op = op->next) {
    if (IsHandle(*op, name)) return Value(op->outputs[0]);
  }
  ir::Graph& once = b.module().AddGraph(name + "_init");
  Builder in_once = b.In(once);
  const auto bytes = static_cast<size_t>(type.shape.NumElements()) * ir::SizeOf(type.dtype);
  AssignVariable(in_once, Handle(in_once, name),
                 in_once.Constant(ir::OwnedConstant(type, std::vector<std::byte>(bytes))));
  tflite::CallOnceOptionsT options;
  options.init_subgraph_index = b.module().IndexOf(once);
  b.EmitMany(BuiltinOperator::CALL_ONCE, {}, {}, 0);
  b.graph().last()->options.Set(std::move(options));
  return Handle(b, name);
}

Value ReadVariable(Builder& b, Value handle, const ir::TensorType& type) {
  return b.Emit(BuiltinOperator::READ_VARIABLE, {handle}, type);
}

void AssignVariable(Builder& b, Value handle, Value value) {
  b.EmitMany(BuiltinOperator::ASSIGN_VARIABLE, {handle, value}, {}, 2);
}

}  // namespace keras_litert::ops
