#include "ops/resize_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace keras_litert::ops {
namespace {

using Kernel = double (*)(double x);  // of a distance >= 0

double Triangle(double x) {
  return std::max(0.0, 1 - x);
}

double KeysCubic(double x) {
  if (x >= 2) return 0;
  if (x >= 1) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return ((1.5 * x - 2.5) * x) * x + 1;
}

template <int kRadius>
double Lanczos(double x) {
  if (x > kRadius) return 0;
  if (x <= 1e-3) return 1;
  const double t = std::numbers::pi * x;
  return kRadius * std::sin(t) * std::sin(t / kRadius) / (t * t);
}

Kernel FindKernel(std::string_view interpolation) {
  if (interpolation == "bilinear") return Triangle;
  if (interpolation == "bicubic") return KeysCubic;
  if (interpolation == "lanczos3") return Lanczos<3>;
  if (interpolation == "lanczos5") return Lanczos<5>;
  return nullptr;
}

}  // namespace

std::optional<std::vector<float>> ResizeMatrix(std::string_view interpolation, int64_t in,
                                               int64_t out, bool antialias) {
  const Kernel kernel = FindKernel(interpolation);
  if (kernel == nullptr) return std::nullopt;
  // A row with less weight than this is taken to lie outside the image.
  constexpr double kNoWeight = 1000.0 * std::numeric_limits<float>::epsilon();
  const double step = static_cast<double>(in) / static_cast<double>(out);
  const double width = antialias ? std::max(1.0, step) : 1.0;
  std::vector<float> matrix(static_cast<size_t>(in * out));
  std::vector<double> row(static_cast<size_t>(in));
  for (int64_t i = 0; i < out; ++i) {
    const double sample = (static_cast<double>(i) + 0.5) * step - 0.5;
    double sum = 0;
    for (int64_t j = 0; j < in; ++j) {
      row[static_cast<size_t>(j)] = kernel(std::abs(sample - static_cast<double>(j)) / width);
      sum += row[static_cast<size_t>(j)];
    }
    for (int64_t j = 0; j < in; ++j) {
      matrix[static_cast<size_t>(i * in + j)] =
          std::abs(sum) > kNoWeight ? static_cast<float>(row[static_cast<size_t>(j)] / sum) : 0.0F;
    }
  }
  return matrix;
}

std::vector<int32_t> NearestIndices(int64_t in, int64_t out) {
  std::vector<int32_t> indices;
  for (int64_t i = 0; i < out; ++i) {
    const float place =
        (static_cast<float>(i) + 0.5F) * static_cast<float>(in) / static_cast<float>(out);
    indices.push_back(
        std::clamp(static_cast<int32_t>(std::floor(place)), 0, static_cast<int32_t>(in) - 1));
  }
  return indices;
}

std::vector<int32_t> LitertNearestIndices(int64_t in, int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  std::vector<int32_t> indices;
  for (int64_t i = 0; i < out; ++i) {
    const float place = (static_cast<float>(i) + 0.5F) * scale;
    indices.push_back(
        std::clamp(static_cast<int32_t>(std::floor(place)), 0, static_cast<int32_t>(in) - 1));
  }
  return indices;
}

}  // namespace keras_litert::ops
