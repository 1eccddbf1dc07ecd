#include "tuning/calibrate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <system_error>
#include <utility>

#include "litert/writer.h"
#include "quantize/bias.h"
#include "quantize/histogram.h"
#include "quantize/observe.h"
#include "tuning/probe.h"
#include "util/cancelled.h"
#include "util/platform.h"

namespace keras_litert {

using quantize::Range;

namespace {

struct Reduced {
  std::vector<Range> ranges;
  std::vector<std::vector<double>> means;  // empty where ChannelsToObserve() is 0
};

// How many samples a batch has.
double Rows(const std::vector<litert::Array>& batch) {
  if (batch.empty() || batch[0].type.shape.rank() == 0) return 1;
  return static_cast<double>(batch[0].type.shape[0].value());
}

// The least and greatest values of the tensors, and means, in the module's own runs.
Result<Reduced> Reductions(ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                           const Batches& batches, const CalibrateOptions& options,
                           const litert::Runtime& runtime, const std::filesystem::path& output,
                           size_t total, const std::function<bool()>& cancelled) {
  const ScratchFile file(output);
  {
    const quantize::Observers observers(module, tensors);
    litert::WriteOptions write;
    write.cancelled = cancelled;
    KL_RETURN_IF_ERROR(litert::WriteFile(module, file.path(), write));
  }
  KL_ASSIGN_OR_RETURN(const auto loaded, runtime.Load(file.path(), DefaultThreads()));
  Reduced reduced;
  std::vector<Range>& ranges = reduced.ranges;
  ranges.resize(tensors.size());
  size_t size = tensors.size() * sizeof(Range);
  for (const ir::Tensor* tensor : tensors) {
    reduced.means.emplace_back(static_cast<size_t>(quantize::ChannelsToObserve(*tensor)));
    size += reduced.means.back().size() * sizeof(float);
  }
  double rows = 0;
  for (size_t n = 0; n < batches.size(); ++n) {
    if (cancelled && cancelled()) return Cancelled();
    KL_ASSIGN_OR_RETURN(const std::vector<litert::Array> outputs,
                        RunBatch(*loaded, batches[n], module.input_names));
    const std::vector<std::byte>& ends = outputs.at(0).bytes;
    if (ends.size() != size) {
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
    rows += Rows(batches[n]);
    const std::byte* next = ends.data() + tensors.size() * sizeof(Range);
    for (std::vector<double>& mean : reduced.means) {
      for (double& m : mean) {
        float seen;
        std::memcpy(&seen, next, sizeof(seen));
        m += (static_cast<double>(seen) - m) * (Rows(batches[n]) / rows);
        next += sizeof(seen);
      }
    }
    if (options.progress) options.progress(n + 1, total);
  }
  return reduced;
}

// The part of each range that the method keeps, from the values themselves. A group of tensors at a
// time has its histograms in memory.
Result<std::vector<Range>> Kept(ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                                const std::vector<Range>& all, const Batches& batches,
                                const CalibrateOptions& options, const litert::Runtime& runtime,
                                const std::filesystem::path& output, const ProbePlan& plan,
                                const std::function<bool()>& cancelled) {
  constexpr double kFraction = 0.9999;
  std::vector<Range> kept = all;
  size_t done = batches.size();
  const size_t total = batches.size() * (1 + plan.groups.size());
  for (const std::vector<size_t>& group : plan.groups) {
    std::vector<ir::Tensor*> probed;
    std::vector<quantize::Histogram> histograms;
    for (const size_t i : group) {
      probed.push_back(tensors[i]);
      histograms.emplace_back(all[i].IsFinite() ? all[i] : Range{});
    }
    const ScratchFile file(output);
    {
      const OtherOutputs others(module, probed);
      KL_RETURN_IF_ERROR(litert::WriteFile(module, file.path()));
    }
    KL_ASSIGN_OR_RETURN(const auto loaded, runtime.Load(file.path(), DefaultThreads()));
    for (size_t i = 0; i < group.size(); ++i) {
      loaded->Reserve(std::to_string(i), plan.bytes[group[i]]);
    }
    for (const auto& batch : batches) {
      KL_RETURN_IF_ERROR(ForEachPart(
          module, {batch}, 1, plan.rows, cancelled,
          [&](const std::vector<litert::Array>& part) -> Status {
            KL_ASSIGN_OR_RETURN(const auto outputs, RunBatch(*loaded, part, module.input_names));
            for (size_t i = 0; i < group.size(); ++i) {
              KL_ASSIGN_OR_RETURN(const litert::Array* values,
                                  OutputNamed(*loaded, outputs, std::to_string(i)));
              histograms[i].Add({reinterpret_cast<const float*>(values->bytes.data()),
                                 values->bytes.size() / sizeof(float)});
            }
            return {};
          }));
      if (options.progress) options.progress(++done, total);
    }
    for (size_t i = 0; i < group.size(); ++i) {
      if (!all[group[i]].IsFinite()) continue;
      kept[group[i]] = options.method == RangeMethod::kMse ? histograms[i].LeastError()
                                                           : histograms[i].Percentile(kFraction);
    }
  }
  return kept;
}

}  // namespace

Result<quantize::Ranges> Calibrate(ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                                   const Batches& batches, const CalibrateOptions& options,
                                   const std::filesystem::path& output,
                                   const std::function<bool()>& cancelled) {
  KL_ASSIGN_OR_RETURN(const auto runtime, litert::Runtime::Open(options.runtime));
  const bool looks =
      options.method == RangeMethod::kPercentile || options.method == RangeMethod::kMse;
  ProbePlan plan;
  if (looks) plan = PlanProbes(module, tensors, batches);
  const size_t total = batches.size() * (1 + plan.groups.size());
  KL_ASSIGN_OR_RETURN(Reduced reduced, Reductions(module, tensors, batches, options, *runtime,
                                                  output, total, cancelled));
  const std::vector<Range>& all = reduced.ranges;
  std::vector<Range> kept = all;
  if (looks) {
    KL_ASSIGN_OR_RETURN(
        kept, Kept(module, tensors, all, batches, options, *runtime, output, plan, cancelled));
  }
  quantize::Ranges result;
  for (size_t i = 0; i < tensors.size(); ++i) {
    quantize::Observed& observed = result[tensors[i]] = {all[i], kept[i]};
    const std::vector<double>& mean = reduced.means[i];
    if (mean.empty() ||
        !std::all_of(mean.begin(), mean.end(), [](double m) { return std::isfinite(m); })) {
      continue;
    }
    observed.mean = std::make_shared<std::vector<double>>(std::move(reduced.means[i]));
  }
  return result;
}

}  // namespace keras_litert
