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

// Sizes of dimensions where the inputs are one row of a batch.
class Sizes {
 public:
  Sizes(const Module& module, const std::vector<litert::Array>& batch) : symbols_(module.symbols) {
    const bool rows = HasRows(module, batch);
    for (size_t i = 0; i < batch.size(); ++i) {
      const ir::Shape& given = batch[i].type.shape;
      for (int axis = 0; axis < given.rank(); ++axis) {
        const ir::Dim dim = module.main().inputs()[i]->type.shape.dim(axis);
        const int64_t size = axis == 0 && rows ? 1 : given[axis].value();
        if (!dim.is_static()) known_[dim.symbol()] = size;
        largest_ = std::max(largest_, size);
      }
    }
  }

  // About: sizes that only a run tells count as the largest of the inputs'.
  int64_t Bytes(const ir::TensorType& type) const {
    int64_t bytes = sizeof(float);
    for (const ir::Dim dim : type.shape) {
      if (__builtin_mul_overflow(bytes, Of(dim), &bytes)) return INT64_MAX / 2;
    }
    return bytes;
  }

 private:
  int64_t Of(ir::Dim dim) const {
    if (dim.is_static()) return dim.value();
    return std::max<int64_t>(dim.coefficient() * OfSymbol(dim.symbol()), 1);
  }
  int64_t OfSymbol(ir::SymbolId symbol) const {
    const auto found = known_.find(symbol);
    if (found != known_.end()) return found->second;
    const SymbolTable::Definition& definition = symbols_.definition(symbol);
    switch (definition.kind) {
      case SymbolTable::Kind::kSum:
        return Of(definition.a) + Of(definition.b);
      case SymbolTable::Kind::kProduct:
        return Of(definition.a) * Of(definition.b);
      case SymbolTable::Kind::kFloorDiv:
        return Of(definition.a) / Of(definition.b);
      default:
        return largest_;
    }
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

}  // namespace

OtherOutputs::OtherOutputs(Module& module, const std::vector<Tensor*>& tensors)
    : module_(module),
      outputs_(std::move(module.main().outputs())),
      names_(std::move(module.output_names)) {
  ir::BuildContext context{module, {}, {}, 0};
  ir::Builder b(context, module.main());
  module.main().outputs().clear();
  module.output_names.clear();
  for (Tensor* tensor : tensors) {
    if (tensor->type.dtype != DType::kFloat32) {
      tensor = b.Emit(ir::BuiltinOperator::DEQUANTIZE, {ir::Value(tensor)},
                      {DType::kFloat32, tensor->type.shape})
                   .tensor();
      added_.push_back(tensor->producer);
    }
    // LiteRT's compiled model crashes where it is to give out the result of an operator that tells
    // its size only when it runs. A copy has its size before.
    const ir::Shape& shape = tensor->type.shape;
    const ir::Dim size = shape.is_static() ? ir::Dim(shape.NumElements()) : b.symbols().NewOpaque();
    const auto wanted = static_cast<int32_t>(size.value_or_minus_one());
    tensor = b.Emit(ir::BuiltinOperator::RESHAPE, tflite::ReshapeOptionsT{},
                    {ir::Value(tensor), b.Vector({wanted})}, {DType::kFloat32, {size}})
                 .tensor();
    added_.push_back(tensor->producer);
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
  const Sizes sizes(module, batches.front());
  int64_t total = 0;
  int64_t in_group = 0;
  int64_t largest = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t need = sizes.Bytes(tensors[i]->type);
    if (plan.groups.empty() || in_group + need > bytes) {
      plan.groups.emplace_back();
      in_group = 0;
    }
    plan.groups.back().push_back(i);
    in_group += need;
    largest = std::max(largest, need);
    total += std::min(need, bytes);
  }
  plan.rows = std::max<int64_t>(1, bytes / std::max<int64_t>(total, 1));
  plan.largest = static_cast<size_t>(std::max(largest, std::min(largest * plan.rows, bytes)));
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
