// ConvLSTM1D … ConvLSTM3D.
#include <fmt/core.h>

#include <algorithm>

#include "ir/operators.h"
#include "layers/recurrent.h"
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

// One convolution of the cell, on channels_last images: 1-D ones as 2-D ones of height 1.
struct Convolution {
  int rank;
  Value filter;  // as LiteRT has it
  Value bias;    // failed for none
  std::vector<int> strides;
  std::vector<int> dilation;
  lrt::Padding padding = lrt::Padding::VALID;

  Value operator()(Builder& b, Value x) const {
    if (rank == 3) {
      return lrt::Conv3D(
          b, x, filter, bias,
          {strides[0], strides[1], strides[2], dilation[0], dilation[1], dilation[2], padding});
    }
    const size_t w = rank == 1 ? 0 : 1;
    return lrt::Conv2D(b, x, filter, bias,
                       {rank == 1 ? 1 : strides[0], strides[w], rank == 1 ? 1 : dilation[0],
                        dilation[w], padding});
  }
};

// Keras's kernel [*spatial, in, out] → CONV_2D's [out, h, w, in]; CONV_3D's is Keras's.
Value Filter(Builder& b, Value kernel, int rank) {
  if (rank == 3) return kernel;
  if (rank == 1) kernel = lrt::ExpandDims(b, kernel, 0);
  return lrt::Transpose(b, kernel, {3, 0, 1, 2});
}

// One positive number for each spatial axis.
std::vector<int> Sizes(Layer& layer, std::string_view key, int rank, bool required) {
  Config& config = layer.config();
  std::vector<int> ones(static_cast<size_t>(rank), 1);
  if (!required && !config.Has(key)) {
    config.Raw(key);
    return ones;
  }
  std::vector<int> values = config.Ints(key, rank);
  if (static_cast<int>(values.size()) == rank &&
      std::all_of(values.begin(), values.end(), [](int v) { return v >= 1; })) {
    return values;
  }
  layer.Fail("conv-lstm-1", fmt::format("{} must be {} positive numbers", key, rank));
  return ones;
}

// Channels first ↔ last behind `leading` axes.
Value MoveChannels(Builder& b, Value x, int leading, bool to_last) {
  if (!x.ok()) return x;
  std::vector<int> permutation;
  for (int i = 0; i < leading; ++i) permutation.push_back(i);
  if (!to_last) permutation.push_back(x.rank() - 1);
  for (int i = leading + (to_last ? 1 : 0); i < x.rank() - (to_last ? 0 : 1); ++i) {
    permutation.push_back(i);
  }
  if (to_last) permutation.push_back(leading);
  return lrt::Transpose(b, x, permutation);
}

//   i, f, g, o = conv(x, W) + b + conv(h, U)
//   c' = σ(f) c + σ(i) activation(g)        h' = σ(o) activation(c')
Cell ConvolutionCell(Layer& layer, Layer& weights, int rank, Value x) {
  Config& config = layer.config();
  Builder& b = layer.b();
  const size_t errors = b.errors().size();
  config.Ignore(kRecurrentTrainingOnly);
  const std::string format = config.String("data_format", "channels_last");
  if (format != "channels_last" && format != "channels_first") {
    layer.Fail("conv-lstm-2", fmt::format("data_format '{}' is not known", format));
  }
  const std::string padding = config.String("padding", "valid");
  if (padding != "valid" && padding != "same") {
    layer.Fail("conv-lstm-3", fmt::format("padding '{}' is not known", padding));
  }
  const std::vector<int> kernel_size = Sizes(layer, "kernel_size", rank, true);
  Convolution input{rank,
                    {},
                    {},
                    Sizes(layer, "strides", rank, false),
                    Sizes(layer, "dilation_rate", rank, false),
                    padding == "same" ? lrt::Padding::SAME : lrt::Padding::VALID};
  std::vector<int> ones(static_cast<size_t>(rank), 1);
  Convolution recurrent{rank, {}, {}, ones, ones, lrt::Padding::SAME};
  const int64_t filters = config.Int("filters");
  if (filters < 1 || filters > (int64_t{1} << 28)) {
    layer.Fail("conv-lstm-4", fmt::format("filters must be positive, got {}", filters));
  }
  if (b.errors().size() != errors) return {};

  const bool channels_first = format == "channels_first";
  Shape kernel_shape;
  Shape state;
  for (int i = 0; i < rank; ++i) {
    const auto axis = static_cast<size_t>(i);
    kernel_shape.Append(kernel_size[axis]);
    state.Append(lrt::WindowedSize(b.symbols(), x.dim((channels_first ? 3 : 2) + i),
                                   kernel_size[axis], input.strides[axis], input.dilation[axis],
                                   input.padding));
    if (state.dim(-1).is_static() && state.dim(-1).value() >= 1) continue;
    layer.Fail("conv-lstm-5",
               fmt::format("the spatial sizes of the input {} must be fixed, and not "
                           "smaller than the kernel",
                           x.shape().ToString()),
               "Give the model's Input fixed sizes on these axes.");
    return {};
  }
  Shape recurrent_shape = kernel_shape;
  kernel_shape.Append(x.dim(channels_first ? 2 : -1));
  kernel_shape.Append(4 * filters);
  recurrent_shape.Append(filters);
  recurrent_shape.Append(4 * filters);
  input.filter = Filter(b, weights.Weight(0, "kernel", kernel_shape), rank);
  recurrent.filter = Filter(b, weights.Weight(1, "recurrent_kernel", recurrent_shape), rank);
  if (config.Bool("use_bias", true)) input.bias = weights.Weight(2, "bias", Shape{4 * filters});
  const ActivationFunction activation = CellActivation(layer, "activation", "tanh");
  const ActivationFunction gate = CellActivation(layer, "recurrent_activation", "sigmoid");
  state.Insert(channels_first ? 0 : rank, filters);

  Cell cell;
  cell.states = {state, state};
  cell.state_rank = rank == 1 ? 4 : rank + 2;
  cell.step_bytes = recurrent.filter.is_constant() ? recurrent.filter.constant()->byte_size() : 0;
  // Without a static batch or time the axes cannot be told apart again after merging them.
  const bool ahead = x.dim(0).is_static() || x.dim(1).is_static();
  cell.enter = [&b, channels_first, rank](Value v, int leading) {
    if (channels_first) v = MoveChannels(b, v, leading, true);
    return rank == 1 ? lrt::ExpandDims(b, v, leading) : v;
  };
  cell.leave = [&b, channels_first, rank](Value v, int leading) {
    if (rank == 1 && v.ok()) v = lrt::Squeeze(b, v, {leading});
    return channels_first ? MoveChannels(b, v, leading, false) : v;
  };
  cell.project = [&b, ahead, input](Value v) {
    if (!ahead || !v.ok()) return std::vector{v};
    Shape merged = v.shape();
    merged.Set(0, b.symbols().Product(v.dim(0), v.dim(1)));
    merged.Erase(1);
    const Value y = input(b, lrt::Reshape(b, v, merged));
    Shape shape = y.shape();
    if (!y.ok()) return std::vector{y};
    shape.Set(0, v.dim(0));
    shape.Insert(1, v.dim(1));
    return std::vector{lrt::Reshape(b, y, shape)};
  };
  cell.step = [ahead, input, recurrent, activation, gate](Builder& in, const std::vector<Value>& xs,
                                                          const std::vector<Value>& states) {
    Value z = ahead ? xs[0] : input(in, xs[0]);
    if (states[0].ok()) z = lrt::Add(in, z, recurrent(in, states[0]));
    const std::vector<Value> parts = lrt::Split(in, z, -1, 4);
    Value carry = lrt::Mul(in, gate(in, parts[0]), activation(in, parts[2]));
    if (states[1].ok()) carry = lrt::Add(in, lrt::Mul(in, gate(in, parts[1]), states[1]), carry);
    return std::vector{lrt::Mul(in, gate(in, parts[3]), activation(in, carry)), carry};
  };
  return cell;
}

template <int kRank>
Argument ConvLstm(Layer& layer, Arguments& call) {
  Layer weights = layer.Child("cell", "ConvLSTMCell", layer.config().json());
  return RunCells(layer, call, kRank + 3,
                  [&](Value x) { return std::vector{ConvolutionCell(layer, weights, kRank, x)}; });
}

}  // namespace

std::span<const LayerEntry> RecurrentConvolutionLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"ConvLSTM1D", ConvLstm<1>, MaskRule::kCustom},
      {"ConvLSTM2D", ConvLstm<2>, MaskRule::kCustom},
      {"ConvLSTM3D", ConvLstm<3>, MaskRule::kCustom},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
