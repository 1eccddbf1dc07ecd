// Variables that live between a file's invocations: LiteRT's resource variables.
#pragma once

#include <string>

#include "ops/dtype.h"

namespace keras_litert::ops {

// The handle of the variable `name`, zeros of `type` before the first invocation. `type` is static.
// Asked twice for a name, it is the same variable.
Value ZeroVariable(Builder& b, const std::string& name, const ir::TensorType& type);
// The handle of a variable that InitializeVariable() gives its value before the first invocation.
Value VariableHandle(Builder& b, const std::string& name);
bool HasVariable(Builder& b, const std::string& name);
// `before`: the operator in front of which this is done; null: at the end.
void InitializeVariable(Builder b, const std::string& name, ir::ConstantPtr initial,
                        ir::Operator* before = nullptr);
// The value now: operators that come later do not change it.
Value ReadVariable(Builder& b, Value handle, const ir::TensorType& type);
void AssignVariable(Builder& b, Value handle, Value value);

}  // namespace keras_litert::ops
