// STFTSpectrogram and MelSpectrogram.
//
// A short-time Fourier transform is a strided 1-D convolution whose filters are the windowed
// cosines and sines of the discrete Fourier transform: CONV_2D of height 1.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numbers>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/elementwise.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;
using nlohmann::json;

constexpr double kEpsilon = 1e-7;  // keras.config.epsilon()
constexpr int64_t kMaxLength = 1 << 20;
constexpr int64_t kMaxFilters = int64_t{1} << 28;  // elements

// [n, time] -> [n, frames, filters]; filters [filters, 1, length, 1].
Value Frames(Builder& b, Value x, Value filters, int stride, lrt::Padding padding) {
  if (!x.ok() || !filters.ok()) return Value();
  x = lrt::Reshape(b, x, {x.dim(0), 1, x.dim(1), 1});
  const Value y = lrt::Conv2D(b, x, filters, Builder::Absent(),
                              {.stride_h = 1, .stride_w = stride, .padding = padding});
  return lrt::Reshape(b, y, {y.dim(0), y.dim(2), y.dim(3)});
}

// Spectra of each channel of a signal, with the layer's own kernels [length, 1, frequencies].
Argument STFTSpectrogram(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  Value x = call.Tensor(0, "inputs");
  config.Ignore({"window", "periodic", "scaling"});  // they are in the kernels
  const std::string mode = config.String("mode", "log");
  const int64_t length = config.Int("frame_length", 256);
  const int64_t step = config.OptionalInt("frame_step").value_or(0);
  const int64_t given_fft = config.OptionalInt("fft_length").value_or(0);
  const std::string padding_name = config.String("padding", "valid");
  const bool expand = config.Bool("expand_dims", false);
  const bool first = config.String("data_format", "channels_last") == "channels_first";
  if (x.rank() != 3) {
    return layer.Fail("stft-1",
                      fmt::format("the input must have rank 3, got {}", x.shape().ToString()));
  }
  if (length < 1 || length > kMaxLength || step < 0 || step > length || given_fft < 0 ||
      given_fft > kMaxLength) {
    return layer.Fail("stft-2", fmt::format("frame_length = {}, frame_step = {}, fft_length = {}",
                                            length, step, given_fft));
  }
  if (padding_name != "valid" && padding_name != "same") {
    return layer.Fail("stft-3", fmt::format("padding '{}' is not known", padding_name));
  }
  int64_t fft = 1;
  while (fft < length) fft *= 2;
  if (given_fft > 0) fft = given_fft;
  const int64_t frequencies = fft / 2 + 1;
  const auto stride = static_cast<int>(step > 0 ? step : std::max<int64_t>(1, length / 2));
  const lrt::Padding padding = padding_name == "same" ? lrt::Padding::SAME : lrt::Padding::VALID;
  const Dim batch = x.dim(0);
  const Dim channels = x.dim(first ? 1 : 2);
  const Dim time = x.dim(first ? 2 : 1);
  if (!first) x = lrt::Transpose(b, x, {0, 2, 1});
  x = lrt::Reshape(b, x, {b.symbols().Product(batch, channels), time});

  int index = 0;
  // [batch, channels, frames, frequencies]
  auto transform = [&](const char* name) {
    const Value kernel = layer.Weight(index++, name, Shape{length, 1, frequencies});
    if (!kernel.ok()) return kernel;
    const Value filters =
        lrt::Reshape(b, lrt::Transpose(b, kernel, {2, 1, 0}), {frequencies, 1, length, 1});
    const Value y = Frames(b, x, filters, stride, padding);
    return lrt::Reshape(b, y, {batch, channels, y.dim(1), frequencies});
  };
  auto arrange = [&](Value y) -> Value {
    if (!y.ok()) return y;
    const Dim frames = y.dim(2);
    const Dim all = b.symbols().Product(channels, y.dim(3));
    if (first) {
      if (expand) return y;
      return lrt::Reshape(b, lrt::Transpose(b, y, {0, 1, 3, 2}), {batch, all, frames});
    }
    if (expand) return lrt::Transpose(b, y, {0, 2, 3, 1});
    return lrt::Reshape(b, lrt::Transpose(b, y, {0, 2, 1, 3}), {batch, frames, all});
  };

  const Value real = mode == "imag" ? Value() : transform("real_kernel");
  const Value imaginary = mode == "real" ? Value() : transform("imag_kernel");
  if (mode == "real") return arrange(real);
  if (mode == "imag") return arrange(imaginary);
  if (!real.ok() || !imaginary.ok()) return Value();
  if (mode == "angle") {
    return arrange(lrt::Binary(b, BuiltinOperator::ATAN2, imaginary, real));
  }
  if (mode == "stft") return arrange(lrt::Concatenation(b, {real, imaginary}, 3));
  const Value power = lrt::Add(b, lrt::Unary(b, BuiltinOperator::SQUARE, real),
                               lrt::Unary(b, BuiltinOperator::SQUARE, imaginary));
  if (mode == "psd") {
    // One-sided: all frequencies but the first and the last stand for two.
    std::vector<float> sides(static_cast<size_t>(frequencies), 2);
    sides.front() = sides.back() = 1;
    const Value factor =
        lrt::Cast(b, b.Constant(DType::kFloat32, {frequencies}, sides), power.dtype());
    return arrange(lrt::Mul(b, power, factor));
  }
  if (mode != "magnitude" && mode != "log") {
    return layer.Fail("stft-4", fmt::format("mode '{}' is not known", mode));
  }
  const Value epsilon = b.Scalar(kEpsilon, power.dtype());
  Value y = lrt::Unary(b, BuiltinOperator::SQRT, lrt::Maximum(b, power, epsilon));
  if (mode == "log") y = lrt::Unary(b, BuiltinOperator::LOG, lrt::Maximum(b, y, epsilon));
  return arrange(y);
}

// ---------------------------------------------------------------------------------------------------

// scipy.signal.get_window(name, n): periodic windows.
std::optional<std::vector<double>> PeriodicWindow(Layer& layer, int64_t length) {
  const json& window = layer.config().Raw("window");
  std::vector<double> values(static_cast<size_t>(length), 1.0);
  if (window.is_null()) return values;
  if (window.is_string()) {
    const std::string name = window.get<std::string>();
    const double a = name == "hann" ? 0.5 : 0.54;
    if (name == "hann" || name == "hamming") {
      for (int64_t i = 0; i < length; ++i) {
        values[static_cast<size_t>(i)] =
            a - (1 - a) * std::cos(2 * std::numbers::pi * static_cast<double>(i) /
                                   static_cast<double>(length));
      }
      return values;
    }
  } else if (window.is_array() && static_cast<int64_t>(window.size()) == length) {
    values = layer.config().Floats("window");
    return values;
  }
  layer.Fail("mel-2", fmt::format("the window {} is not supported", window.dump().substr(0, 80)),
             "Use 'hann', 'hamming', None or a list of sequence_length numbers.");
  return std::nullopt;
}

// Cosines of all frequencies, then the negated sines: [2 · frequencies, 1, length, 1], computed
// when they are written. Where the window lies in the frame turns phases, which magnitudes do not
// show.
ir::ConstantPtr FourierFilters(const std::vector<double>& window, int64_t fft) {
  const auto length = static_cast<int64_t>(window.size());
  const int64_t frequencies = fft / 2 + 1;
  return ir::ReaderConstant(
      {DType::kFloat32, {2 * frequencies, 1, length, 1}}, [=](std::span<std::byte> out) -> Status {
        std::vector<double> wave(static_cast<size_t>(2 * fft));  // cosines, then negated sines
        for (int64_t i = 0; i < fft; ++i) {
          const double angle =
              2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(fft);
          wave[static_cast<size_t>(i)] = std::cos(angle);
          wave[static_cast<size_t>(fft + i)] = -std::sin(angle);
        }
        std::byte* to = out.data();
        for (int64_t row = 0; row < 2 * frequencies; ++row) {
          const int64_t part = row / frequencies;
          const int64_t k = row % frequencies;
          for (int64_t i = 0; i < length; ++i, to += sizeof(float)) {
            const auto value =
                static_cast<float>(window[static_cast<size_t>(i)] *
                                   wave[static_cast<size_t>(part * fft + k * i % fft)]);
            std::memcpy(to, &value, sizeof(float));
          }
        }
        return {};
      });
}

// Triangles over the mel scale, mel(f) = 1127 · ln(1 + f / 700) as the Hidden Markov Model Toolkit
// has it: [bins, frequencies], peaks of 1, nothing of frequency 0.
struct MelScale {
  int64_t bins;
  double sampling_rate;
  double low;   // Hz
  double high;  // Hz
};
std::vector<float> MelMatrix(const MelScale& scale, int64_t frequencies) {
  auto mel = [](double hertz) { return 1127.0 * std::log(1.0 + hertz / 700.0); };
  const double first = mel(scale.low);
  const double step = (mel(scale.high) - first) / static_cast<double>(scale.bins + 1);
  std::vector<float> matrix(static_cast<size_t>(scale.bins * frequencies), 0.0F);
  for (int64_t i = 0; i < scale.bins; ++i) {
    const double lower = first + static_cast<double>(i) * step;
    for (int64_t k = 1; k < frequencies; ++k) {
      const double at = mel(scale.sampling_rate / 2 * static_cast<double>(k) /
                            static_cast<double>(frequencies - 1));
      const double rise = (at - lower) / step;
      matrix[static_cast<size_t>(i * frequencies + k)] =
          static_cast<float>(std::max(0.0, std::min(rise, 2 - rise)));
    }
  }
  return matrix;
}

// 10 · log10(max(x, floor))
Value Decibels(Builder& b, Value x, double floor) {
  const Value y =
      lrt::Unary(b, BuiltinOperator::LOG, lrt::Maximum(b, x, b.Scalar(floor, x.dtype())));
  return lrt::Mul(b, y, b.Scalar(10 / std::numbers::ln10, x.dtype()));
}

Argument MelSpectrogram(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  Value x = lrt::Cast(b, call.Tensor(0, "inputs"), DType::kFloat32);
  const int64_t fft = config.Int("fft_length", 2048);
  const int64_t stride = config.Int("sequence_stride", 512);
  const int64_t length = config.OptionalInt("sequence_length").value_or(fft);
  const int64_t sampling_rate = config.Int("sampling_rate", 16000);
  const MelScale scale{config.Int("num_mel_bins", 128), static_cast<double>(sampling_rate),
                       config.Float("min_freq", 20),
                       config.OptionalFloat("max_freq")
                           .value_or(std::floor(static_cast<double>(sampling_rate) / 2))};
  const bool power_to_db = config.Bool("power_to_db", true);
  const double top_db = config.Float("top_db", 80);
  const double exponent = config.Float("mag_exp", 2);
  const double min_power = config.Float("min_power", 1e-10);
  const double ref_power = config.Float("ref_power", 1);
  if (fft < 1 || fft > kMaxLength || length < 1 || length > fft || stride < 1 ||
      stride > kMaxLength || scale.bins < 1 || scale.bins > kMaxLength ||
      (fft + 2) * length > kMaxFilters) {
    return layer.Fail("mel-1",
                      fmt::format("fft_length = {}, sequence_length = {}, sequence_stride = {}, "
                                  "num_mel_bins = {}",
                                  fft, length, stride, scale.bins));
  }
  if (x.rank() != 1 && x.rank() != 2) {
    return layer.Fail("mel-3", fmt::format("the input must be [batch, time] or [time], got {}",
                                           x.shape().ToString()));
  }
  const std::optional<std::vector<double>> window = PeriodicWindow(layer, length);
  if (!window) return Value();
  const bool single = x.rank() == 1;
  if (single) x = lrt::ExpandDims(b, x, 0);

  // Frames are centered: half a transform's length is mirrored at both ends. What the window leaves
  // out of each frame is not computed.
  const int64_t left = (fft - length) / 2;
  const int64_t right = fft - length - left;
  const Dim time = x.dim(1);
  if (time.is_static() && time.value() <= fft / 2) {
    return layer.Fail("mel-4",
                      fmt::format("a signal of {} samples is too short to be mirrored by {}",
                                  time.value(), fft / 2),
                      "Use a shorter fft_length or longer signals.");
  }
  x = lrt::MirrorPad(b, x, {{0, 0}, {fft / 2 - left, fft / 2 - right}},
                     tflite::MirrorPadMode::REFLECT);
  const int64_t frequencies = fft / 2 + 1;
  const Value filters = b.Constant(FourierFilters(*window, fft));
  const Value parts = Frames(b, x, filters, static_cast<int>(stride), lrt::Padding::VALID);
  const Value squares = lrt::Unary(b, BuiltinOperator::SQUARE, parts);
  std::vector<float> matrix = MelMatrix(scale, frequencies);
  Value y;
  if (exponent == 2) {
    // Real and imaginary parts are added by the product: [M, M] · [re², im²].
    std::vector<float> twice;
    for (int64_t i = 0; i < scale.bins; ++i) {
      const auto row = matrix.begin() + i * frequencies;
      twice.insert(twice.end(), row, row + frequencies);
      twice.insert(twice.end(), row, row + frequencies);
    }
    y = lrt::FullyConnected(b, squares,
                            b.Constant(DType::kFloat32, {scale.bins, 2 * frequencies}, twice),
                            Builder::Absent());
  } else {
    const std::vector<Value> halves = lrt::Split(b, squares, 2, 2);
    Value magnitude = lrt::Add(b, halves[0], halves[1]);
    magnitude = exponent == 1 ? lrt::Unary(b, BuiltinOperator::SQRT, magnitude)
                              : lrt::Binary(b, BuiltinOperator::POW, magnitude,
                                            b.Scalar(exponent / 2, DType::kFloat32));
    y = lrt::FullyConnected(b, magnitude,
                            b.Constant(DType::kFloat32, {scale.bins, frequencies}, matrix),
                            Builder::Absent());
  }
  if (power_to_db) {
    y = Decibels(b, y, min_power);
    const double reference = 10 * std::log10(std::max(std::abs(ref_power), min_power));
    if (reference != 0) y = lrt::Sub(b, y, b.Scalar(reference, y.dtype()));
    const Value loudest =
        lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, y, {0, 1, 2}, /*keep_dims=*/false);
    y = lrt::Maximum(b, y, lrt::Sub(b, loudest, b.Scalar(top_db, y.dtype())));
  }
  y = lrt::Transpose(b, y, {0, 2, 1});
  if (single) y = lrt::Squeeze(b, y, {0});
  return lrt::Cast(b, y, layer.compute_dtype());
}

}  // namespace

std::span<const LayerEntry> AudioLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"MelSpectrogram", MelSpectrogram},
      {"STFTSpectrogram", STFTSpectrogram},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
