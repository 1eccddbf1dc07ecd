// Transposes move towards the outputs and cancel where they meet.
//
//   TRANSPOSE(TRANSPOSE(x, p), q)                   ⇒   TRANSPOSE(x, q∘p), or x
//   RELU(TRANSPOSE(x, p))                           ⇒   TRANSPOSE(RELU(x), p)
//   ADD(TRANSPOSE(x, p), TRANSPOSE(y, p))           ⇒   TRANSPOSE(ADD(x, y), p)
//   MUL(TRANSPOSE(x, p), c)                         ⇒   TRANSPOSE(MUL(x, c'), p)      c' is c,
//   transposed back CONCATENATION(TRANSPOSE(x, p), …, axis)         ⇒   TRANSPOSE(CONCATENATION(x,
//   …, p[axis]), p) PAD(TRANSPOSE(x, p), n)                         ⇒   TRANSPOSE(PAD(x, n'), p)
//   MEAN(TRANSPOSE(x, p), a) without the axes a     ⇒   MEAN(x, p[a])                  where the
//   rest stays in order
//
// It is what makes channels_first models run as channels_last ones.
#include <algorithm>
#include <numeric>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Operator;
using ir::Tensor;
using ir::Value;
using Permutation = std::vector<int32_t>;

// The permutation of the TRANSPOSE that makes `tensor`, and what it transposes.
struct Transposed {
  Tensor* source = nullptr;
  Permutation permutation;
  explicit operator bool() const { return source != nullptr; }
};

Transposed MatchTranspose(const Tensor* tensor) {
  Operator* op = ProducedBy(tensor, BuiltinOperator::TRANSPOSE);
  if (op == nullptr) return {};
  auto permutation = IntsOf(op->inputs[1]);
  if (!permutation) return {};
  return {op->inputs[0], *std::move(permutation)};
}

bool IsReduction(BuiltinOperator code) {
  return code == BuiltinOperator::MEAN || code == BuiltinOperator::SUM ||
         code == BuiltinOperator::REDUCE_MAX || code == BuiltinOperator::REDUCE_MIN;
}

class Sinker {
 public:
  Sinker(ir::Module& module, ir::Graph& graph) : module_(module), graph_(graph) {}

  bool Try(Operator* op) {
    if (op->code == BuiltinOperator::TRANSPOSE) return Merge(op);
    // A cast to float16 or float64 stands in front of an output: nothing computes with these.
    const bool border = op->code == BuiltinOperator::CAST &&
                        ir::IsFloat(op->output()->type.dtype) &&
                        op->output()->type.dtype != ir::DType::kFloat32;
    const bool unary = IsElementwiseUnary(op->code) && !border;
    const bool movable = unary || IsElementwiseBinary(op->code) || IsReduction(op->code) ||
                         op->code == BuiltinOperator::CONCATENATION ||
                         op->code == BuiltinOperator::PAD || op->code == BuiltinOperator::PADV2;
    if (!movable) return false;
    // The transpose must go: something else that reads it would keep it alive, and one would become
    // two.
    Permutation permutation;
    for (const Tensor* input : op->inputs) {
      if (input == nullptr || input->is_constant()) continue;
      const Transposed match = MatchTranspose(input);
      const bool sole = std::all_of(input->users.begin(), input->users.end(),
                                    [&](const Operator* user) { return user == op; });
      if (!match || !sole || graph_.IsOutput(input)) return false;
      if (!permutation.empty() && permutation != match.permutation) return false;
      permutation = match.permutation;
    }
    if (permutation.empty()) return false;
    if (IsReduction(op->code)) return SinkThroughReduction(op, permutation);
    if (op->code == BuiltinOperator::PAD || op->code == BuiltinOperator::PADV2) {
      return SinkThroughPad(op, permutation);
    }
    // Constants are transposed back; their missing leading axes are put in first.
    const int rank = static_cast<int>(permutation.size());
    Permutation inverse(permutation.size());
    for (int i = 0; i < rank; ++i)
      inverse[static_cast<size_t>(permutation[static_cast<size_t>(i)])] = i;
    RewriteBuilder b(module_, graph_, op);
    std::vector<Tensor*> inputs;
    for (Tensor* input : op->inputs) {
      if (!input->is_constant()) {
        if (input->type.shape.rank() != rank) return false;
        inputs.push_back(MatchTranspose(input).source);
        continue;
      }
      if (input->constant->num_elements() == 1 && op->code != BuiltinOperator::CONCATENATION) {
        inputs.push_back(input);
        continue;
      }
      ir::Shape shape = input->type.shape;
      while (shape.rank() < rank) shape.Insert(0, 1);
      if (shape.rank() != rank) return false;
      inputs.push_back(lrt::Transpose(*b, lrt::Reshape(*b, Value(input), shape), inverse).tensor());
    }
    for (size_t i = 0; i < inputs.size(); ++i) Redirect(graph_, op, i, inputs[i]);
    if (op->code == BuiltinOperator::CONCATENATION) {
      auto* options = op->options.AsConcatenationOptions();
      options->axis = permutation[static_cast<size_t>(options->axis)];
    }
    Restore(op, permutation, inverse);
    return true;
  }

 private:
  // Gives `op` its result in the source's order and puts a TRANSPOSE behind it.
  void Restore(Operator* op, const Permutation& permutation, const Permutation& inverse) {
    Tensor* old = op->output();
    ir::Shape shape;
    for (int32_t axis : inverse) shape.Append(old->type.shape[axis]);
    Tensor* result = graph_.AddTensor({old->type.dtype, shape});
    op->outputs[0] = result;
    result->producer = op;
    old->producer = nullptr;
    RewriteBuilder b(module_, graph_, op);
    b->SetInsertionPoint(op->next);  // null: behind all others
    const Value back = lrt::Transpose(*b, Value(result), permutation);
    graph_.ReplaceAllUses(old, back.tensor());
  }

  bool Merge(Operator* op) {
    const Transposed inner = MatchTranspose(op->inputs[0]);
    const auto outer = IntsOf(op->inputs[1]);
    if (!outer) return false;
    Permutation permutation = *outer;
    Tensor* source = op->inputs[0];
    if (inner) {
      for (int32_t& axis : permutation) axis = inner.permutation[static_cast<size_t>(axis)];
      source = inner.source;
    }
    const bool identity = std::is_sorted(permutation.begin(), permutation.end());
    if (identity) {
      if (graph_.IsOutput(op->output()) && graph_.IsInput(source)) return false;
      Replace(graph_, op, source);
      return true;
    }
    if (!inner) return false;
    RewriteBuilder b(module_, graph_, op);
    Redirect(graph_, op, 0, source);
    graph_.SetInput(op, 1, b->Vector(permutation).tensor());
    return true;
  }

  bool SinkThroughPad(Operator* op, const Permutation& permutation) {
    const auto amounts = IntsOf(op->inputs[1]);
    if (!amounts) return false;
    Permutation inverse(permutation.size());
    std::vector<int32_t> moved(amounts->size());
    for (size_t i = 0; i < permutation.size(); ++i) {
      const auto axis = static_cast<size_t>(permutation[i]);
      inverse[axis] = static_cast<int32_t>(i);
      moved[2 * axis] = (*amounts)[2 * i];
      moved[2 * axis + 1] = (*amounts)[2 * i + 1];
    }
    RewriteBuilder b(module_, graph_, op);
    const Value padding = b->Constant(
        ir::DType::kInt32, ir::Shape{static_cast<int64_t>(permutation.size()), 2}, moved);
    Redirect(graph_, op, 0, MatchTranspose(op->inputs[0]).source);
    graph_.SetInput(op, 1, padding.tensor());
    Restore(op, permutation, inverse);
    return true;
  }

  bool SinkThroughReduction(Operator* op, const Permutation& permutation) {
    const auto axes = IntsOf(op->inputs[1]);
    if (!axes) return false;
    const bool keep = op->options.AsReducerOptions()->keep_dims;
    std::vector<int32_t> moved;
    for (int32_t axis : *axes) moved.push_back(permutation[static_cast<size_t>(axis)]);
    std::sort(moved.begin(), moved.end());
    std::vector<int32_t> rest;  // source axes that remain, in the transposed order
    for (int32_t axis : permutation) {
      if (!std::binary_search(moved.begin(), moved.end(), axis)) rest.push_back(axis);
    }
    if (!keep && !std::is_sorted(rest.begin(), rest.end())) return false;
    RewriteBuilder b(module_, graph_, op);
    Redirect(graph_, op, 0, MatchTranspose(op->inputs[0]).source);
    graph_.SetInput(op, 1, b->Vector(moved).tensor());
    if (keep) {
      Permutation inverse(permutation.size());
      for (size_t i = 0; i < permutation.size(); ++i) {
        inverse[static_cast<size_t>(permutation[i])] = static_cast<int32_t>(i);
      }
      Restore(op, permutation, inverse);
    }
    return true;
  }

  ir::Module& module_;
  ir::Graph& graph_;
};

}  // namespace

void CancelTransposes(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    Sinker sinker(module, *graph);
    // Each step moves one transpose behind one operator or removes one, so this ends.
    for (bool changed = true; changed;) {
      changed = false;
      for (Operator* op : graph->Operators()) {
        if (!op->erased) changed |= sinker.Try(op);
      }
    }
  }
}

}  // namespace keras_litert::passes
