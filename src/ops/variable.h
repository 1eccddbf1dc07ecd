// Variables that live between a file's invocations: LiteRT's resource variables.
#pragma once

#include <string>

#include "ops/dtype.h"

namespace keras_litert::ops {

// The handle of the variable `name`, zeros of `type` before the first invocation. `type` is static.
// Asked twice for a name, it is the same variable.
Value ZeroVariable(Builder& b, const std::string& name, const ir::TensorType& type);
// The value now: operators that come later do not change it.
Value ReadVariable(Builder& b, Value handle, const ir::TensorType& type);
void AssignVariable(Builder& b, Value handle, Value value);

}  // namespace keras_litert::ops
