// Looking into a model: it runs with tensors inside of it as outputs, some at a time, so that what
// they need together is bounded whatever the model's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "litert/runtime.h"
#include "tuning/run.h"
#include "util/result.h"

namespace keras_litert {

// The module with other outputs, all float32 and named 0, 1 …, as long as this object lives. They
// may be flat.
class OtherOutputs {
 public:
  // REQUIRES: float32, or integers with scales; computed by operators.
  OtherOutputs(ir::Module& module, const std::vector<ir::Tensor*>& tensors);
  ~OtherOutputs();
  OtherOutputs(const OtherOutputs&) = delete;
  OtherOutputs& operator=(const OtherOutputs&) = delete;

 private:
  ir::Module& module_;
  std::vector<ir::Tensor*> outputs_;
  std::vector<std::string> names_;
  std::vector<ir::Operator*> added_;
};

// How many rows of the samples, and which of the tensors, may be looked at in one run.
struct ProbePlan {
  int64_t rows = 1;
  std::vector<std::vector<size_t>> groups;  // indices of the tensors, each once
  std::vector<size_t> bytes;                // of each tensor's values in one run; if in doubt, more
};

// `bytes`: what the values of a group may need, about. A runtime and its caller keep some copies.
inline constexpr int64_t kProbeBytes = int64_t{32} << 20;
ProbePlan PlanProbes(const ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                     const Batches& batches, int64_t bytes = kProbeBytes);

// Calls f with the first `most` batches, divided into parts of at most `rows` rows where the model
// takes any number of them.
Status ForEachPart(const ir::Module& module, const Batches& batches, size_t most, int64_t rows,
                   const std::function<bool()>& cancelled,
                   const std::function<Status(const std::vector<litert::Array>&)>& f);

}  // namespace keras_litert
