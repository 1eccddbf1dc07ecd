#include "quantize/tensor_ranges.h"

#include <fmt/core.h>

#include <algorithm>

namespace keras_litert::quantize {
namespace {

using ir::DType;
using ir::Tensor;

// Ranges beyond this are of masks (-1e9), which would leave no step for the numbers that count.
constexpr float kLargest = 1e6F;

float LargestOf(const Range& range) {
  return std::max(-range.min, range.max);
}

}  // namespace

bool IsFloat(const Tensor* tensor) {
  return tensor != nullptr && tensor->type.dtype == DType::kFloat32;
}

std::optional<Observed> TensorRanges::ObservedOf(const Tensor* x) const {
  if (x->is_constant()) {
    const Result<Range> range = RangeOf(x->constant);
    if (!range) return std::nullopt;
    return Observed{*range, *range};
  }
  const auto found = observed_.find(x);
  if (found == observed_.end()) return std::nullopt;
  return found->second;
}

std::optional<Range> TensorRanges::RangeOfTensor(const Tensor* x) const {
  const std::optional<Observed> observed = ObservedOf(x);
  return observed ? std::optional(observed->all) : std::nullopt;
}

std::string TensorRanges::WhyNot(const Tensor* x, const char* what) const {
  const std::optional<Range> range = RangeOfTensor(x);
  if (!range) return fmt::format("{} was not observed", what);
  if (!range->IsFinite()) return fmt::format("{} has values that are no finite numbers", what);
  const float largest = LargestOf(*range);
  if (largest > kLargest) {
    return fmt::format("{} reaches {:.1e}, which leaves no steps for other values", what, largest);
  }
  return "";
}

bool TensorRanges::HasSteps(const Range& range) {
  return range.IsFinite() && LargestOf(range) <= kLargest;
}

}  // namespace keras_litert::quantize
