// A second module that computes the same, to be rewritten in another way.
#pragma once

#include <unordered_map>

#include "ir/graph.h"

namespace keras_litert::ir {

struct ModuleCopy {
  Module module;
  std::unordered_map<const Tensor*, Tensor*> tensors;  // the original's → the copy's
};

// Constants are shared: they do not change. Erased operators are left out.
ModuleCopy Copy(const Module& module);

}  // namespace keras_litert::ir
