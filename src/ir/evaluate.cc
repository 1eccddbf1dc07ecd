#include "ir/evaluate.h"

#include <cmath>
#include <functional>

#include "ir/element.h"

namespace keras_litert::ir {
namespace {

using Bytes = std::span<const std::byte>;

template <typename T>
T Load(Bytes bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void Store(std::span<std::byte> bytes, int64_t index, T value) {
  std::memcpy(bytes.data() + static_cast<size_t>(index) * sizeof(T), &value, sizeof(T));
}

std::vector<int64_t> Sizes(const Shape& shape) {
  std::vector<int64_t> sizes;
  for (Dim dim : shape) sizes.push_back(dim.value());
  return sizes;
}

// Strides of `shape` seen as `target`, which it broadcasts to: 0 along axes that repeat.
std::vector<int64_t> BroadcastStrides(const Shape& shape, const std::vector<int64_t>& target) {
  std::vector<int64_t> strides(target.size(), 0);
  int64_t stride = 1;
  for (int i = 1; i <= shape.rank(); ++i) {
    const int64_t size = shape[-i].value();
    if (size != 1) strides[target.size() - static_cast<size_t>(i)] = stride;
    stride *= size;
  }
  return strides;
}

// Calls f(output index, input indices) for every element of `sizes`, each input walked with its
// strides.
template <size_t kInputs, typename F>
void Walk(const std::vector<int64_t>& sizes,
          const std::array<std::vector<int64_t>, kInputs>& strides, F f) {
  int64_t total = 1;
  for (int64_t size : sizes) total *= size;
  std::vector<int64_t> index(sizes.size(), 0);
  std::array<int64_t, kInputs> at{};
  for (int64_t i = 0; i < total; ++i) {
    f(i, at);
    for (size_t axis = sizes.size(); axis-- > 0;) {
      for (size_t k = 0; k < kInputs; ++k) at[k] += strides[k][axis];
      if (++index[axis] < sizes[axis]) break;
      for (size_t k = 0; k < kInputs; ++k) at[k] -= strides[k][axis] * sizes[axis];
      index[axis] = 0;
    }
  }
}

template <typename T, typename R>
using BinaryFn = R (*)(T, T);

template <typename T>
BinaryFn<T, T> Arithmetic(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ADD:
      return [](T x, T y) { return static_cast<T>(x + y); };
    case BuiltinOperator::SUB:
      return [](T x, T y) { return static_cast<T>(x - y); };
    case BuiltinOperator::MUL:
      return [](T x, T y) { return static_cast<T>(x * y); };
    case BuiltinOperator::MAXIMUM:
      return [](T x, T y) { return x > y ? x : y; };
    case BuiltinOperator::MINIMUM:
      return [](T x, T y) { return x < y ? x : y; };
    case BuiltinOperator::SQUARED_DIFFERENCE:
      return [](T x, T y) { return static_cast<T>((x - y) * (x - y)); };
    case BuiltinOperator::DIV:
      if constexpr (std::is_floating_point_v<T>) return [](T x, T y) { return x / y; };
      return nullptr;
    case BuiltinOperator::POW:
      if constexpr (std::is_floating_point_v<T>) return [](T x, T y) { return std::pow(x, y); };
      return nullptr;
    case BuiltinOperator::FLOOR_DIV:
      if constexpr (std::is_floating_point_v<T>) {
        return [](T x, T y) { return std::floor(x / y); };
      } else {
        return [](T x, T y) {
          if (y == 0) return T{0};
          const T q = static_cast<T>(x / y);
          return static_cast<T>(q - ((x % y != 0 && (x < 0) != (y < 0)) ? 1 : 0));
        };
      }
    default:
      return nullptr;
  }
}

template <typename T>
BinaryFn<T, bool> Comparison(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::EQUAL:
      return [](T x, T y) { return x == y; };
    case BuiltinOperator::NOT_EQUAL:
      return [](T x, T y) { return x != y; };
    case BuiltinOperator::LESS:
      return [](T x, T y) { return x < y; };
    case BuiltinOperator::LESS_EQUAL:
      return [](T x, T y) { return x <= y; };
    case BuiltinOperator::GREATER:
      return [](T x, T y) { return x > y; };
    case BuiltinOperator::GREATER_EQUAL:
      return [](T x, T y) { return x >= y; };
    default:
      return nullptr;
  }
}

template <typename T>
BinaryFn<T, bool> Logic(BuiltinOperator code) {
  if constexpr (std::is_same_v<T, bool>) {
    if (code == BuiltinOperator::LOGICAL_AND) return [](bool x, bool y) { return x && y; };
    if (code == BuiltinOperator::LOGICAL_OR) return [](bool x, bool y) { return x || y; };
  }
  return nullptr;
}

using UnaryFn = float (*)(float);
UnaryFn Function(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ABS:
      return [](float x) { return std::abs(x); };
    case BuiltinOperator::NEG:
      return [](float x) { return -x; };
    case BuiltinOperator::EXP:
      return [](float x) { return std::exp(x); };
    case BuiltinOperator::LOG:
      return [](float x) { return std::log(x); };
    case BuiltinOperator::SQRT:
      return [](float x) { return std::sqrt(x); };
    case BuiltinOperator::RSQRT:
      return [](float x) { return 1.0F / std::sqrt(x); };
    case BuiltinOperator::SQUARE:
      return [](float x) { return x * x; };
    case BuiltinOperator::SIN:
      return [](float x) { return std::sin(x); };
    case BuiltinOperator::COS:
      return [](float x) { return std::cos(x); };
    case BuiltinOperator::TANH:
      return [](float x) { return std::tanh(x); };
    case BuiltinOperator::LOGISTIC:
      return [](float x) { return 1.0F / (1.0F + std::exp(-x)); };
    case BuiltinOperator::RELU:
      return [](float x) { return x > 0 ? x : 0; };
    case BuiltinOperator::FLOOR:
      return [](float x) { return std::floor(x); };
    case BuiltinOperator::CEIL:
      return [](float x) { return std::ceil(x); };
    default:
      return nullptr;
  }
}

// A fused activation would have to be computed too; constant operands have none in practice.
bool HasActivation(const Operator& op) {
  using tflite::ActivationFunctionType;
  switch (op.code) {
    case BuiltinOperator::ADD:
      return op.options.AsAddOptions()->fused_activation_function != ActivationFunctionType::NONE;
    case BuiltinOperator::SUB:
      return op.options.AsSubOptions()->fused_activation_function != ActivationFunctionType::NONE;
    case BuiltinOperator::MUL:
      return op.options.AsMulOptions()->fused_activation_function != ActivationFunctionType::NONE;
    case BuiltinOperator::DIV:
      return op.options.AsDivOptions()->fused_activation_function != ActivationFunctionType::NONE;
    default:
      return false;
  }
}

std::string NameOf(const Operator& op) {
  return tflite::EnumNameBuiltinOperator(op.code);
}

template <typename T, typename R>
ConstantPtr MapBinary(const Operator& op, BinaryFn<T, R> f) {
  const TensorType& type = op.output()->type;
  const std::vector<int64_t> sizes = Sizes(type.shape);
  const std::array strides{BroadcastStrides(op.inputs[0]->type.shape, sizes),
                           BroadcastStrides(op.inputs[1]->type.shape, sizes)};
  return ComputedConstant(NameOf(op), type, {op.inputs[0]->constant, op.inputs[1]->constant},
                          [=](std::span<const Bytes> in, std::span<std::byte> out) -> Status {
                            Walk<2>(
                                sizes, strides, [&](int64_t i, const std::array<int64_t, 2>& at) {
                                  Store<R>(out, i, f(Load<T>(in[0], at[0]), Load<T>(in[1], at[1])));
                                });
                            return {};
                          });
}

ConstantPtr EvaluateBinary(const Operator& op) {
  if (op.inputs.size() != 2 || HasActivation(op)) return nullptr;
  ConstantPtr result;
  auto with = [&]<typename T>(T) {
    if (auto f = Arithmetic<T>(op.code)) {
      result = MapBinary<T, T>(op, f);
    } else if (auto g = Comparison<T>(op.code)) {
      result = MapBinary<T, bool>(op, g);
    }
  };
  switch (op.inputs[0]->type.dtype) {
    case DType::kFloat32:
      with(float{});
      break;
    case DType::kInt32:
      with(int32_t{});
      break;
    case DType::kInt64:
      with(int64_t{});
      break;
    case DType::kBool:
      if (auto f = Logic<bool>(op.code)) result = MapBinary<bool, bool>(op, f);
      break;
    default:
      break;
  }
  return result;
}

ConstantPtr EvaluateUnary(const Operator& op) {
  const UnaryFn f = Function(op.code);
  if (f == nullptr || op.inputs[0]->type.dtype != DType::kFloat32) return nullptr;
  const int64_t n = op.inputs[0]->constant->num_elements();
  return ComputedConstant(NameOf(op), op.output()->type, {op.inputs[0]->constant},
                          [=](std::span<const Bytes> in, std::span<std::byte> out) -> Status {
                            for (int64_t i = 0; i < n; ++i) {
                              Store<float>(out, i, f(Load<float>(in[0], i)));
                            }
                            return {};
                          });
}

// Copies blocks: the operators that only move elements are walks with strides over bytes.
ConstantPtr EvaluateConcatenation(const Operator& op, int axis) {
  const TensorType& type = op.output()->type;
  const size_t element = SizeOf(type.dtype);
  if (element == 0) return nullptr;
  size_t outer = 1;
  for (int i = 0; i < axis; ++i) outer *= static_cast<size_t>(type.shape[i].value());
  std::vector<ConstantPtr> inputs;
  for (const Tensor* input : op.inputs) inputs.push_back(input->constant);
  return ComputedConstant("concat", type, std::move(inputs),
                          [=](std::span<const Bytes> in, std::span<std::byte> out) -> Status {
                            if (outer == 0) return {};
                            size_t offset = 0;
                            for (size_t o = 0; o < outer; ++o) {
                              for (const Bytes& piece : in) {
                                const size_t n = piece.size() / outer;
                                std::memcpy(out.data() + offset, piece.data() + o * n, n);
                                offset += n;
                              }
                            }
                            return {};
                          });
}

ConstantPtr EvaluateBroadcast(const Operator& op) {
  const TensorType& type = op.output()->type;
  const std::vector<int64_t> sizes = Sizes(type.shape);
  const std::array strides{BroadcastStrides(op.inputs[0]->type.shape, sizes)};
  const size_t element = SizeOf(type.dtype);
  return ComputedConstant("broadcast", type, {op.inputs[0]->constant},
                          [=](std::span<const Bytes> in, std::span<std::byte> out) -> Status {
                            Walk<1>(sizes, strides, [&](int64_t i, const auto& at) {
                              std::memcpy(out.data() + static_cast<size_t>(i) * element,
                                          in[0].data() + static_cast<size_t>(at[0]) * element,
                                          element);
                            });
                            return {};
                          });
}

// x[begin : end : stride] of a vector of int32, the shape arithmetic that graphs are full of.
ConstantPtr EvaluateVectorSlice(const Operator& op) {
  const tflite::StridedSliceOptionsT* options = op.options.AsStridedSliceOptions();
  if (op.inputs[0]->type.shape.rank() != 1 || options->new_axis_mask != 0 ||
      options->ellipsis_mask != 0 || op.inputs[0]->constant->byte_size() > 4096) {
    return nullptr;
  }
  auto x = EvaluateBytes(*op.inputs[0]->constant);
  auto begin = EvaluateAs<int64_t>(op.inputs[1]->constant);
  auto stride = EvaluateAs<int64_t>(op.inputs[3]->constant);
  if (!x || !begin || !stride || begin->size() != 1 || stride->at(0) != 1) return nullptr;
  const int64_t size = op.inputs[0]->type.shape[0].value();
  int64_t first = (options->begin_mask & 1) != 0 ? 0 : begin->at(0);
  if (first < 0) first += size;
  const TensorType& type = op.output()->type;
  const size_t element = SizeOf(type.dtype);
  const int64_t count = type.shape.NumElements();
  if (element == 0 || first < 0 || first + count > size) return nullptr;
  const auto* from = x->data() + static_cast<size_t>(first) * element;
  return OwnedConstant(type,
                       std::vector<std::byte>(from, from + static_cast<size_t>(count) * element));
}

ConstantPtr EvaluateGather(const Operator& op) {
  const tflite::GatherOptionsT* options = op.options.AsGatherOptions();
  const TensorType& type = op.output()->type;
  const Tensor* x = op.inputs[0];
  const size_t element = SizeOf(type.dtype);
  if (options->batch_dims != 0 || element == 0 || op.inputs[1]->constant->num_elements() > 65536) {
    return nullptr;
  }
  auto indices = EvaluateAs<int64_t>(op.inputs[1]->constant);
  if (!indices) return nullptr;
  const int axis = options->axis;
  const int64_t size = x->type.shape[axis].value();
  for (int64_t index : *indices) {
    if (index < 0 || index >= size) return nullptr;
  }
  size_t outer = 1;
  size_t inner = element;
  for (int i = 0; i < axis; ++i) outer *= static_cast<size_t>(x->type.shape[i].value());
  for (int i = axis + 1; i < x->type.shape.rank(); ++i) {
    inner *= static_cast<size_t>(x->type.shape[i].value());
  }
  return ComputedConstant(
      "gather", type, {x->constant},
      [=, indices = *std::move(indices)](std::span<const Bytes> in,
                                         std::span<std::byte> out) -> Status {
        size_t offset = 0;
        for (size_t o = 0; o < outer; ++o) {
          for (int64_t index : indices) {
            std::memcpy(
                out.data() + offset,
                in[0].data() + (o * static_cast<size_t>(size) + static_cast<size_t>(index)) * inner,
                inner);
            offset += inner;
          }
        }
        return {};
      });
}

}  // namespace

ConstantPtr EvaluateOperator(const Operator& op) {
  const TensorType& type = op.output()->type;
  switch (op.code) {
    case BuiltinOperator::CAST:
      return Casted(op.inputs[0]->constant, type.dtype);
    case BuiltinOperator::RESHAPE:
    case BuiltinOperator::EXPAND_DIMS:
    case BuiltinOperator::SQUEEZE:
      return Reshaped(op.inputs[0]->constant, type.shape);
    case BuiltinOperator::TRANSPOSE: {
      auto permutation = EvaluateAs<int32_t>(op.inputs[1]->constant);
      if (!permutation) return nullptr;
      return Transposed(op.inputs[0]->constant, *permutation);
    }
    case BuiltinOperator::CONCATENATION:
      return EvaluateConcatenation(op, op.options.AsConcatenationOptions()->axis);
    case BuiltinOperator::PACK:
      return op.options.AsPackOptions()->axis == 0 ? EvaluateConcatenation(op, 0) : nullptr;
    case BuiltinOperator::BROADCAST_TO:
      return EvaluateBroadcast(op);
    case BuiltinOperator::STRIDED_SLICE:
      return EvaluateVectorSlice(op);
    case BuiltinOperator::GATHER:
      return EvaluateGather(op);
    default:
      break;
  }
  if (ConstantPtr result = EvaluateUnary(op)) return result;
  return EvaluateBinary(op);
}

}  // namespace keras_litert::ir
