#include "tuning/run_recipe.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "ir/copy.h"
#include "litert/writer.h"
#include "quantize/quantize.h"
#include "util/cancelled.h"

namespace keras_litert {

RecipeRunner::RecipeRunner(const ir::Module& module, const QuantizeOptions& options,
                           const quantize::Ranges& ranges, const Batches& batches,
                           const std::filesystem::path& output,
                           const std::function<bool()>& cancelled)
    : module_(module),
      options_(options),
      ranges_(ranges),
      batches_(batches),
      output_(output),
      cancelled_(cancelled) {
  options_.calibrate.samples.clear();
  options_.search = {};
}

Result<RecipeRunner::Outcome> RecipeRunner::Run(
    const std::string& recipe, const std::vector<QuantizeRule>& rules, size_t most_batches,
    const std::function<Status(const std::filesystem::path&)>& use) {
  if (cancelled_ && cancelled_()) return Cancelled();
  if (!float_run_) {
    KL_ASSIGN_OR_RETURN(
        float_run_, FloatRun::Start(module_, batches_, options_.calibrate, output_, cancelled_));
  }
  ++runs_;
  ir::ModuleCopy copy = ir::Copy(module_);
  quantize::Ranges ranges;
  for (const auto& [tensor, range] : ranges_) ranges[copy.tensors.at(tensor)] = range;
  options_.recipe = recipe;
  options_.rules = rules;
  KL_ASSIGN_OR_RETURN(quantize::Quantized quantized,
                      quantize::Quantize(copy.module, options_, ranges));
  const ScratchFile file(output_);
  litert::WriteOptions write;
  write.cancelled = cancelled_;
  Outcome outcome;
  KL_ASSIGN_OR_RETURN(outcome.bytes, litert::WriteFile(copy.module, file.path(), write));
  KL_ASSIGN_OR_RETURN(outcome.errors,
                      float_run_->Compare(copy.module, file.path(), most_batches, cancelled_));
  outcome.reports = std::move(quantized.reports);
  if (use) KL_RETURN_IF_ERROR(use(file.path()));
  return outcome;
}

double WorstRatio(const std::vector<OutputError>& errors) {
  double worst = std::numeric_limits<double>::infinity();
  for (const OutputError& error : errors) worst = std::min(worst, error.sqnr);
  return worst;
}

}  // namespace keras_litert
