// What quantization costs: the quantized file beside the float one, run by LiteRT on the samples.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "calibrate.h"
#include "ir/graph.h"
#include "keras_litert/report.h"
#include "quantize/quantize.h"

namespace keras_litert {

// Made before the module is quantized, asked afterwards.
class Measurement {
 public:
  // Writes the float module beside `output`, with the results of its operators as outputs.
  static Result<std::unique_ptr<Measurement>> Start(ir::Module& module,
                                                    const std::filesystem::path& output);

  // Runs both on some of the batches. Fills in `quantized.reports[i].output_sqnr`, and gives the
  // errors of the float outputs. `module` is as before then.
  Result<std::vector<OutputError>> Finish(ir::Module& module, quantize::Quantized& quantized,
                                          const Batches& batches, const CalibrateOptions& options,
                                          const std::function<bool()>& cancelled);

 private:
  explicit Measurement(const std::filesystem::path& output)
      : output_(output), float_file_(output) {}

  std::filesystem::path output_;
  ScratchFile float_file_;
  std::vector<const ir::Tensor*> probes_;  // results of operators, float32 in the float module
  std::vector<size_t> outputs_;            // positions of the float outputs in the signature
};

}  // namespace keras_litert
