// Observing: the float model with the least and greatest values of its tensors, and means, as an
// output.
//
//   … x₁ … xₙ …
//   ⇒
//   … ; CONCATENATION(PACK(REDUCE_MIN(x₁), REDUCE_MAX(x₁), …, REDUCE_MAX(xₙ)), MEAN(xᵢ), …)
//
// float32[2n + …], with the means of those tensors for which ChannelsToObserve() has channels, by
// channel.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace keras_litert::quantize {

class Observers {
 public:
  static constexpr char kOutputName[] = "keras_litert_ranges";

  // Adds the reductions and the output, which becomes the module's only one.
  // REQUIRES: `tensors` are float32 of module.main(); there is at least one.
  Observers(ir::Module& module, const std::vector<ir::Tensor*>& tensors);
  // Takes all of it away again.
  ~Observers();
  Observers(const Observers&) = delete;
  Observers& operator=(const Observers&) = delete;

 private:
  ir::Module& module_;
  std::vector<ir::Operator*> added_;
  std::vector<ir::Tensor*> outputs_;  // the module's own
  std::vector<std::string> names_;
};

}  // namespace keras_litert::quantize
