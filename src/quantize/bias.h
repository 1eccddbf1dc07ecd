// Bias correction: rounded weights ŵ move the mean of a product's result by Σ (ŵ − w) · E[x], which
// is taken from the bias (Nagel et al. 2019, arxiv.org/abs/1906.04721, section 4.2). E[x] is that
// of the float model on the samples, by channel; what padding adds to a convolution does not count.
#pragma once

#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "quantize/affine.h"

namespace keras_litert::quantize {

// The channels of x, its last axis, where some operator multiplies them by constant weights and has
// a bias that can be corrected; 0: none does.
int64_t ChannelsToObserve(const ir::Tensor& x);

// E[x] of what operators multiply, by channel.
class InputMeans {
 public:
  // Of the operators of `main` whose inputs' means are known.
  InputMeans(const ir::Graph& main, const Ranges& ranges);
  // Null: unknown, or `op` has no bias to correct. Copies of a recurrent step, which have the same
  // weights and bias, have their mean in common.
  const std::vector<double>* Find(const ir::Operator& op) const;

 private:
  std::vector<std::vector<double>> means_;
  std::unordered_map<const ir::Operator*, size_t> index_;
};

}  // namespace keras_litert::quantize
