// Checks that a module is what its types promise. A module that fails is a defect of this compiler,
// not of the user's model: lowerings and passes report the user's problems themselves.
//
//   verify-1  order: an operator reads what an input, a constant or an operator before it gives
//   verify-2  links: producers, users and graphs of tensors agree with the operators' lists
//   verify-3  arity: numbers of inputs and outputs, and the attributes' struct, are the operator's
//   verify-4  dtypes: operands that share a kernel's type have one; constants have their tensor's
//   type verify-5  shapes: the result's shape follows from the operands (sizes known only at run
//   time agree with any) verify-6  control flow: called graphs exist and have the types that they
//   are called with verify-7  signature: names and main's inputs and outputs are as many
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace keras_litert::ir {

// All problems, in order; empty: the module is sound. A Diagnostic's path is that of the layer that
// the operator computes for.
std::vector<Diagnostic> Verify(const Module& module);

// Checks one operator's shapes: what is wrong, or "". REQUIRES: arity and attributes are right.
std::string CheckShapes(const Operator& op);

}  // namespace keras_litert::ir
