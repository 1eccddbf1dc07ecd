#include "quantize/scale_groups.h"

#include <algorithm>
#include <utility>

namespace keras_litert::quantize {
namespace {

// The least range of a result that is clipped at 6 or 1. Its kernel counts that number in steps of
// the result, in 32 bits; where nothing but zeros was observed the steps would be too many.
constexpr Range kLeastOfClipped = {0, 2e-4F};

}  // namespace

using ir::DType;
using ir::Graph;
using ir::Operator;
using ir::Tensor;

size_t ScaleGroups::Find(size_t group) const {
  while (parents_[group] != group) group = parents_[group];
  return group;
}

size_t ScaleGroups::GroupOf(const Tensor* x) {
  const auto [found, added] = groups_.try_emplace(x, parents_.size());
  if (added) {
    parents_.push_back(parents_.size());
    data_.push_back({ranges_.ObservedOf(x).value_or(Observed{}), std::nullopt});
  }
  return Find(found->second);
}

void ScaleGroups::Unite(size_t a, size_t b) {
  if (a == b) return;
  parents_[b] = a;
  data_[a].range.Include(data_[b].range);
}

ScaleGroups::ScaleGroups(const Graph& graph, const Integers& integers, const TensorRanges& ranges,
                         std::optional<DType> input_type)
    : graph_(graph), integers_(integers), ranges_(ranges), input_type_(input_type) {
  for (const Operator* op = graph_.first(); op != nullptr; op = op->next) {
    if (!integers_.contains(op)) continue;
    const IntegerKernel& kernel = *FindIntegerKernel(op->code);
    if (kernel.scales == Scales::kFixed) {
      data_[GroupOf(op->output())].fixed = FixedOutput(op->code, integers_.at(op));
    } else if (kernel.scales == Scales::kSame) {
      GroupSame(*op, kernel);
    } else if (kernel.scales == Scales::kWeights) {
      GroupCopies(*op, kernel);
    }
    if (ClipsAtNumber(*op)) {
      data_[GroupOf(op->output())].range.Include({kLeastOfClipped, kLeastOfClipped});
    }
  }
}

// Copies of a recurrent step: with one scale for what they multiply by the same weights, they
// share the bias, too, and its scales, which else would be 8 bytes a step for each channel.
void ScaleGroups::GroupCopies(const Operator& op, const IntegerKernel& kernel) {
  const Tensor* x = op.inputs[kernel.FirstValueInput()];
  const Tensor*& last = copies_[{op.origin, op.inputs[kernel.weights]->constant.get()}];
  const Tensor* before = std::exchange(last, x);
  if (before == nullptr || before->is_constant() || x->is_constant()) return;
  const size_t a = GroupOf(before);
  const size_t b = GroupOf(x);
  if (data_[a].fixed || data_[b].fixed) return;
  // No more than a bit less for the narrower.
  const auto width = [](const Range& r) { return std::max(r.max, 0.0F) - std::min(r.min, 0.0F); };
  const float one = width(data_[a].range.all);
  const float other = width(data_[b].range.all);
  if (std::max(one, other) <= 2 * std::min(one, other)) Unite(a, b);
}

void ScaleGroups::GroupSame(const Operator& op, const IntegerKernel& kernel) {
  std::vector<const Tensor*> values;
  size_t inputs = 0;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (!kernel.IsValueInput(i)) continue;
    ++inputs;
    const Tensor* x = op.inputs[i];
    // Another dtype is requantized in front of it.
    const auto producer = integers_.find(x->producer);
    if (producer != integers_.end() && producer->second != integers_.at(&op)) continue;
    if (graph_.IsInput(x) && input_type_ && *input_type_ != integers_.at(&op)) continue;
    values.push_back(x);
  }
  std::optional<size_t> group;
  for (const Tensor* x : values) {
    if (x->is_constant()) continue;
    const size_t g = GroupOf(x);
    // A fixed range is not everybody's: others are requantized, not clipped.
    if (inputs > 1 && data_[g].fixed) continue;
    if (group) Unite(*group, g);
    group = Find(group.value_or(g));
  }
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    if (!kernel.IsValueOutput(i)) continue;
    const size_t g = GroupOf(op.outputs[i]);
    if (group) Unite(*group, g);
    group = Find(group.value_or(g));
  }
  for (const Tensor* x : values) {
    if (!x->is_constant()) continue;
    const std::optional<Range> range = ranges_.RangeOfTensor(x);
    if (range && TensorRanges::HasSteps(*range)) {
      data_[*group].range.Include({*range, *range});
    }
  }
}

Affine ScaleGroups::AffineFor(const Tensor* x, DType dtype) {
  const GroupData& group = data_[GroupOf(x)];
  if (group.fixed && group.fixed->dtype == dtype) return *group.fixed;
  return AffineOf(dtype == DType::kInt16 ? group.range.all : group.range.kept, dtype);
}

}  // namespace keras_litert::quantize
