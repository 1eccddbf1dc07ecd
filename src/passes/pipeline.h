// The optimization pipeline.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "ir/graph.h"
#include "util/result.h"

namespace keras_litert::passes {

// Rewrites one module in place. A pass never fails on a valid module: what it does not understand
// it leaves alone.
struct Pass {
  std::string_view name;
  void (*run)(ir::Module& module);
};

// The passes in the order in which they run: the table of contents of the optimizer.
std::span<const Pass> Pipeline();

// Runs all passes; `after` (may be empty) is called behind each one.
void RunPipeline(ir::Module& module, const std::function<void(const Pass&)>& after = {});

}  // namespace keras_litert::passes
