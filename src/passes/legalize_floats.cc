// All computing with floats happens in float32: LiteRT's kernels have no float64 or bfloat16 and
// hardly any float16. The model's inputs and outputs keep their types.
//
//   f(x: float16) = TANH(x)      ⇒   f(x: float16) = CAST(TANH(CAST(x)))        TANH of float32
//   CAST(y: float32) to float16  ⇒   y
//   const float16 (cast of a float32 weight)   ⇒   the float32 weight
//
// A model whose float16 kernels round after each operation gets the unrounded result: closer to its
// float32 twin, within float16's precision of its own.
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ir/operators.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Operator;
using ir::Tensor;

bool IsForeignFloat(const Tensor& tensor) {
  return ir::IsFloat(tensor.type.dtype) && tensor.type.dtype != DType::kFloat32;
}

class Legalizer {
 public:
  explicit Legalizer(ir::Module& module) : module_(module) {}

  void Run() {
    KeepOutputs();
    WidenInputs();
    for (const auto& graph : module_.graphs) WidenGraph(*graph);
    NarrowOutputs();
    for (const auto& graph : module_.graphs) DropCasts(*graph);
  }

 private:
  Tensor* Cast(ir::Graph& graph, Tensor* x, DType dtype, Operator* before, uint32_t origin) {
    Tensor* out = graph.AddTensor({dtype, x->type.shape});
    Operator* op = graph.AddOperator(BuiltinOperator::CAST, {x}, {out}, before);
    op->options.Set(tflite::CastOptionsT{});
    op->origin = origin;
    return out;
  }

  // Outputs that are inputs or constants stay what they are.
  void KeepOutputs() {
    ir::Graph& main = module_.main();
    for (Tensor* output : main.outputs()) {
      kept_.push_back(IsForeignFloat(*output) && output->producer == nullptr ? output : nullptr);
      wanted_.push_back(output->type.dtype);
    }
  }

  void WidenInputs() {
    ir::Graph& main = module_.main();
    Operator* first = main.first();
    for (Tensor* input : main.inputs()) {
      if (!IsForeignFloat(*input) || input->users.empty()) continue;
      Tensor* wide = main.AddTensor({DType::kFloat32, input->type.shape});
      main.ReplaceAllUses(input, wide);
      Operator* op = main.AddOperator(BuiltinOperator::CAST, {input}, {wide}, first);
      op->options.Set(tflite::CastOptionsT{});
    }
  }

  void WidenGraph(ir::Graph& graph) {
    const bool is_main = &graph == &module_.main();
    if (!is_main) {
      for (Tensor* input : graph.inputs()) Widen(*input);
    }
    for (Operator* op = graph.first(); op != nullptr; op = op->next) {
      for (Tensor* input : op->inputs) {
        if (input != nullptr && input->is_constant()) Widen(*input);
      }
      for (Tensor* output : op->outputs) Widen(*output);
    }
    if (!is_main) {
      for (Tensor* output : graph.outputs()) Widen(*output);
    }
  }

  void Widen(Tensor& tensor) {
    if (!IsForeignFloat(tensor)) return;
    if (tensor.is_constant()) {
      ir::ConstantPtr& wide = constants_[tensor.constant];
      if (!wide) wide = ir::CastedUnrounded(tensor.constant, DType::kFloat32);
      // A graph output keeps its constant (see KeepOutputs): it is restored from there.
      if (!narrow_.contains(&tensor)) narrow_.emplace(&tensor, tensor.constant);
      tensor.constant = wide;
    }
    tensor.type.dtype = DType::kFloat32;
  }

  void NarrowOutputs() {
    ir::Graph& main = module_.main();
    std::map<std::pair<Tensor*, DType>, Tensor*> made;
    for (size_t i = 0; i < main.outputs().size(); ++i) {
      Tensor*& output = main.outputs()[i];
      if (kept_[i] != nullptr) {
        const auto narrow = narrow_.find(kept_[i]);
        output = narrow == narrow_.end() ? kept_[i] : main.AddConstant(narrow->second);
        continue;
      }
      if (output->type.dtype == wanted_[i]) continue;
      Tensor*& cast = made[{output, wanted_[i]}];
      if (cast == nullptr) {
        const uint32_t origin = output->producer != nullptr ? output->producer->origin : 0;
        cast = Cast(main, output, wanted_[i], nullptr, origin);
      }
      output = cast;
    }
  }

  void DropCasts(ir::Graph& graph) {
    for (Operator* op : graph.Operators()) {
      if (op->code != BuiltinOperator::CAST) continue;
      if (op->inputs[0]->type.dtype != op->output()->type.dtype) continue;
      graph.ReplaceAllUses(op->output(), op->inputs[0]);
      graph.Erase(op);
    }
  }

  ir::Module& module_;
  std::vector<Tensor*> kept_;  // by output: the tensor that stays, or null
  std::vector<DType> wanted_;  // by output
  std::map<ir::ConstantPtr, ir::ConstantPtr> constants_;
  std::map<const Tensor*, ir::ConstantPtr> narrow_;
};

}  // namespace

void LegalizeFloats(ir::Module& module) {
  Legalizer(module).Run();
}

}  // namespace keras_litert::passes
