// The float model with one recipe after another, each written, run on the samples and taken away.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/affine.h"
#include "tuning/calibrate.h"
#include "tuning/measure.h"
#include "util/result.h"

namespace keras_litert {

class RecipeRunner {
 public:
  struct Outcome {
    int64_t bytes = 0;                // of the file
    std::vector<OutputError> errors;  // against the float model
    std::vector<QuantizedOperator> reports;
  };

  // Of `options`, all but recipe, rules and samples hold for each run. Files are written beside
  // `output`. REQUIRES: what is given here outlives this object; `module` does not change.
  RecipeRunner(const ir::Module& module, const QuantizeOptions& options,
               const quantize::Ranges& ranges, const Batches& batches,
               const std::filesystem::path& output, const std::function<bool()>& cancelled);

  // Runs on at most so many batches. `use` (may be empty) is given the file.
  Result<Outcome> Run(const std::string& recipe, const std::vector<QuantizeRule>& rules,
                      size_t most_batches,
                      const std::function<Status(const std::filesystem::path&)>& use = {});

  size_t runs() const { return runs_; }

 private:
  const ir::Module& module_;
  QuantizeOptions options_;
  const quantize::Ranges& ranges_;
  const Batches& batches_;
  const std::filesystem::path& output_;
  const std::function<bool()>& cancelled_;
  std::unique_ptr<FloatRun> float_run_;  // made for the first run
  size_t runs_ = 0;
};

// Of the worst output, in dB.
double WorstRatio(const std::vector<OutputError>& errors);

}  // namespace keras_litert
