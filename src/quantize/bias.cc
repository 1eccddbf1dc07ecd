#include "quantize/bias.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace keras_litert::quantize {
namespace {

using ir::DType;
using ir::Operator;
using ir::Shape;
using ir::Tensor;
using enum ir::BuiltinOperator;

bool IsFloatConstant(const Tensor* x) {
  return x != nullptr && x->is_constant() && x->type.dtype == DType::kFloat32;
}

// The channels of op's input 0, the last axis, where its weights have one for each of them; 0: not.
int64_t Channels(const Operator& op) {
  if (op.code != CONV_2D && op.code != DEPTHWISE_CONV_2D && op.code != FULLY_CONNECTED) return 0;
  if (op.inputs.size() < 2 || op.inputs[0] == nullptr || !IsFloatConstant(op.inputs[1])) return 0;
  const Tensor* bias = op.inputs.size() > 2 ? op.inputs[2] : nullptr;
  if (bias == nullptr ? op.code == FULLY_CONNECTED
                      : !IsFloatConstant(bias) || bias->type.shape.rank() != 1) {
    return 0;
  }
  const Shape& in = op.inputs[0]->type.shape;
  const Shape& weights = op.inputs[1]->type.shape;
  if (in.rank() < 2 || !in[in.rank() - 1].is_static()) return 0;
  const int64_t channels = in[in.rank() - 1].value();
  const int64_t last = weights[weights.rank() - 1].value();
  if (channels == 0 || last == 0) return 0;
  switch (op.code) {
    case DEPTHWISE_CONV_2D:
      return last % channels == 0 ? channels : 0;
    case CONV_2D: {
      const int64_t groups = channels / last;
      const bool fits = channels % last == 0 && weights[0].value() % groups == 0;
      return fits ? channels : 0;
    }
    default:
      return last == channels ? channels : 0;
  }
}

}  // namespace

int64_t ChannelsToObserve(const Tensor& x) {
  for (const Operator* user : x.users) {
    if (!user->inputs.empty() && user->inputs[0] == &x && Channels(*user) > 0) {
      return Channels(*user);
    }
  }
  return 0;
}

InputMeans::InputMeans(const ir::Graph& main, const Ranges& ranges) {
  std::map<std::tuple<uint32_t, const ir::Constant*, const ir::Constant*>, size_t> copies;
  std::vector<double> counts;
  for (const Operator* op = main.first(); op != nullptr; op = op->next) {
    const int64_t channels = Channels(*op);
    if (channels == 0) continue;
    const auto known = ranges.find(op->inputs[0]);
    if (known == ranges.end() || known->second.mean == nullptr) continue;
    const std::vector<double>& mean = *known->second.mean;
    if (static_cast<int64_t>(mean.size()) != channels) continue;
    const Tensor* bias = op->inputs.size() > 2 ? op->inputs[2] : nullptr;
    const auto [found, added] = copies.try_emplace(
        {op->origin, op->inputs[1]->constant.get(), bias ? bias->constant.get() : nullptr},
        means_.size());
    const size_t i = index_[op] = found->second;
    if (added) {
      means_.push_back(mean);
      counts.push_back(1);
      continue;
    }
    ++counts[i];
    for (size_t c = 0; c < mean.size(); ++c) means_[i][c] += (mean[c] - means_[i][c]) / counts[i];
  }
}

const std::vector<double>* InputMeans::Find(const Operator& op) const {
  const auto found = index_.find(&op);
  return found == index_.end() ? nullptr : &means_[found->second];
}

}  // namespace keras_litert::quantize
