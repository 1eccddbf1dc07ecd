// What a tensor's values are, in bounded memory, and the range that suits them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/affine.h"

namespace keras_litert::quantize {

// Counts of values in 2,048 equal parts of a range. Zeros are counted apart: every scale has them
// exactly.
class Histogram {
 public:
  // REQUIRES: all is finite.
  explicit Histogram(Range all);

  // Values outside of the range count as its ends; those that are no numbers are skipped.
  void Add(std::span<const float> values);

  // From the quantile 1 − fraction to the quantile `fraction` of the values, zeros included, each
  // as exactly as a bin is wide. REQUIRES: 0.5 <= fraction <= 1.
  Range Percentile(double fraction) const;

  // The part of the range, in steps of 1/128 of each end, of the least squared error by int8:
  //   Σ_{x < min} (x − min)² + Σ_{x > max} (x − max)² + n · step² / 12,  step = (max − min) / 255
  // where n counts the values between the ends that are not 0, and min <= 0 <= max.
  Range LeastError() const;

 private:
  struct Bin {
    int64_t count = 0;
    double sum = 0;
    double squares = 0;
  };
  size_t BinOf(double value) const;

  Range all_;
  double width_;  // of a bin; 0: all values are equal
  std::vector<Bin> bins_;
  int64_t zeros_ = 0;
};

}  // namespace keras_litert::quantize
