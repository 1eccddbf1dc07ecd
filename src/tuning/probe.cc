#include "tuning/probe.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "ir/operators.h"
#include "util/cancelled.h"

namespace keras_litert {
namespace {

using ir::DType;
using ir::Module;
using ir::SymbolTable;
using ir::Tensor;

// True where the model takes any number of rows, and each array of the batch has as many.
bool HasRows(const Module& module, const std::vector<litert::Array>& batch) {
  const std::vector<Tensor*>& inputs = module.main().inputs();
  for (size_t i = 0; i < batch.size(); ++i) {
    const ir::Shape& shape = batch[i].type.shape;
    if (shape.rank() == 0 || inputs[i]->type.shape.dim(0).is_static()) return false;
    if (shape[0] != batch[0].type.shape[0]) return false;
  }
  return !batch.empty();
}

// Sizes of dimensions where the inputs are one row of a batch, the largest of all batches.
class Sizes {
 public:
  Sizes(const Module& module, const Batches& batches) : symbols_(module.symbols) {
    for (const std::vector<litert::Array>& batch : batches) {
      const bool rows = HasRows(module, batch);
      for (size_t i = 0; i < batch.size(); ++i) {
        const ir::Shape& given = batch[i].type.shape;
        for (int axis = 0; axis < given.rank(); ++axis) {
          const ir::Dim dim = module.main().inputs()[i]->type.shape.dim(axis);
          const int64_t size = axis == 0 && rows ? 1 : given[axis].value();
          if (!dim.is_static()) {
            int64_t& known = known_[dim.symbol()];
            known = std::max(known, size);
          }
          largest_ = std::max(largest_, size);
        }
      }
    }
  }

  // As float32. About, where `is_known` becomes false: sizes that only a run tells count as the
  // largest of the inputs'.
  int64_t Bytes(const ir::TensorType& type, bool& is_known) const {
    int64_t bytes = sizeof(float);
    for (const ir::Dim dim : type.shape) {
      const int64_t size = std::max<int64_t>(Of(dim, is_known), 1);
      if (__builtin_mul_overflow(bytes, size, &bytes)) return INT64_MAX / 2;
    }
    return bytes;
  }

 private:
  // May be negative: 1 - length of arange(1 - length, 1).
  int64_t Of(ir::Dim dim, bool& is_known) const {
    if (dim.is_static()) return dim.value();
    return dim.coefficient() * OfSymbol(dim.symbol(), is_known);
  }
  int64_t OfSymbol(ir::SymbolId symbol, bool& is_known) const {
    const auto found = known_.find(symbol);
    if (found != known_.end()) return found->second;
    const SymbolTable::Definition& definition = symbols_.definition(symbol);
    switch (definition.kind) {
      case SymbolTable::Kind::kSum:
        return Of(definition.a, is_known) + Of(definition.b, is_known);
      case SymbolTable::Kind::kProduct:
        return Of(definition.a, is_known) * Of(definition.b, is_known);
      case SymbolTable::Kind::kFloorDiv:
        return FloorDiv(Of(definition.a, is_known), Of(definition.b, is_known));
      default:
        is_known = false;
        return largest_;
    }
  }

  static int64_t FloorDiv(int64_t a, int64_t b) {
    const int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
  }

  const SymbolTable& symbols_;
  std::map<ir::SymbolId, int64_t> known_;
  int64_t largest_ = 1;
};

// Rows [first, first + count) of an array.
litert::Array Rows(const litert::Array& array, int64_t first, int64_t count) {
  litert::Array part{array.type, {}};
  const size_t row = array.bytes.size() / static_cast<size_t>(array.type.shape[0].value());
  const auto begin = array.bytes.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(first) * row);
  part.bytes.assign(begin, begin + static_cast<ptrdiff_t>(static_cast<size_t>(count) * row));
  part.type.shape.Set(0, count);
  return part;
}

// Whether an operator of the graph may tell its result's size only when it runs: sizes that others
// compute, or a result of data. In doubt true.
bool MayLearnSizes(const ir::Graph& graph) {
  using enum ir::BuiltinOperator;
  for (const ir::Operator* op = graph.first(); op != nullptr; op = op->next) {
    switch (op->code) {
      case FILL:
      case IF:
      case RANGE:
      case UNIQUE:
      case WHERE:
      case WHILE:
        return true;
      default:
        break;
    }
    for (size_t i = 1; i < op->inputs.size(); ++i) {
      const Tensor* x = op->inputs[i];
      if (x == nullptr || x->is_constant() || x->quantization != nullptr) continue;
      if (x->type.dtype == DType::kInt32 || x->type.dtype == DType::kInt64) return true;
    }
  }
  return false;
}

}  // namespace

OtherOutputs::OtherOutputs(Module& module, const std::vector<Tensor*>& tensors)
    : module_(module),
      outputs_(std::move(module.main().outputs())),
      names_(std::move(module.output_names)) {
  ir::BuildContext context{module, {}, {}, 0};
  ir::Builder b(context, module.main());
  module.main().outputs().clear();
  module.output_names.clear();
  // LiteRT's compiled model crashes where it is to give out the result of an operator that tells
  // its size only when it runs. A copy has its size before.
  const bool copies = MayLearnSizes(module.main());
  for (Tensor* tensor : tensors) {
    if (tensor->type.dtype != DType::kFloat32) {
      tensor = b.Emit(ir::BuiltinOperator::DEQUANTIZE, {ir::Value(tensor)},
                      {DType::kFloat32, tensor->type.shape})
                   .tensor();
      added_.push_back(tensor->producer);
    }
    if (copies) {
      const ir::Shape& shape = tensor->type.shape;
      const ir::Dim size =
          shape.is_static() ? ir::Dim(shape.NumElements()) : b.symbols().NewOpaque();
      const auto wanted = static_cast<int32_t>(size.value_or_minus_one());
      tensor = b.Emit(ir::BuiltinOperator::RESHAPE, tflite::ReshapeOptionsT{},
                      {ir::Value(tensor), b.Vector({wanted})}, {DType::kFloat32, {size}})
                   .tensor();
      added_.push_back(tensor->producer);
    }
    module.output_names.push_back(std::to_string(module.output_names.size()));
    module.main().outputs().push_back(tensor);
  }
}

OtherOutputs::~OtherOutputs() {
  module_.main().outputs() = std::move(outputs_);
  module_.output_names = std::move(names_);
  std::reverse(added_.begin(), added_.end());
  for (ir::Operator* op : added_) module_.main().Erase(op);
}

ProbePlan PlanProbes(const Module& module, const std::vector<Tensor*>& tensors,
                     const Batches& batches, int64_t bytes) {
  ProbePlan plan;
  if (tensors.empty() || batches.empty()) return plan;
  const Sizes sizes(module, batches);
  int64_t total = 0;
  int64_t in_group = 0;
  std::vector<int64_t> room;  // for one row
  for (size_t i = 0; i < tensors.size(); ++i) {
    bool is_known = true;
    const int64_t need = sizes.Bytes(tensors[i]->type, is_known);
    constexpr int64_t kUnknown = int64_t{1} << 20;
    constexpr int64_t kMost = int64_t{1} << 32;
    room.push_back(
        std::min(is_known ? need : std::max(2 * std::min(need, kMost), kUnknown), kMost));
    if (plan.groups.empty() || in_group + need > bytes) {
      plan.groups.emplace_back();
      in_group = 0;
    }
    plan.groups.back().push_back(i);
    in_group += need;
    total += std::min(need, bytes);
  }
  plan.rows = std::max<int64_t>(1, bytes / std::max<int64_t>(total, 1));
  int64_t rows = 1;
  for (const std::vector<litert::Array>& batch : batches) {
    if (HasRows(module, batch)) rows = std::max(rows, batch[0].type.shape[0].value());
  }
  rows = std::min(rows, plan.rows);
  for (const int64_t one : room) plan.bytes.push_back(static_cast<size_t>(one * rows));
  return plan;
}

Status ForEachPart(const Module& module, const Batches& batches, size_t most, int64_t rows,
                   const std::function<bool()>& cancelled,
                   const std::function<Status(const std::vector<litert::Array>&)>& f) {
  for (size_t n = 0; n < std::min(batches.size(), most); ++n) {
    const std::vector<litert::Array>& batch = batches[n];
    const bool divided = HasRows(module, batch);
    const int64_t count = divided ? batch[0].type.shape[0].value() : 1;
    for (int64_t first = 0; first < count; first += rows) {
      if (cancelled && cancelled()) return Cancelled();
      if (!divided || rows >= count) {
        KL_RETURN_IF_ERROR(f(batch));
        break;
      }
      std::vector<litert::Array> part;
      for (const litert::Array& array : batch) {
        part.push_back(Rows(array, first, std::min(rows, count - first)));
      }
      KL_RETURN_IF_ERROR(f(part));
    }
  }
  return {};
}

}  // namespace keras_litert
