// A stable text for graphs: what snapshot tests compare and `--dump-after` shows.
#pragma once

#include <string>

#include "ir/graph.h"

namespace keras_litert::ir {

// One line an operator:
//   %3 = CONV_2D(%0, const float32[8, 3, 3, 3], %none) {padding=SAME, stride_h=2, …} :
//   float32[batch, 16, 16, 8]
// Values are numbered in order of appearance, so equal graphs print equally. Small constants print
// their elements.
std::string Print(const Graph& graph, const Module& module);
std::string Print(const Module& module);

}  // namespace keras_litert::ir
