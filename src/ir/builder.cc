#include "ir/builder.h"

#include "ir/operators.h"

namespace keras_litert::ir {

Value Builder::Fail(std::string code, std::string message, std::string hint) {
  context_->errors.push_back({PathString(), std::move(code), std::move(message), std::move(hint)});
  return Value();
}

std::string Builder::PathString() const {
  std::string text;
  for (const std::string& part : context_->path) {
    if (part.empty()) continue;
    if (!text.empty()) text += '/';
    text += part;
  }
  return text;
}

Builder::Scope::Scope(const Builder& builder, std::string name)
    : context_(builder.context_), previous_origin_(builder.context_->origin) {
  context_->path.push_back(std::move(name));
  const std::string path = builder.PathString();
  std::vector<std::string>& origins = context_->module.origins;
  if (origins.back() != path) origins.push_back(path);
  context_->origin = static_cast<uint32_t>(origins.size() - 1);
}

Builder::Scope::~Scope() {
  context_->path.pop_back();
  context_->origin = previous_origin_;
}

Value Builder::Constant(ConstantPtr constant) {
  return Value(graph_->AddConstant(std::move(constant)));
}

Value Builder::Scalar(double value, DType dtype) {
  return Constant(ScalarConstant(value, dtype));
}

Value Builder::Derived(const ConstantPtr& source, std::string transform,
                       const std::function<ConstantPtr(const ConstantPtr&)>& make) {
  auto [entry, added] = context_->derived.try_emplace({source, std::move(transform)});
  if (added) entry->second = make(source);
  return Constant(entry->second);
}

Value Builder::Vector(const std::vector<int32_t>& values) {
  return Constant(DType::kInt32, {static_cast<int64_t>(values.size())}, values);
}

Value Builder::Import(Value value) {
  if (!value.ok() || value.tensor()->graph == graph_) return value;
  if (!value.is_constant()) {
    return Fail("import-1", "a loop's body reads a tensor of the graph around it");
  }
  return Constant(value.constant());
}

Value Builder::Emit(BuiltinOperator code, const std::vector<Value>& inputs, TensorType type) {
  return EmitMany(code, inputs, {std::move(type)}, inputs.size())[0];
}

std::vector<Value> Builder::EmitMany(BuiltinOperator code, const std::vector<Value>& inputs,
                                     std::vector<TensorType> types, size_t required) {
  std::vector<Tensor*> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i < required && !inputs[i].ok()) return std::vector<Value>(types.size());
    tensors.push_back(inputs[i].tensor());
    if (inputs[i].ok() && inputs[i].tensor()->graph != graph_) {
      tensors.back() = Import(inputs[i]).tensor();
      if (tensors.back() == nullptr) return std::vector<Value>(types.size());
    }
  }
  std::vector<Tensor*> outputs;
  std::vector<Value> values;
  for (TensorType& type : types) {
    outputs.push_back(graph_->AddTensor(std::move(type)));
    values.emplace_back(outputs.back());
  }
  Operator* op = graph_->AddOperator(code, std::move(tensors), std::move(outputs), before_);
  op->origin = context_->origin;
  return values;
}

Value Builder::SizeOf(Dim dim) {
  if (dim.is_static()) return Scalar(static_cast<double>(dim.value()), DType::kInt32);
  if (dim.coefficient() != 1) {
    return lrt::Mul(*this, SizeOf(Dim::Symbolic(dim.symbol())),
                    Scalar(static_cast<double>(dim.coefficient()), DType::kInt32));
  }
  if (const Graph::Witness* witness = graph_->FindWitness(dim.symbol())) {
    const int32_t axis = witness->axis;
    return lrt::StridedSlice(*this, lrt::ShapeOf(*this, Value(witness->tensor)), Vector({axis}),
                             Vector({axis + 1}), Vector({1}), {.shrink_axis_mask = 1},
                             {DType::kInt32, {}});
  }
  const SymbolTable::Definition definition = symbols().definition(dim.symbol());
  switch (definition.kind) {
    case SymbolTable::Kind::kSum:
      return lrt::Add(*this, SizeOf(definition.a), SizeOf(definition.b));
    case SymbolTable::Kind::kProduct:
      return lrt::Mul(*this, SizeOf(definition.a), SizeOf(definition.b));
    case SymbolTable::Kind::kFloorDiv:
      return lrt::FloorDiv(*this, SizeOf(definition.a), SizeOf(definition.b));
    default:
      return Fail("shape-1", "the size " + symbols().Print(dim) + " is not known at run time");
  }
}

Value Builder::ShapeVector(const Shape& shape) {
  if (shape.is_static()) {
    std::vector<int32_t> sizes;
    for (Dim dim : shape) sizes.push_back(static_cast<int32_t>(dim.value()));
    return Vector(sizes);
  }
  // Runs of constants and runs of consecutive axes of one tensor become one piece each.
  std::vector<Value> pieces;
  int i = 0;
  while (i < shape.rank()) {
    if (shape[i].is_static()) {
      std::vector<int32_t> sizes;
      for (; i < shape.rank() && shape[i].is_static(); ++i) {
        sizes.push_back(static_cast<int32_t>(shape[i].value()));
      }
      pieces.push_back(Vector(sizes));
      continue;
    }
    const Graph::Witness* witness =
        shape[i].coefficient() == 1 ? graph_->FindWitness(shape[i].symbol()) : nullptr;
    if (witness == nullptr) {
      pieces.push_back(lrt::Reshape(*this, SizeOf(shape[i]), Shape{1}));
      ++i;
      continue;
    }
    const Shape& source = witness->tensor->type.shape;
    int end = witness->axis;
    for (; i < shape.rank() && end < source.rank() && shape[i] == source[end]; ++i) ++end;
    Value sizes = lrt::ShapeOf(*this, Value(witness->tensor));
    if (witness->axis != 0 || end != source.rank()) {
      sizes = lrt::StridedSlice(*this, sizes, Vector({witness->axis}), Vector({end}), Vector({1}),
                                {}, {DType::kInt32, {end - witness->axis}});
    }
    pieces.push_back(sizes);
  }
  return pieces.size() == 1 ? pieces[0] : lrt::Concatenation(*this, pieces, 0);
}

}  // namespace keras_litert::ir
