// Appends operators to a graph.
//
// Errors do not interrupt: Fail() records a diagnostic under the current layer's path and gives a
// failed Value, and whatever is computed from a failed Value fails silently. So lowerings read like
// formulas, and a model's problems come out all at once. Whoever started the work asks `errors()`
// at its end.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace keras_litert::ir {

// Shared by all builders of one conversion.
struct BuildContext {
  Module& module;
  std::vector<Diagnostic> errors;
  std::vector<std::string> path;  // the layers being lowered, outermost first
  uint32_t origin = 0;
  // Transforms of constants that were made already, by source and transform: a weight that two
  // calls share is transposed to one constant and stored once.
  std::map<std::pair<ConstantPtr, std::string>, ConstantPtr> derived = {};
};

class Builder {
 public:
  Builder(BuildContext& context, Graph& graph) : context_(&context), graph_(&graph) {}

  Module& module() const { return context_->module; }
  Graph& graph() const { return *graph_; }
  SymbolTable& symbols() const { return context_->module.symbols; }
  BuildContext& context() const { return *context_; }

  // A builder for another graph (a loop's body) of the same conversion.
  Builder In(Graph& graph) const { return Builder(*context_, graph); }
  // New operators go before `op` (null: to the end).
  void SetInsertionPoint(Operator* op) { before_ = op; }

  // Errors.
  Value Fail(std::string code, std::string message, std::string hint = "");
  const std::vector<Diagnostic>& errors() const { return context_->errors; }
  std::string PathString() const;  // "encoder/dense_3"

  // Names the layer that is lowered while this object lives.
  class Scope {
   public:
    Scope(const Builder& builder, std::string name);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    BuildContext* context_;
    uint32_t previous_origin_;
  };

  // Constants. Shapes are of rank 0 (Scalar) or 1 (Vector).
  Value Constant(ConstantPtr constant);
  Value Scalar(double value, DType dtype);
  // The constant `make(source)`, made once for each (source, transform).
  Value Derived(const ConstantPtr& source, std::string transform,
                const std::function<ConstantPtr(const ConstantPtr&)>& make);
  Value Vector(const std::vector<int32_t>& values);
  template <typename T>
  Value Constant(DType dtype, const Shape& shape, const std::vector<T>& values) {
    return Constant(MakeConstant<T>(dtype, shape, values));
  }
  // `value` as a constant of this builder's graph, where it is one of another graph. Fails for
  // other values: what a loop's body reads from outside must be carried in.
  Value Import(Value value);

  // Operators. A failed input gives a failed output. Absent optional inputs are `Absent()`.
  static Value Absent() { return Value(); }
  Value Emit(BuiltinOperator code, const std::vector<Value>& inputs, TensorType type);
  template <typename Options>
  Value Emit(BuiltinOperator code, Options options, const std::vector<Value>& inputs,
             TensorType type) {
    return EmitMany(code, std::move(options), inputs, {std::move(type)}, inputs.size())[0];
  }
  // The general form. The first `required` inputs must not be failed; later ones may be absent.
  std::vector<Value> EmitMany(BuiltinOperator code, const std::vector<Value>& inputs,
                              std::vector<TensorType> types, size_t required);
  template <typename Options>
  std::vector<Value> EmitMany(BuiltinOperator code, Options options,
                              const std::vector<Value>& inputs, std::vector<TensorType> types,
                              size_t required) {
    std::vector<Value> outputs = EmitMany(code, inputs, std::move(types), required);
    if (outputs.empty() || !outputs[0].ok()) return outputs;
    Operator& op = *outputs[0].tensor()->producer;
    if constexpr (tflite::BuiltinOptionsTraits<typename Options::TableType>::enum_value !=
                  tflite::BuiltinOptions::NONE) {
      op.options.Set(std::move(options));
    } else {
      op.options2.Set(std::move(options));
    }
    return outputs;
  }

  // Sizes at run time.
  // The size as an int32 scalar: a constant, or read from a tensor that has it.
  Value SizeOf(Dim dim);
  // The sizes as an int32 vector: a constant where all are static, else the shortest chain that
  // computes it.
  Value ShapeVector(const Shape& shape);

 private:
  BuildContext* context_;
  Graph* graph_;
  Operator* before_ = nullptr;
};

}  // namespace keras_litert::ir
