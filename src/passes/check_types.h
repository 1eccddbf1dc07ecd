// The last look at a module before it is written: are there kernels for all of it?
#pragma once

#include <vector>

#include "ir/graph.h"
#include "util/result.h"

namespace keras_litert::passes {

// Passes cannot fail; what `legalize_types` could not make legal is reported here, by the layer
// that it computes for. Empty: every operator has operands that its kernel computes.
std::vector<Diagnostic> CheckTypes(const ir::Module& module);

}  // namespace keras_litert::passes
