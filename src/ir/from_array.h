// Arrays of the public interface as constants.
#pragma once

#include <string>

#include "ir/constant.h"
#include "keras_litert/array.h"
#include "util/result.h"

namespace keras_litert::ir {

// A constant that reads the caller's bytes. `name` is its place in errors: array-1 (a dtype that
// the graph does not have), array-2 (bytes that do not fit shape and dtype).
Result<ConstantPtr> FromArray(const Array& array, const std::string& name);

}  // namespace keras_litert::ir
