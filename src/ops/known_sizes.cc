#include "ops/known_sizes.h"

#include <cstdint>

#include "ir/operators.h"

namespace keras_litert::ops {
namespace {

using enum ir::BuiltinOperator;

// Deeper chains and longer vectors count as unknown.
constexpr int kMostDepth = 16;
constexpr int64_t kMostSizes = 64;

std::optional<std::vector<Dim>> Constant(const ir::Tensor& tensor) {
  if (tensor.constant->num_elements() > kMostSizes) return std::nullopt;
  const auto numbers = ir::EvaluateAs<int64_t>(tensor.constant);
  if (!numbers) return std::nullopt;
  std::vector<Dim> sizes;
  for (const int64_t number : *numbers) sizes.emplace_back(number);
  return sizes;
}

std::optional<std::vector<Dim>> Find(const ir::Tensor* tensor, int depth);

// The sizes that a STRIDED_SLICE with step 1 takes.
std::optional<std::vector<Dim>> Sliced(const ir::Operator& op, int depth) {
  const auto* options = op.options.AsStridedSliceOptions();
  if (options == nullptr || options->begin_mask != 0 || options->end_mask != 0 ||
      options->ellipsis_mask != 0 || options->new_axis_mask != 0 || options->offset) {
    return std::nullopt;
  }
  const auto all = Find(op.inputs[0], depth);
  std::vector<int64_t> ends;
  for (size_t i = 1; i < 4; ++i) {
    const auto known = Find(op.inputs[i], depth);
    if (!known || known->size() != 1 || !known->front().is_static()) return std::nullopt;
    ends.push_back(known->front().value());
  }
  if (!all || ends[2] != 1 || ends[0] < 0 || ends[0] > ends[1] ||
      ends[1] > static_cast<int64_t>(all->size())) {
    return std::nullopt;
  }
  return std::vector<Dim>(all->begin() + ends[0], all->begin() + ends[1]);
}

std::optional<std::vector<Dim>> Find(const ir::Tensor* tensor, int depth) {
  if (tensor == nullptr || depth == 0 || tensor->type.shape.rank() > 1) return std::nullopt;
  if (tensor->type.dtype != DType::kInt32 && tensor->type.dtype != DType::kInt64) {
    return std::nullopt;
  }
  if (tensor->is_constant()) return Constant(*tensor);
  const ir::Operator* op = tensor->producer;
  if (op == nullptr) return std::nullopt;
  switch (op->code) {
    case SHAPE: {
      const ir::Shape& shape = op->inputs[0]->type.shape;
      return std::vector<Dim>(shape.begin(), shape.end());
    }
    case CAST:
    case EXPAND_DIMS:
    case RESHAPE:
    case SQUEEZE:
      return Find(op->inputs[0], depth - 1);
    case STRIDED_SLICE:
      return Sliced(*op, depth - 1);
    case CONCATENATION:
    case PACK: {
      std::vector<Dim> sizes;
      for (const ir::Tensor* input : op->inputs) {
        const auto part = Find(input, depth - 1);
        if (!part) return std::nullopt;
        sizes.insert(sizes.end(), part->begin(), part->end());
      }
      return sizes;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::vector<Dim>> KnownSizes(Value sizes) {
  if (!sizes.ok()) return std::nullopt;
  return Find(sizes.tensor(), kMostDepth);
}

std::optional<std::vector<Argument>> SizesOf(Builder& b, const Argument& sizes) {
  const auto is_integer = [](Value x) {
    return x.dtype() == DType::kInt32 || x.dtype() == DType::kInt64;
  };
  // Keras makes a list of whatever is no list.
  const bool wrapped = sizes.is_list() && sizes.items().size() == 1 && sizes.items()[0].is_tensor();
  const Argument& given = wrapped ? sizes.items()[0] : sizes;
  std::vector<Argument> items;
  if (given.is_tensor() && given.tensor().ok()) {
    const Value x = given.tensor();
    if (x.rank() == 0) {
      items = {given};
    } else if (x.rank() != 1 || !x.dim(0).is_static() || !is_integer(x)) {
      return std::nullopt;
    } else if (const auto known = KnownSizes(x)) {
      for (const Dim size : *known) items.push_back(Argument::Int(size));
    } else {
      for (const Value size : lrt::Unpack(b, x, 0)) items.emplace_back(size);
    }
  } else if (given.is_list()) {
    items = given.items();
  } else {
    items = {given};
  }
  for (Argument& item : items) {
    if (item.kind() == Argument::Kind::kInt) continue;
    if (!item.is_tensor()) return std::nullopt;
    const Value x = item.tensor();
    if (!x.ok()) continue;
    if (x.rank() != 0 || !is_integer(x)) return std::nullopt;
    const auto known = KnownSizes(x);
    item = known && known->size() == 1 ? Argument::Int(known->front())
                                       : Argument(lrt::Cast(b, x, DType::kInt32));
  }
  return items;
}

}  // namespace keras_litert::ops
