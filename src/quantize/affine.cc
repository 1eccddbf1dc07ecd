#include "quantize/affine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace keras_litert::quantize {
namespace {

using ir::DType;

// Scales smaller than this are of tensors that are 0 throughout, or nearly: kernels divide scales,
// and the quotients must stay in the range of their fixed-point multipliers.
constexpr float kLeastScale = 1e-9F;

std::pair<int32_t, int32_t> Limits(DType dtype) {
  switch (dtype) {
    case DType::kInt16:
      return {-32768, 32767};
    case DType::kUInt8:
      return {0, 255};
    default:
      return {-128, 127};
  }
}

}  // namespace

bool Range::IsFinite() const {
  return std::isfinite(min) && std::isfinite(max);
}

void Range::Include(const Range& other) {
  min = std::min(min, other.min);
  max = std::max(max, other.max);
}

void Observed::Include(const Observed& other) {
  all.Include(other.all);
  kept.Include(other.kept);
}

Affine AffineOf(Range range, DType dtype) {
  const float low = std::min(range.min, 0.0F);
  const float high = std::max(range.max, 0.0F);
  const auto [least, most] = Limits(dtype);
  if (dtype == DType::kInt16) {
    const float largest = std::max(-low, high);
    return {dtype, largest > 0 ? std::max(largest / 32767, kLeastScale) : 1.0F / 32768, 0};
  }
  if (low == high) return {dtype, 1.0F / 256, least + 128};
  const float scale =
      std::max(static_cast<float>((static_cast<double>(high) - low) / 255), kLeastScale);
  const auto zero = static_cast<int32_t>(std::lround(least - static_cast<double>(low) / scale));
  return {dtype, scale, std::clamp(zero, least, most)};
}

Affine AsUnsigned(Affine affine) {
  return {DType::kUInt8, affine.scale, affine.zero_point + 128};
}

std::shared_ptr<const tflite::QuantizationParametersT> ToParameters(const Affine& affine) {
  auto parameters = std::make_shared<tflite::QuantizationParametersT>();
  parameters->scale = {affine.scale};
  parameters->zero_point = {affine.zero_point};
  return parameters;
}

Result<Range> RangeOf(const ir::ConstantPtr& x) {
  Range range{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  bool numbers = true;
  KL_RETURN_IF_ERROR(ir::VisitBytes(x, [&](std::span<const ir::Constant::Run> runs) -> Status {
    for (const ir::Constant::Run& run : runs) {
      for (size_t i = 0; i < run.bytes.size(); i += sizeof(float)) {
        float value;
        std::memcpy(&value, run.bytes.data() + i, sizeof(value));
        numbers &= !std::isnan(value);
        range.Include({value, value});
      }
    }
    return {};
  }));
  if (x->num_elements() == 0) return Range{};
  if (!numbers) range.max = std::numeric_limits<float>::quiet_NaN();
  return range;
}

ir::ConstantPtr ToAffine(const ir::ConstantPtr& x, const Affine& affine) {
  const auto [least, most] = Limits(affine.dtype);
  const bool wide = affine.dtype == DType::kInt16;
  return ir::ElementwiseConstant(
      "quantize", {affine.dtype, x->type().shape}, x,
      [affine, least, most, wide](size_t, size_t count, const std::byte* in, std::byte* out) {
        for (size_t i = 0; i < count; ++i) {
          float value;
          std::memcpy(&value, in + i * sizeof(value), sizeof(value));
          const double q = std::round(static_cast<double>(value) / affine.scale) +
                           static_cast<double>(affine.zero_point);
          // Written so that NaN becomes a number: converting it would be undefined.
          const double kept = q >= least ? std::min<double>(q, most) : least;
          if (wide) {
            const auto narrow = static_cast<int16_t>(kept);
            std::memcpy(out + i * sizeof(narrow), &narrow, sizeof(narrow));
          } else {
            out[i] = static_cast<std::byte>(static_cast<int32_t>(kept));
          }
        }
      });
}

}  // namespace keras_litert::quantize
