// What quantization costs: the quantized file beside the float one, run by LiteRT on the samples.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/report.h"
#include "quantize/quantize.h"
#include "tuning/calibrate.h"
#include "tuning/probe.h"

namespace keras_litert {

// Batches that are measured; more change the ratios little.
inline constexpr size_t kMostBatches = 16;

// Σ(x − x̂)² / Σx² of a signal-to-noise ratio in dB; 0 of one that was not measured (NaN).
double NoiseOf(double sqnr);

// Made before the module is quantized, asked afterwards.
class Measurement {
 public:
  // Writes the float module beside `output`, with the results of its operators as outputs: once, or
  // several times where one run on the batches could not give out all of them (PlanProbes).
  static Result<std::unique_ptr<Measurement>> Start(ir::Module& module, const Batches& batches,
                                                    const std::filesystem::path& output);

  // Runs both on some of the batches. Fills in `quantized.reports[i].output_sqnr`, and gives the
  // errors of the float outputs. `module` is as before then.
  Result<std::vector<OutputError>> Finish(ir::Module& module, quantize::Quantized& quantized,
                                          const Batches& batches, const CalibrateOptions& options,
                                          const std::function<bool()>& cancelled);

 private:
  explicit Measurement(const std::filesystem::path& output) : output_(output) {}

  std::filesystem::path output_;
  std::vector<size_t> outputs_;  // positions of the float outputs in the signature
  // Float32 in the float module: the outputs, then the results of operators.
  std::vector<const ir::Tensor*> probes_;
  ProbePlan plan_;                                         // of the probes
  std::vector<std::unique_ptr<ScratchFile>> float_files_;  // one for each group
};

// The float model's outputs on the samples, to compare files with.
class FloatRun {
 public:
  // Writes `module` beside `output`, runs it and takes the file away again. REQUIRES: `batches` and
  // `options` outlive this object. Fails (auto-3) where the module has no float outputs.
  static Result<std::unique_ptr<FloatRun>> Start(const ir::Module& module, const Batches& batches,
                                                 const CalibrateOptions& options,
                                                 const std::filesystem::path& output,
                                                 const std::function<bool()>& cancelled);

  // Runs `file`, which was written from `module`, on at most so many of the batches. Gives the
  // errors of the float outputs.
  Result<std::vector<OutputError>> Compare(const ir::Module& module,
                                           const std::filesystem::path& file, size_t most_batches,
                                           const std::function<bool()>& cancelled) const;

 private:
  explicit FloatRun(const Batches& batches) : batches_(batches) {}

  const Batches& batches_;
  std::shared_ptr<const litert::Runtime> runtime_;
  std::vector<size_t> outputs_;                       // positions of the float outputs
  std::vector<std::vector<litert::Array>> expected_;  // by batch and float output
};

}  // namespace keras_litert
