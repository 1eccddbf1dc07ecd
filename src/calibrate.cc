#include "calibrate.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <system_error>
#include <utility>

#include "litert/writer.h"
#include "quantize/observe.h"
#include "util/cancelled.h"

namespace keras_litert {

using quantize::Range;

ScratchFile::ScratchFile(const std::filesystem::path& beside)
    : path_(beside.string() + ".calibrate-" + std::to_string(std::random_device{}()) + ".tflite") {}

ScratchFile::~ScratchFile() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Result<std::vector<litert::Array>> RunBatch(litert::LoadedModel& model,
                                            const std::vector<litert::Array>& batch,
                                            const std::vector<std::string>& names) {
  // The runtime orders inputs its own way, and drops none.
  std::vector<litert::Array> ordered;
  for (const std::string& name : model.input_names()) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      return Fail("", "runtime-3", "LiteRT knows an input '" + name + "' that the model lacks");
    }
    ordered.push_back(batch[static_cast<size_t>(found - names.begin())]);
  }
  return model.Run(ordered);
}

Result<quantize::Ranges> Calibrate(ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                                   const Batches& batches, const CalibrateOptions& options,
                                   const std::filesystem::path& output,
                                   const std::function<bool()>& cancelled) {
  KL_ASSIGN_OR_RETURN(const auto runtime, litert::Runtime::Open(options.runtime));
  const ScratchFile file(output);
  {
    const quantize::Observers observers(module, tensors);
    litert::WriteOptions write;
    write.cancelled = cancelled;
    KL_RETURN_IF_ERROR(litert::WriteFile(module, file.path(), write));
  }
  KL_ASSIGN_OR_RETURN(const auto loaded, runtime->Load(file.path()));
  std::vector<Range> ranges(tensors.size());
  for (size_t n = 0; n < batches.size(); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const std::vector<litert::Array> outputs,
                        RunBatch(*loaded, batches[n], module.input_names));
    const std::vector<std::byte>& ends = outputs.at(0).bytes;
    if (ends.size() != tensors.size() * sizeof(Range)) {
      return Fail("", "internal-calibrate", "calibration gave another number of ranges");
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
      Range seen;
      std::memcpy(&seen, ends.data() + i * sizeof(Range), sizeof(Range));
      if (n == 0 || !seen.IsFinite()) {
        ranges[i] = seen;
      } else if (!ranges[i].IsFinite()) {
        continue;
      } else if (options.method == RangeMethod::kMovingAverage) {
        ranges[i].min += 0.1F * (seen.min - ranges[i].min);
        ranges[i].max += 0.1F * (seen.max - ranges[i].max);
      } else {
        ranges[i].Include(seen);
      }
    }
    if (options.progress) options.progress(n + 1, batches.size());
  }
  quantize::Ranges result;
  for (size_t i = 0; i < tensors.size(); ++i) result[tensors[i]] = ranges[i];
  return result;
}

}  // namespace keras_litert
