// Element-wise access to constants of any numeric dtype.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "ir/half.h"
#include "ir/type.h"

namespace keras_litert::ir {

// Calls f(T{}) with the storage type of `dtype` and returns true; false where elements are no
// numbers.
template <typename F>
bool DispatchElement(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool:
      f(bool{});
      return true;
    case DType::kInt8:
    case DType::kInt4:
      f(int8_t{});
      return true;
    case DType::kUInt8:
      f(uint8_t{});
      return true;
    case DType::kInt16:
      f(int16_t{});
      return true;
    case DType::kUInt16:
      f(uint16_t{});
      return true;
    case DType::kInt32:
      f(int32_t{});
      return true;
    case DType::kUInt32:
      f(uint32_t{});
      return true;
    case DType::kInt64:
      f(int64_t{});
      return true;
    case DType::kUInt64:
      f(uint64_t{});
      return true;
    case DType::kFloat16:
      f(Half{});
      return true;
    case DType::kBFloat16:
      f(BFloat16{});
      return true;
    case DType::kFloat32:
      f(float{});
      return true;
    case DType::kFloat64:
      f(double{});
      return true;
    default:
      return false;
  }
}

// Converts one element; to bool means "is not zero", from float to integer truncates, as NumPy's
// astype does. Numbers that an integer cannot hold become its nearest, NaN 0.
template <typename To, typename From>
To ConvertElement(From value) {
  constexpr bool kFromHalf = std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>;
  constexpr bool kToHalf = std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>;
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (kFromHalf) {
    return ConvertElement<To>(static_cast<float>(value));
  } else if constexpr (kToHalf) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (std::isnan(value)) return 0;
    if (value >= std::ldexp(From{1}, Limits::digits)) return Limits::max();
    if (value <= static_cast<From>(Limits::lowest())) return Limits::lowest();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace keras_litert::ir
