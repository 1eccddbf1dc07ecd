// Constants in narrow dtypes.
//
//   symmetric int8:  w ≈ scale[c] · q,  q = round(w / scale[c]) ∈ [-127, 127],  scale[c] =
//   max|w[c]| / 127
//   symmetric int4:  the same with [-7, 7] and a part of max|w[c]| / 7, so that the error is least
//
// by channel c of one axis, as LiteRT's quantization specification has it
// (ai.google.dev/edge/litert/models/quantization_spec); round is to nearest, halves away from 0. A
// channel of zeros has scale 1.
#pragma once

#include <memory>
#include <vector>

#include "ir/constant.h"
#include "ir/generated_schema.h"
#include "util/result.h"

namespace keras_litert::quantize {

struct StoredWeights {
  ir::ConstantPtr constant;
  std::shared_ptr<const tflite::QuantizationParametersT> quantization;  // null for float16
  double sqnr = 0;                         // dB; see QuantizedOperator::weights_sqnr
  ir::ConstantPtr block_scales = nullptr;  // of blocks: see ir::Tensor::block_scales
};

// REQUIRES: x is float32, 0 <= axis < rank. Fails (quantize-4) where x has a NaN or an infinity.
// The weights are read twice here, tile by tile, and once more when they are written.
Result<StoredWeights> ToInt8(const ir::ConstantPtr& x, int axis);

// As above in its parts. max|w| of each channel: fails (quantize-4) as ToInt8().
inline constexpr int kPerTensor = -1;  // as an axis: one scale for all
Result<std::vector<float>> Largest(const ir::ConstantPtr& x, int axis);
std::vector<float> SymmetricScales(std::vector<float> largest, float most = 127);
// With the scales given, above 0; what lies beyond ±127 of them becomes ±127.
Result<StoredWeights> ToInt8(const ir::ConstantPtr& x, int axis, std::vector<float> scale);

// What the rounding of weights adds to the means of a product's results: Σ (ŵ − w) · mean by
// channel of the axis, where ŵ are those that `scale` gives in [-most, most] and `mean` is by
// channel of what is multiplied. REQUIRES: axis 0 and `mean` has the channels of the last axis for
// each group of output channels, or the last axis (depthwise) and it has a multiple of mean's
// channels.
Result<std::vector<double>> MeanShift(const ir::ConstantPtr& x, int axis,
                                      const std::vector<float>& scale, float most,
                                      const std::vector<double>& mean);
// The same of int4 in blocks, whose scales are `scales` [rows, blocks of a row]. REQUIRES: `mean`
// has an element for each of a row.
Result<std::vector<double>> BlockMeanShift(const ir::ConstantPtr& x, const ir::ConstantPtr& scales,
                                           const std::vector<double>& mean);

// As ToInt8(), onto [-7, 7]; the largest weights of a channel are clipped where that makes its
// squared error less. The weights are read once more for that.
Result<StoredWeights> ToInt4(const ir::ConstantPtr& x, int axis);
// Onto [-7, 7] with a scale, max|w| / 7 as a float16, for each `block` elements of a row. REQUIRES:
// a matrix, whose rows are blocks.
Result<StoredWeights> ToInt4Blocks(const ir::ConstantPtr& x, int block);

// REQUIRES: x is float32. Numbers beyond ±65504 fail (quantize-5): they would be infinite.
Result<StoredWeights> ToFloat16(const ir::ConstantPtr& x);

}  // namespace keras_litert::quantize
