// Operator versions: the lowest that carries what an operator uses.
#pragma once

#include "ir/graph.h"

namespace keras_litert::litert {

// The version for the operator's code, operands and attributes. A runtime that registers it runs
// the operator; older runtimes refuse the file when it is loaded instead of computing something
// else.
int OperatorVersion(const ir::Operator& op);

}  // namespace keras_litert::litert
