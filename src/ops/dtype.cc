#include "ops/dtype.h"

#include <array>
#include <cstdint>

#include "ir/operators.h"

namespace keras_litert::ops {
namespace {

// Nodes of the lattice: the dtypes by their enum value, then the two weak types.
constexpr int kWeakInt = 16;
constexpr int kWeakFloat = 17;
constexpr int kNodes = 18;

using Mask = uint32_t;
constexpr Mask Bit(int node) {
  return Mask{1} << node;
}
constexpr int Node(DType dtype) {
  return static_cast<int>(dtype);
}

// The dtypes directly above each node (keras.backend.result_type documents the lattice).
constexpr std::array<Mask, kNodes> Edges() {
  std::array<Mask, kNodes> up{};
  auto above = [&](int node, std::initializer_list<int> nodes) {
    for (int n : nodes) up[static_cast<size_t>(node)] |= Bit(n);
  };
  above(Node(DType::kBool), {kWeakInt});
  above(kWeakInt, {Node(DType::kUInt8), Node(DType::kInt8), Node(DType::kComplex64)});
  above(Node(DType::kUInt8), {Node(DType::kInt16), Node(DType::kUInt16)});
  above(Node(DType::kUInt16), {Node(DType::kInt32), Node(DType::kUInt32)});
  above(Node(DType::kUInt32), {Node(DType::kInt64), Node(DType::kUInt64)});
  above(Node(DType::kUInt64), {kWeakFloat});
  above(Node(DType::kInt8), {Node(DType::kInt16)});
  above(Node(DType::kInt16), {Node(DType::kInt32)});
  above(Node(DType::kInt32), {Node(DType::kInt64)});
  above(Node(DType::kInt64), {kWeakFloat});
  above(kWeakFloat, {Node(DType::kBFloat16), Node(DType::kFloat16)});
  above(Node(DType::kBFloat16), {Node(DType::kFloat32)});
  above(Node(DType::kFloat16), {Node(DType::kFloat32)});
  above(Node(DType::kFloat32), {Node(DType::kFloat64), Node(DType::kComplex64)});
  return up;
}

// Every node above a node, itself included.
constexpr std::array<Mask, kNodes> UpperBounds() {
  std::array<Mask, kNodes> bounds{};
  const std::array<Mask, kNodes> edges = Edges();
  for (int node = 0; node < kNodes; ++node) {
    Mask all = Bit(node);
    for (bool grown = true; grown;) {
      grown = false;
      for (int n = 0; n < kNodes; ++n) {
        if ((all & Bit(n)) != 0 && (edges[static_cast<size_t>(n)] & ~all) != 0) {
          all |= edges[static_cast<size_t>(n)];
          grown = true;
        }
      }
    }
    bounds[static_cast<size_t>(node)] = all;
  }
  return bounds;
}

constexpr std::array<Mask, kNodes> kUpperBounds = UpperBounds();

int LeastUpperBound(int x, int y) {
  const Mask common = kUpperBounds[static_cast<size_t>(x)] & kUpperBounds[static_cast<size_t>(y)];
  for (int node = 0; node < kNodes; ++node) {
    // The least of them is the one that all others are above.
    if ((common & Bit(node)) != 0 && (common & ~kUpperBounds[static_cast<size_t>(node)]) == 0) {
      return node;
    }
  }
  return Node(DType::kFloat32);
}

DType Narrowed(DType dtype) {
  switch (dtype) {
    case DType::kInt64:
      return DType::kInt32;
    case DType::kUInt64:
      return DType::kUInt32;
    case DType::kFloat64:
      return DType::kFloat32;
    default:
      return dtype;
  }
}

}  // namespace

DType ResultType(std::span<const Promotable> types) {
  int bound = -1;
  for (const Promotable& type : types) {
    const int node = type.weak == Promotable::Weak::kInt     ? kWeakInt
                     : type.weak == Promotable::Weak::kFloat ? kWeakFloat
                                                             : Node(type.dtype);
    bound = bound < 0 ? node : LeastUpperBound(bound, node);
  }
  if (bound < 0) return kFloatX;
  if (bound == kWeakInt) return DType::kInt32;
  if (bound == kWeakFloat) return kFloatX;
  return Narrowed(static_cast<DType>(bound));
}

DType ResultType(std::initializer_list<Promotable> types) {
  return ResultType(std::span(types.begin(), types.size()));
}

Promotable Operand::type() const {
  if (!number) return tensor.dtype();
  return is_int ? Promotable::PythonInt() : Promotable::PythonFloat();
}

Value Operand::As(Builder& b, DType dtype) const {
  return number ? b.Scalar(*number, dtype) : lrt::Cast(b, tensor, dtype);
}

DType ResultType(std::initializer_list<Operand> operands) {
  std::vector<Promotable> types;
  for (const Operand& operand : operands) types.push_back(operand.type());
  return ResultType(std::span<const Promotable>(types));
}

DType FloatResultType(DType dtype) {
  if (dtype == DType::kInt64) return kFloatX;
  return ResultType({Promotable(dtype), Promotable::PythonFloat()});
}

}  // namespace keras_litert::ops
