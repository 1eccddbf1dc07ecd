// What is known of a tensor's values: from calibration, or by reading a constant.
#pragma once

#include <optional>
#include <string>

#include "ir/graph.h"
#include "quantize/affine.h"

namespace keras_litert::quantize {

// Whether it is there (not null) and float32.
bool IsFloat(const ir::Tensor* tensor);

class TensorRanges {
 public:
  // By tensors of the main graph; must outlive this.
  explicit TensorRanges(const Ranges& observed) : observed_(observed) {}

  // Nothing: calibration did not see it, or the constant cannot be read.
  std::optional<Observed> ObservedOf(const ir::Tensor* x) const;
  // Of all its values.
  std::optional<Range> RangeOfTensor(const ir::Tensor* x) const;

  // Why no scale can be made for x, which the text calls `what`; empty: one can.
  std::string WhyNot(const ir::Tensor* x, const char* what) const;
  // Likewise of a range by itself: finite, and no mask's.
  static bool HasSteps(const Range& range);

 private:
  const Ranges& observed_;
};

}  // namespace keras_litert::quantize
