// Runs a LiteRT file in the LiteRT runtime and compares its outputs with recorded ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "keras_litert/result.h"

namespace keras_litert {

struct VerifyOptions {
  // The largest error allowed, relative to the range of the expected output; see OutputComparison.
  // Outputs of integers and bools must be equal.
  double tolerance = 1e-4;
  // LiteRT's shared library (libLiteRt.so), or a folder that has it. Empty: the environment
  // variable KERAS_LITERT_RUNTIME, then the places that docs/cli.md lists.
  std::filesystem::path runtime;
};

// How one output compares. Errors are of the elements whose expected value is finite, computed in
// double precision:
//   max_absolute_error = max |actual - expected|
//   max_relative_error = max_absolute_error / scale
// `scale` is the range max(expected) - min(expected); the largest magnitude instead where there are
// fewer than 8 elements or all are alike, and 1 where all are zero. The relative error is 0 where
// the absolute one is within two roundings of the largest magnitude.
struct OutputComparison {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  double max_absolute_error = 0;
  double max_relative_error = 0;
  // Elements that no error can describe: integers that differ, NaN or infinity on one side only.
  int64_t mismatches = 0;
  bool passed = false;
  std::string reason;  // why it did not pass; empty if it did
};

struct VerifyReport {
  bool passed = false;  // every output did
  double tolerance = 0;
  std::vector<OutputComparison> outputs;
  std::string runtime;  // the library that ran the file
  double seconds = 0;   // of the invocation alone
};

// Runs `model` on the arrays in the .npz file `inputs` and compares with those in `expected`.
// Arrays are named as the signature names inputs and outputs; a single array, or arrays that all
// have NumPy's default names arr_0, arr_1 …, are taken in the signature's order. float64 and int64
// arrays are taken for a narrower type of the same kind if no integer changes its value (NumPy
// makes such arrays by default); other dtypes must agree. Dynamic dimensions take the arrays'
// sizes.
//
// `expected` may name some of the outputs only; the others are not compared.
// An error means that the comparison could not be made; outputs that differ are no error, but
// `passed` is false. Thread-safe; never prints, never throws.
Result<VerifyReport> Verify(const std::filesystem::path& model, const std::filesystem::path& inputs,
                            const std::filesystem::path& expected,
                            const VerifyOptions& options = {});

}  // namespace keras_litert
