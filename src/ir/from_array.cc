#include "ir/from_array.h"

#include <fmt/core.h>

#include <optional>

namespace keras_litert::ir {

Result<ConstantPtr> FromArray(const Array& array, const std::string& name) {
  const std::optional<DType> dtype = DTypeFromName(array.dtype);
  if (!dtype || SizeOf(*dtype) == 0) {
    return Fail(name, "array-1", fmt::format("an array has the dtype '{}'", array.dtype));
  }
  size_t bytes = SizeOf(*dtype);
  bool valid = true;
  for (int64_t size : array.shape) {
    valid = valid && size >= 0 && !__builtin_mul_overflow(bytes, static_cast<size_t>(size), &bytes);
  }
  if (!valid || bytes != array.bytes.size()) {
    return Fail(name, "array-2",
                fmt::format("an array of shape {} and dtype {} has {} bytes",
                            Shape::Of(array.shape).ToString(), array.dtype, array.bytes.size()));
  }
  return ViewConstant({*dtype, Shape::Of(array.shape)}, array.bytes, array.owner);
}

}  // namespace keras_litert::ir
