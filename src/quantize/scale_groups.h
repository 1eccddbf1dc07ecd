// Which tensors share a scale, and the integers of each.
//
//   y = MAX_POOL_2D(x)         compares or moves values: x and y have one scale, of both ranges
//   y = CONCATENATION(a, b)    so have a, b and y; but a fixed range, such as SOFTMAX's, is not
//                              that of others
//   y = SOFTMAX(x)             y has the scale that the kernel says
//
// Else a tensor has a scale of its own, by its range.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "quantize/affine.h"
#include "quantize/choose_integers.h"
#include "quantize/kernels.h"
#include "quantize/tensor_ranges.h"

namespace keras_litert::quantize {

class ScaleGroups {
 public:
  // Of the main graph `graph`, whose operators `integers` compute in integers. `input_type`: what
  // the file's float inputs are to be; nothing: float32. All references must outlive this.
  // REQUIRES: what goes into and comes out of these operators is known to `ranges` and has steps.
  ScaleGroups(const ir::Graph& graph, const Integers& integers, const TensorRanges& ranges,
              std::optional<ir::DType> input_type);

  // x as int8 or int16, which `dtype` is. int8 spans the part of the values that is kept, int16
  // all.
  Affine AffineFor(const ir::Tensor* x, ir::DType dtype);

 private:
  struct GroupData {
    Observed range;
    std::optional<Affine> fixed;
  };

  size_t Find(size_t group) const;
  size_t GroupOf(const ir::Tensor* x);
  void Unite(size_t a, size_t b);
  void GroupCopies(const ir::Operator& op, const IntegerKernel& kernel);
  void GroupSame(const ir::Operator& op, const IntegerKernel& kernel);

  const ir::Graph& graph_;
  const Integers& integers_;
  const TensorRanges& ranges_;
  std::optional<ir::DType> input_type_;

  // Groups of tensors with one scale: union-find.
  std::unordered_map<const ir::Tensor*, size_t> groups_;
  std::vector<size_t> parents_;
  std::vector<GroupData> data_;
  // By origin and weights: what was multiplied by them last.
  std::map<std::pair<uint32_t, const ir::Constant*>, const ir::Tensor*> copies_;
};

}  // namespace keras_litert::quantize
