#include "quantize/weights.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "ir/half.h"

namespace keras_litert::quantize {
namespace {

using ir::Constant;
using ir::ConstantPtr;
using ir::DType;

// What is symmetric leaves the least integer, -128 or -8, unused.
constexpr float kMax8 = 127;
constexpr float kMax4 = 7;

// Where the channel of an element is found in its row-major index.
struct ChannelOf {
  size_t inner;     // elements behind the axis
  size_t channels;  // size of the axis

  // Blocks of so many elements that lie one behind the other. REQUIRES: they are all of `x`.
  static ChannelOf Blocks(const Constant& x, int block) {
    ChannelOf result(x, kPerTensor);
    result.inner = static_cast<size_t>(block);
    result.channels = static_cast<size_t>(x.num_elements()) / result.inner;
    return result;
  }

  // Axis kPerTensor: one channel.
  ChannelOf(const Constant& x, int axis)
      : inner(1),
        channels(axis == kPerTensor ? 1 : static_cast<size_t>(x.type().shape[axis].value())) {
    for (int i = axis + 1; i < x.type().shape.rank(); ++i) {
      inner *= static_cast<size_t>(x.type().shape[i].value());
    }
  }

  // Calls f(channel, begin, end) for the pieces [begin, end) of [0, count) that share a channel,
  // where element 0 is element `first` of the constant.
  template <typename F>
  void ForEach(size_t first, size_t count, F&& f) const {
    size_t channel = first / inner % channels;
    size_t begin = 0;
    size_t end = std::min(count, inner - first % inner);
    while (begin < count) {
      f(channel, begin, end);
      begin = end;
      end = std::min(count, end + inner);
      if (++channel == channels) channel = 0;
    }
  }
};

float At(std::span<const std::byte> bytes, size_t i) {
  float value;
  std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof(float));
  return value;
}

float Rounded(float value, float scale, float most) {
  // std::round(), which is a call; the sum of the doubles is exact.
  const double x = std::clamp(value / scale, -most, most);
  return static_cast<float>(static_cast<int32_t>(x + (x < 0 ? -0.5 : 0.5)));
}

// 10·log10(signal / noise).
double Decibels(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

// The least number not below `scale` that is a normal float16, because XNNPACK refuses others, and
// also a bfloat16 (8 binary digits), which a kernel may keep it as. None: it is too large.
std::optional<ir::Half> BlockScale(float scale) {
  constexpr float kLeast = 0x1p-14F;
  constexpr float kMost = 65280;  // 255 · 2⁸
  if (scale > kMost) return std::nullopt;
  int exponent;
  const float digits = std::frexp(std::max(scale, kLeast), &exponent);
  return ir::Half(std::ldexp(std::ceil(std::ldexp(digits, 8)), exponent - 8));
}

// w onto [-most, most] of its channel's scale, as `dtype`, a byte each. The result says nothing of
// the scales yet.
Result<StoredWeights> Store(const ConstantPtr& x, const ChannelOf& channel_of,
                            std::vector<float> scale, DType dtype, float most) {
  double signal = 0;
  double noise = 0;
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      channel_of.ForEach(run.offset / sizeof(float), run.bytes.size() / sizeof(float),
                         [&](size_t channel, size_t begin, size_t end) {
                           const float s = scale[channel];
                           for (size_t i = begin; i < end; ++i) {
                             const float value = At(run.bytes, i);
                             const float error = value - Rounded(value, s, most) * s;
                             signal += static_cast<double>(value) * value;
                             noise += static_cast<double>(error) * error;
                           }
                         });
    }
    return {};
  }));

  ConstantPtr stored = ir::ElementwiseConstant(
      "quantize", {dtype, x->type().shape}, x,
      [channel_of, scale = std::move(scale), most](size_t first, size_t count, const std::byte* in,
                                                   std::byte* out) {
        const std::span<const std::byte> bytes(in, count * sizeof(float));
        channel_of.ForEach(first, count, [&](size_t channel, size_t begin, size_t end) {
          const float s = scale[channel];
          for (size_t i = begin; i < end; ++i) {
            out[i] = static_cast<std::byte>(static_cast<int8_t>(Rounded(At(bytes, i), s, most)));
          }
        });
      });
  return StoredWeights{std::move(stored), nullptr, Decibels(signal, noise)};
}

// The same, by channels of an axis.
Result<StoredWeights> StoreByAxis(const ConstantPtr& x, int axis, const std::vector<float>& scale,
                                  DType dtype, float most) {
  KL_ASSIGN_OR_RETURN(StoredWeights stored, Store(x, ChannelOf(*x, axis), scale, dtype, most));
  auto quantization = std::make_shared<tflite::QuantizationParametersT>();
  quantization->scale = scale;
  quantization->zero_point.assign(scale.size(), 0);
  quantization->quantized_dimension = std::max(axis, 0);
  stored.quantization = std::move(quantization);
  return stored;
}

Result<std::vector<float>> LargestOf(const ConstantPtr& x, const ChannelOf& channel_of) {
  std::vector<float> largest(channel_of.channels);
  bool finite = true;
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      channel_of.ForEach(run.offset / sizeof(float), run.bytes.size() / sizeof(float),
                         [&](size_t channel, size_t begin, size_t end) {
                           float most = largest[channel];
                           for (size_t i = begin; i < end; ++i) {
                             const float size = std::fabs(At(run.bytes, i));
                             finite &=
                                 size <= std::numeric_limits<float>::max();  // false for NaN, too
                             most = std::max(most, size);
                           }
                           largest[channel] = most;
                         });
    }
    return {};
  }));
  if (!finite) {
    return Fail("", "quantize-4", "the weights have a NaN or an infinity",
                "Repair the model, or keep this layer in float32 by a rule.");
  }
  return largest;
}

// The integer nearest to x in [-most, most]; halves to even. Adding 1.5 · 2²³ leaves no fraction.
float ToNearest(float x, float most) {
  constexpr float kNoFraction = 0x1.8p23F;
  return std::clamp(x, -most, most) + kNoFraction - kNoFraction;
}

// Of each channel, the part of its scale by which the weights' squared error is least: with few
// steps, to clip the largest weights costs less than to make every step as large as they need.
// Rows of 256 to 4,096 normally distributed ones gain 1 to 3 dB by it.
Result<std::vector<float>> LeastErrorScales(const ConstantPtr& x, const ChannelOf& channel_of,
                                            std::vector<float> scale, float most) {
  constexpr std::array<float, 10> kParts = {1,     0.94F, 0.88F, 0.82F, 0.76F,
                                            0.70F, 0.64F, 0.58F, 0.52F, 0.46F};
  std::vector<std::array<float, kParts.size()>> errors(scale.size());
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      channel_of.ForEach(run.offset / sizeof(float), run.bytes.size() / sizeof(float),
                         [&](size_t channel, size_t begin, size_t end) {
                           for (size_t k = 0; k < kParts.size(); ++k) {
                             const float inverse = 1 / (scale[channel] * kParts[k]);
                             float sum = 0;
                             for (size_t i = begin; i < end; ++i) {
                               // In steps, so that the squares are of numbers near 1.
                               const float steps = At(run.bytes, i) * inverse;
                               const float error = steps - ToNearest(steps, most);
                               sum += error * error;
                             }
                             errors[channel][k] += sum * kParts[k] * kParts[k];
                           }
                         });
    }
    return {};
  }));
  for (size_t c = 0; c < scale.size(); ++c) {
    const auto best = std::min_element(errors[c].begin(), errors[c].end());
    scale[c] = std::max(scale[c] * kParts[static_cast<size_t>(best - errors[c].begin())],
                        std::numeric_limits<float>::min());
  }
  return scale;
}

}  // namespace

Result<std::vector<float>> Largest(const ConstantPtr& x, int axis) {
  return LargestOf(x, ChannelOf(*x, axis));
}

std::vector<float> SymmetricScales(std::vector<float> largest, float most) {
  for (float& s : largest) {
    s = s > 0 ? std::max(s / most, std::numeric_limits<float>::min()) : 1.0F;
  }
  return largest;
}

Result<StoredWeights> ToInt8(const ConstantPtr& x, int axis) {
  KL_ASSIGN_OR_RETURN(std::vector<float> largest, Largest(x, axis));
  return ToInt8(x, axis, SymmetricScales(std::move(largest)));
}

Result<StoredWeights> ToInt8(const ConstantPtr& x, int axis, std::vector<float> scale) {
  return StoreByAxis(x, axis, scale, DType::kInt8, kMax8);
}

Result<std::vector<double>> MeanShift(const ConstantPtr& x, int axis,
                                      const std::vector<float>& scale, float most,
                                      const std::vector<double>& mean) {
  const ir::Shape& shape = x->type().shape;
  const auto last = static_cast<size_t>(shape[shape.rank() - 1].value());
  const bool depthwise = axis != 0;
  // Output channels that a channel, or a group of them, is multiplied for.
  const size_t shared = depthwise ? last / mean.size() : scale.size() / (mean.size() / last);
  std::vector<double> shift(scale.size());
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      const size_t first = run.offset / sizeof(float);
      ChannelOf(*x, axis).ForEach(
          first, run.bytes.size() / sizeof(float), [&](size_t channel, size_t begin, size_t end) {
            const float s = scale[channel];
            size_t input = depthwise ? channel / shared : (first + begin) % last;
            const size_t group = depthwise ? 0 : channel / shared * last;
            double sum = 0;
            for (size_t i = begin; i < end; ++i) {
              const float value = At(run.bytes, i);
              sum += static_cast<double>(Rounded(value, s, most) * s - value) * mean[group + input];
              if (!depthwise && ++input == last) input = 0;
            }
            shift[channel] += sum;
          });
    }
    return {};
  }));
  return shift;
}

Result<std::vector<double>> BlockMeanShift(const ConstantPtr& x, const ConstantPtr& scales,
                                           const std::vector<double>& mean) {
  KL_ASSIGN_OR_RETURN(const std::vector<float> scale, ir::EvaluateAs<float>(scales));
  const ir::Shape& shape = scales->type().shape;
  const auto blocks = static_cast<size_t>(shape[1].value());  // of a row
  const size_t block = mean.size() / blocks;
  std::vector<double> shift(static_cast<size_t>(shape[0].value()));
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      const size_t first = run.offset / sizeof(float);
      ChannelOf::Blocks(*x, static_cast<int>(block))
          .ForEach(first, run.bytes.size() / sizeof(float),
                   [&](size_t channel, size_t begin, size_t end) {
                     const float s = scale[channel];
                     const double* m = &mean[(first + begin) % mean.size()];
                     double sum = 0;
                     for (size_t i = begin; i < end; ++i) {
                       const float value = At(run.bytes, i);
                       sum += static_cast<double>(Rounded(value, s, kMax4) * s - value) * *m++;
                     }
                     shift[channel / blocks] += sum;
                   });
    }
    return {};
  }));
  return shift;
}

Result<StoredWeights> ToInt4(const ConstantPtr& x, int axis) {
  KL_ASSIGN_OR_RETURN(std::vector<float> largest, Largest(x, axis));
  KL_ASSIGN_OR_RETURN(
      const std::vector<float> scale,
      LeastErrorScales(x, ChannelOf(*x, axis), SymmetricScales(std::move(largest), kMax4), kMax4));
  return StoreByAxis(x, axis, scale, DType::kInt4, kMax4);
}

Result<StoredWeights> ToInt4Blocks(const ConstantPtr& x, int block) {
  const ChannelOf channel_of = ChannelOf::Blocks(*x, block);
  KL_ASSIGN_OR_RETURN(std::vector<float> scale, LargestOf(x, channel_of));
  std::vector<ir::Half> halves;
  halves.reserve(scale.size());
  for (float& s : scale) {
    const std::optional<ir::Half> half = BlockScale(s / kMax4);
    if (!half) {
      return Fail("", "quantize-5",
                  fmt::format("the weights reach {}, beyond {} steps of a float16", s, kMax4),
                  "Keep this layer in float32, or give it int8, by a rule.");
    }
    halves.push_back(*half);
    s = static_cast<float>(*half);
  }
  KL_ASSIGN_OR_RETURN(StoredWeights stored,
                      Store(x, channel_of, std::move(scale), DType::kInt4, kMax4));
  const ir::Shape& shape = x->type().shape;
  stored.block_scales =
      ir::MakeConstant<ir::Half>(DType::kFloat16, {shape[0], shape[1].value() / block}, halves);
  tflite::BlockwiseQuantizationT blocks;
  blocks.scales = -1;       // the writer's to give
  blocks.zero_points = -1;  // none
  blocks.block_size = block;
  auto quantization = std::make_shared<tflite::QuantizationParametersT>();
  quantization->details.Set(blocks);
  stored.quantization = std::move(quantization);
  return stored;
}

Result<StoredWeights> ToFloat16(const ConstantPtr& x) {
  constexpr float kLargest = 65504;
  double signal = 0;
  double noise = 0;
  float largest = 0;
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      for (size_t i = 0; i < run.bytes.size() / sizeof(float); ++i) {
        const float value = At(run.bytes, i);
        if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
        const float error = value - static_cast<float>(ir::Half(value));
        signal += static_cast<double>(value) * value;
        noise += static_cast<double>(error) * error;
      }
    }
    return {};
  }));
  if (largest > kLargest) {
    return Fail("", "quantize-5",
                fmt::format("the weights reach {}, beyond float16's {}", largest, kLargest),
                "Keep this layer in float32 by a rule.");
  }
  return StoredWeights{ir::Casted(x, DType::kFloat16), nullptr, Decibels(signal, noise)};
}

}  // namespace keras_litert::quantize
