// Operators whose kernel lacks their operands' integer type compute in a type that it has
// (ir/kernel_types.h).
//
//   ADD(x: uint8, y: uint8)   ⇒   CAST(ADD(CAST(x), CAST(y)))       ADD of int32
//   LESS(x: bool, y: bool)    ⇒   LESS(CAST(x), CAST(y))
//
// The wider type holds all values, and casting back wraps as the narrow type's own arithmetic does
// (for bool: "is not zero", so that sums are disjunctions). int64 has nothing wider: where a kernel
// lacks it, it computes in int32, as Keras does on the JAX backend.
#include <map>
#include <optional>
#include <span>

#include "ir/kernel_types.h"
#include "ir/operators.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::OperandGroup;
using ir::Operator;
using ir::Tensor;

// In order of preference.
std::span<const DType> Substitutes(DType dtype) {
  static constexpr DType kForBool[] = {DType::kInt32, DType::kFloat32, DType::kUInt8};
  static constexpr DType kForSmall[] = {DType::kInt32, DType::kFloat32};
  static constexpr DType kForInt32[] = {DType::kInt64};
  static constexpr DType kForInt64[] = {DType::kInt32};
  static constexpr DType kForFloat[] = {DType::kFloat32};
  switch (dtype) {
    case DType::kBool:
      return kForBool;
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
      return kForSmall;
    case DType::kInt32:
      return kForInt32;
    case DType::kUInt32:
      return kForInt32;
    case DType::kInt64:
      return kForInt64;
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat64:
      return kForFloat;  // for what later rewrites moved behind a border's cast
    default:
      return {};
  }
}

std::optional<DType> Substitute(DType dtype, const ir::DTypeSet& types) {
  for (DType candidate : Substitutes(dtype)) {
    if (types.Has(candidate)) return candidate;
  }
  return std::nullopt;
}

Operator* AddCast(ir::Graph& graph, Tensor* from, Tensor* to, Operator* before, uint32_t origin) {
  Operator* op = graph.AddOperator(BuiltinOperator::CAST, {from}, {to}, before);
  op->options.Set(tflite::CastOptionsT{});
  op->origin = origin;
  return op;
}

void Rewrite(ir::Graph& graph, Operator* op, const OperandGroup& group, DType dtype) {
  std::map<Tensor*, Tensor*> casts;  // an operand that is read twice is cast once
  for (size_t i = 0; i < op->inputs.size(); ++i) {
    Tensor* input = op->inputs[i];
    if (input == nullptr || !OperandGroup::Contains(group.inputs, i)) continue;
    Tensor*& cast = casts[input];
    if (cast == nullptr && input->is_constant()) {
      cast = graph.AddConstant(ir::Casted(input->constant, dtype));
    } else if (cast == nullptr) {
      cast = graph.AddTensor({dtype, input->type.shape});
      AddCast(graph, input, cast, op, op->origin);
    }
    graph.SetInput(op, i, cast);
  }
  for (size_t i = 0; i < op->outputs.size(); ++i) {
    if (!OperandGroup::Contains(group.outputs, i)) continue;
    Tensor* output = op->outputs[i];
    if (output->users.empty() && !graph.IsOutput(output)) {
      output->type.dtype = dtype;
      continue;
    }
    // The old tensor, with its name and users, becomes the cast's.
    Tensor* wide = graph.AddTensor({dtype, output->type.shape});
    op->outputs[i] = wide;
    wide->producer = op;
    AddCast(graph, wide, output, op->next, op->origin);
  }
}

}  // namespace

void LegalizeTypes(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      for (const OperandGroup& group : ir::OperandGroups(op->code)) {
        const DType dtype = ir::GroupType(*op, group);
        if (group.types.Has(dtype) || ir::IsQuantized(*op, group)) continue;
        if (std::optional<DType> substitute = Substitute(dtype, group.types)) {
          Rewrite(*graph, op, group, *substitute);
        }
      }
    }
  }
}

}  // namespace keras_litert::passes
