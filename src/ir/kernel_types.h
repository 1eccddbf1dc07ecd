// Which element types LiteRT's kernels compute.
//
// The truth is each kernel's own checks and arithmetic: several kernels accept int8, uint8 or int16
// only as quantized numbers, and compute nonsense (or divide by zero) where a tensor has no scale.
// Such types are not listed. The rows were found by running every operator with every type in the
// runtime (LiteRT 2.3.0), with and without its default delegate, against NumPy.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "ir/graph.h"

namespace keras_litert::ir {

class DTypeSet {
 public:
  constexpr DTypeSet() = default;
  constexpr DTypeSet(std::initializer_list<DType> dtypes) {
    for (DType dtype : dtypes) bits_ |= Bit(dtype);
  }
  constexpr bool Has(DType dtype) const { return (bits_ & Bit(dtype)) != 0; }
  constexpr DTypeSet operator|(DTypeSet other) const {
    other.bits_ |= bits_;
    return other;
  }
  std::string ToString() const;  // "int32, int64, float32"

 private:
  static constexpr uint32_t Bit(DType dtype) { return uint32_t{1} << static_cast<int>(dtype); }
  uint32_t bits_ = 0;
};

// Comparisons and logical operators of two operands: their result is bool.
bool IsPredicate(BuiltinOperator code);

// Operands of one operator that share one type. An operator may have several such groups (values;
// indices).
struct OperandGroup {
  BuiltinOperator code{};
  uint32_t inputs = 0;   // bit i: input i belongs to the group; bit 31: all inputs
  uint32_t outputs = 0;  // likewise
  DTypeSet types;

  static constexpr uint32_t kAll = uint32_t{1} << 31;
  static bool Contains(uint32_t mask, size_t index) {
    return mask == kAll || (index < 31 && (mask >> index & 1) != 0);
  }
};

// The groups of an operator; none for operators that take any type (control flow, RESHAPE …).
std::span<const OperandGroup> OperandGroups(BuiltinOperator code);

// The type of a group's operands in `op`: that of its first present one. kString where it has none.
DType GroupType(const Operator& op, const OperandGroup& group);
// True where one of the group's operands is quantized: its integers stand for real numbers then,
// and other rules hold.
bool IsQuantized(const Operator& op, const OperandGroup& group);

}  // namespace keras_litert::ir
