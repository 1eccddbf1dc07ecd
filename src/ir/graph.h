// The LiteRT graph: tensors, operators, subgraphs.
//
// SSA: every tensor is an input of its graph, a constant, or the output of exactly one operator.
// Operators lie in a list that is a valid execution order at all times. Attributes are the
// object-API structs that flatc makes from schema.fbs, so that the writer maps nothing.
//
// Pointers to tensors and operators stay valid for the life of their graph; erasing unlinks, it
// does not free.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/constant.h"
#include "ir/generated_schema.h"
#include "ir/type.h"

namespace keras_litert::ir {

using tflite::BuiltinOperator;

class Graph;
struct Operator;

struct Tensor {
  TensorType type;
  std::string name;              // empty: the writer names it after its producer
  ConstantPtr constant;          // set for constants
  Operator* producer = nullptr;  // null for inputs and constants
  std::vector<Operator*>
      users;  // one entry for each use; an operator that reads it twice is there twice
  Graph* graph = nullptr;
  std::shared_ptr<const tflite::QuantizationParametersT> quantization;  // null: not quantized
  // Scales of blocks of weights: float16[rows, blocks in a row], a constant of this graph. The file
  // names it by its index among the graph's tensors, which the writer fills in. Null: none.
  const Tensor* block_scales = nullptr;

  bool is_constant() const { return constant != nullptr; }
};

struct Operator {
  BuiltinOperator code{};
  tflite::BuiltinOptionsUnion options;
  tflite::BuiltinOptions2Union options2;
  std::vector<Tensor*> inputs;  // null: an optional input that is absent
  std::vector<Tensor*> outputs;
  uint32_t origin = 0;  // index into Module::origins: the layer that this operator computes for
  bool erased = false;

  Operator* prev = nullptr;
  Operator* next = nullptr;

  Tensor* output() const { return outputs[0]; }
};

// A value that an operator or layer produces: a tensor, or the mark that computing it failed (an
// error has been reported then; operations on failed values fail silently, so that one cause gives
// one diagnostic).
class Value {
 public:
  Value() = default;
  explicit Value(Tensor* tensor) : tensor_(tensor) {}

  bool ok() const { return tensor_ != nullptr; }
  Tensor* tensor() const { return tensor_; }
  // All below are harmless on a failed value: float32, rank 0.
  const TensorType& type() const;
  DType dtype() const { return type().dtype; }
  const Shape& shape() const { return type().shape; }
  int rank() const { return shape().rank(); }
  Dim dim(int axis) const { return shape().dim(axis); }
  bool is_constant() const { return ok() && tensor_->is_constant(); }
  const ConstantPtr& constant() const;

  bool operator==(const Value&) const = default;

 private:
  Tensor* tensor_ = nullptr;
};

class Graph {
 public:
  explicit Graph(std::string name) : name_(std::move(name)) {}
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  const std::string& name() const { return name_; }

  Tensor* AddTensor(TensorType type);
  Tensor* AddInput(TensorType type, std::string name);
  Tensor* AddConstant(ConstantPtr constant);
  // Appends before `before`, or at the end where it is null. Inputs may be null (absent).
  Operator* AddOperator(BuiltinOperator code, std::vector<Tensor*> inputs,
                        std::vector<Tensor*> outputs, Operator* before = nullptr);

  // Unlinks an operator and its uses. REQUIRES: nothing uses its outputs.
  void Erase(Operator* op);
  // Makes every user of `from`, and the graph's outputs, use `to` instead.
  void ReplaceAllUses(Tensor* from, Tensor* to);
  // Makes input `index` of `op` read `tensor` (may be null).
  void SetInput(Operator* op, size_t index, Tensor* tensor);
  void MoveBefore(Operator* op, Operator* before);

  std::vector<Tensor*>& inputs() { return inputs_; }
  const std::vector<Tensor*>& inputs() const { return inputs_; }
  std::vector<Tensor*>& outputs() { return outputs_; }
  const std::vector<Tensor*>& outputs() const { return outputs_; }
  bool IsOutput(const Tensor* tensor) const;
  bool IsInput(const Tensor* tensor) const;
  // The operator that alone reads `tensor` (once, and `tensor` is no graph output), or null.
  Operator* OnlyUser(const Tensor* tensor) const;

  Operator* first() const { return first_; }
  Operator* last() const { return last_; }
  // The operators in order, as a snapshot: safe to edit the graph while walking it (skip `erased`
  // ones).
  std::vector<Operator*> Operators() const;
  size_t NumOperators() const;
  const std::deque<Tensor>& tensors() const { return tensors_; }

  // Where a symbol can be read when the file runs: a tensor and an axis whose size is exactly the
  // symbol.
  struct Witness {
    Tensor* tensor;
    int axis;
  };
  const Witness* FindWitness(SymbolId symbol) const;

 private:
  void Link(Operator* op, Operator* before);
  void Unlink(Operator* op);
  void RegisterWitness(Tensor* tensor);

  std::string name_;
  std::deque<Tensor> tensors_;
  std::deque<Operator> operators_;
  Operator* first_ = nullptr;
  Operator* last_ = nullptr;
  std::vector<Tensor*> inputs_;
  std::vector<Tensor*> outputs_;
  std::unordered_map<SymbolId, Witness> witnesses_;
};

// Everything that becomes one file.
struct Module {
  Module();

  // The graph that the signature runs; others are bodies of control flow.
  Graph& main() { return *graphs.front(); }
  const Graph& main() const { return *graphs.front(); }
  Graph& AddGraph(std::string name);
  int IndexOf(const Graph& graph) const;

  SymbolTable symbols;
  std::vector<std::unique_ptr<Graph>> graphs;
  std::vector<std::string> origins;  // layer paths; [0] is ""

  // Signature `serving_default`: names of main()'s inputs and outputs, in order.
  std::vector<std::string> input_names;
  std::vector<std::string> output_names;
  std::string description;
};

}  // namespace keras_litert::ir
