#include "quantize/weights.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "ir/half.h"

namespace keras_litert::quantize {
namespace {

using ir::Constant;
using ir::ConstantPtr;
using ir::DType;

constexpr float kMax = 127;  // of symmetric int8: -128 is not used.

// Where the channel of an element is found in its row-major index.
struct ChannelOf {
  size_t inner;     // elements behind the axis
  size_t channels;  // size of the axis

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

float Rounded(float value, float scale) {
  return std::clamp(std::round(value / scale), -kMax, kMax);
}

// 10·log10(signal / noise).
double Decibels(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

}  // namespace

Result<std::vector<float>> Largest(const ConstantPtr& x, int axis) {
  const ChannelOf channel_of(*x, axis);
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

std::vector<float> SymmetricScales(std::vector<float> largest) {
  for (float& s : largest) {
    s = s > 0 ? std::max(s / kMax, std::numeric_limits<float>::min()) : 1.0F;
  }
  return largest;
}

Result<StoredWeights> ToInt8(const ConstantPtr& x, int axis) {
  KL_ASSIGN_OR_RETURN(std::vector<float> largest, Largest(x, axis));
  return ToInt8(x, axis, SymmetricScales(std::move(largest)));
}

Result<StoredWeights> ToInt8(const ConstantPtr& x, int axis, std::vector<float> scale) {
  const ChannelOf channel_of(*x, axis);
  double signal = 0;
  double noise = 0;
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const Constant::Run> runs) -> Status {
    for (const Constant::Run& run : runs) {
      channel_of.ForEach(run.offset / sizeof(float), run.bytes.size() / sizeof(float),
                         [&](size_t channel, size_t begin, size_t end) {
                           const float s = scale[channel];
                           for (size_t i = begin; i < end; ++i) {
                             const float value = At(run.bytes, i);
                             const float error = value - Rounded(value, s) * s;
                             signal += static_cast<double>(value) * value;
                             noise += static_cast<double>(error) * error;
                           }
                         });
    }
    return {};
  }));

  auto quantization = std::make_shared<tflite::QuantizationParametersT>();
  quantization->scale = scale;
  quantization->zero_point.assign(scale.size(), 0);
  quantization->quantized_dimension = std::max(axis, 0);
  ConstantPtr stored = ir::ElementwiseConstant(
      "quantize", {DType::kInt8, x->type().shape}, x,
      [channel_of, scale = std::move(scale)](size_t first, size_t count, const std::byte* in,
                                             std::byte* out) {
        const std::span<const std::byte> bytes(in, count * sizeof(float));
        channel_of.ForEach(first, count, [&](size_t channel, size_t begin, size_t end) {
          const float s = scale[channel];
          for (size_t i = begin; i < end; ++i) {
            out[i] = static_cast<std::byte>(static_cast<int8_t>(Rounded(At(bytes, i), s)));
          }
        });
      });
  return StoredWeights{std::move(stored), std::move(quantization), Decibels(signal, noise)};
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
