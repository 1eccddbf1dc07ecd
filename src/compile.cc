#include "compile.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "ir/copy.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "keras_litert/convert.h"
#include "litert/writer.h"
#include "passes/check_types.h"
#include "passes/pipeline.h"
#include "quantize/quantize.h"
#include "quantize/static.h"
#include "tuning/advise.h"
#include "tuning/auto_quantize.h"
#include "tuning/calibrate.h"
#include "tuning/html_report.h"
#include "tuning/measure.h"
#include "tuning/recipe_file.h"
#include "tuning/run_recipe.h"
#include "tuning/samples.h"
#include "util/cancelled.h"
#include "util/near_match.h"
#include "util/platform.h"

namespace keras_litert {
namespace {

constexpr std::string_view kLowerStage = "lower";
constexpr std::string_view kQuantizeStage = "quantize";

std::vector<TensorReport> Describe(const std::vector<ir::Tensor*>& tensors,
                                   const std::vector<std::string>& names) {
  std::vector<TensorReport> reports;
  for (size_t i = 0; i < tensors.size(); ++i) {
    TensorReport report{names[i], std::string(ir::Name(tensors[i]->type.dtype)), {}};
    for (ir::Dim dim : tensors[i]->type.shape) report.shape.push_back(dim.value_or_minus_one());
    reports.push_back(std::move(report));
  }
  return reports;
}

std::vector<OperatorCount> CountOperators(const ir::Module& module) {
  std::map<std::string, int64_t> counts;
  for (const auto& graph : module.graphs) {
    for (const ir::Operator* op = graph->first(); op != nullptr; op = op->next) {
      ++counts[tflite::EnumNameBuiltinOperator(op->code)];
    }
  }
  std::vector<OperatorCount> sorted;
  for (const auto& [name, count] : counts) sorted.push_back({name, count});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& x, const auto& y) { return x.count > y.count; });
  return sorted;
}

// The float model beside the one that is quantized.
struct FloatModel {
  ir::ModuleCopy copy;
  quantize::Ranges ranges;  // of the copy's tensors

  FloatModel(const ir::Module& module, const quantize::Ranges& known) : copy(ir::Copy(module)) {
    for (const auto& [tensor, range] : known) ranges[copy.tensors.at(tensor)] = range;
  }
};

Status Fill(OutputFile& file, const std::string& text) {
  KL_RETURN_IF_ERROR(file.Reserve(static_cast<int64_t>(text.size())));
  return file.WriteAt(0, std::as_bytes(std::span(text)));
}

// "--shape image=?,224,224,3"
std::string ShapeForm(const layers::ModelInput& input) {
  std::string sizes;
  for (const int64_t size : input.shape) {
    sizes += (sizes.empty() ? "" : ",") + (size < 0 ? "?" : std::to_string(size));
  }
  return fmt::format("--shape {}={}", input.name, sizes);
}

}  // namespace

ir::Value MakeInput(ir::Builder& b, const layers::ModelInput& input, const ConvertOptions& options,
                    std::map<int, ir::Dim>& shared_symbols) {
  const auto fixed = options.shapes.find(input.name);
  if (fixed != options.shapes.end() && fixed->second.size() != input.shape.size()) {
    return b.Fail("option-1",
                  fmt::format("input '{}' has rank {}, the given shape has {}", input.name,
                              input.shape.size(), fixed->second.size()),
                  fmt::format("Give it {}.", ShapeForm(input)));
  }
  ir::Shape shape;
  for (size_t i = 0; i < input.shape.size(); ++i) {
    int64_t size = input.shape[i];
    if (fixed != options.shapes.end() && fixed->second[i] >= 0) {
      if (size >= 0 && size != fixed->second[i]) {
        return b.Fail(
            "option-2",
            fmt::format("input '{}': size {} of axis {} is fixed by the model, {} was asked for",
                        input.name, size, i, fixed->second[i]),
            fmt::format("Give it {}.", ShapeForm(input)));
      }
      size = fixed->second[i];
    } else if (size < 0 && i == 0 && options.static_batch) {
      size = *options.static_batch;
    }
    if (size >= 0) {
      shape.Append(size);
    } else if (i == 0) {
      // All inputs share one batch.
      auto [entry, added] = shared_symbols.try_emplace(0, ir::Dim(0));
      if (added) entry->second = b.symbols().NewInput("batch");
      shape.Append(entry->second);
    } else if (size < -1) {
      // A size that other inputs have too, by number.
      const int number = static_cast<int>(-1 - std::max<int64_t>(size, -1000000));
      auto [entry, added] = shared_symbols.try_emplace(number, ir::Dim(0));
      if (added) entry->second = b.symbols().NewInput(fmt::format("{}_{}", input.name, i));
      shape.Append(entry->second);
    } else {
      shape.Append(b.symbols().NewInput(fmt::format("{}_{}", input.name, i)));
    }
  }
  b.module().input_names.push_back(input.name);
  return ir::Value(b.graph().AddInput({input.dtype, shape}, input.name));
}

void CheckShapeOptions(ir::Builder& b, const ConvertOptions& options,
                       const std::vector<std::string>& inputs) {
  for (const auto& [given, shape] : options.shapes) {
    if (inputs.empty() || std::find(inputs.begin(), inputs.end(), given) != inputs.end()) continue;
    const std::vector<std::string_view> candidates(inputs.begin(), inputs.end());
    const std::optional<std::string> near = NearMatch(given, candidates);
    b.Fail("option-3", fmt::format("the model has no input '{}'", given),
           near ? fmt::format("Did you mean '{}'?", *near)
                : fmt::format("Its inputs are '{}'.", fmt::join(inputs, "', '")));
  }
}

std::vector<std::string> PassNames() {
  std::vector<std::string> names{std::string(kLowerStage)};
  for (const passes::Pass& pass : passes::Pipeline()) names.emplace_back(pass.name);
  names.emplace_back(kQuantizeStage);
  return names;
}

Result<ConvertReport> Compile(ir::Module& module, const std::filesystem::path& output,
                              const ConvertOptions& options, const std::string& model_name,
                              std::vector<std::string> notes) {
  // Samples are checked before time is spent, and so is where the results go.
  QuantizeOptions quantize_options = options.quantize;
  const bool searches = IsAuto(quantize_options);
  KL_ASSIGN_OR_RETURN(const bool calibrates, searches
                                                 ? CheckAuto(quantize_options)
                                                 : quantize::NeedsCalibration(quantize_options));
  Batches batches;
  const CalibrateOptions& samples = options.quantize.calibrate;
  const bool has_samples = !samples.samples.empty() || !samples.file.empty();
  const bool advises = quantize_options.advise || (!options.report.empty() && has_samples);
  // Weights alone are rounded, too: samples tell what that adds to the results.
  bool corrects = has_samples && searches;
  if (has_samples && !searches) {
    KL_ASSIGN_OR_RETURN(corrects, quantize::RoundsWeights(quantize_options));
  }
  const bool measures = calibrates || searches || advises || has_samples;
  if (measures) {
    KL_ASSIGN_OR_RETURN(batches, ReadSamples(module, samples));
  }

  KL_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(output));
  std::unique_ptr<OutputFile> page;
  if (!options.report.empty()) {
    KL_ASSIGN_OR_RETURN(page, OutputFile::Create(options.report));
  }
  std::unique_ptr<OutputFile> recipe_file;
  if (!options.save_recipe.empty()) {
    KL_ASSIGN_OR_RETURN(recipe_file, OutputFile::Create(options.save_recipe));
  }

  // passes: the graph as LiteRT runs it best.
  auto dump = [&](std::string_view stage) {
    const auto& wanted = options.dump_after;
    if (options.dump && std::find(wanted.begin(), wanted.end(), stage) != wanted.end()) {
      options.dump(std::string(stage), ir::Print(module));
    }
  };
  // A defect of this compiler is reported with the stage that made it where assertions are compiled
  // in, else once.
  std::vector<Diagnostic> defects;
  auto verify = [&](std::string_view stage) {
    if (!defects.empty()) return;
    defects = ir::Verify(module);
    for (Diagnostic& defect : defects) defect.message += fmt::format(" (after {})", stage);
  };
  auto after = [&](std::string_view stage) {
    dump(stage);
#ifndef NDEBUG
    verify(stage);
#endif
  };
  after(kLowerStage);
  bool cancelled = false;
  passes::RunPipeline(module, [&](const passes::Pass& pass) {
    after(pass.name);
    cancelled = cancelled || (options.cancelled && options.cancelled());
  });
  if (cancelled) return Cancelled();
  if (std::vector<Diagnostic> errors = passes::CheckTypes(module); !errors.empty()) {
    return std::unexpected(Error(std::move(errors)));
  }

  // quantize: narrow weights and activations, as the options say.
  quantize::Ranges ranges;
  if (calibrates || corrects) {
    CalibrateOptions wanted;
    if (calibrates) wanted.method = samples.method;
    wanted.runtime = samples.runtime;
    wanted.progress = samples.progress;
    const std::vector<ir::Tensor*> tensors =
        calibrates ? quantize::TensorsToObserve(module) : quantize::TensorsToAverage(module);
    if (!tensors.empty()) {
      KL_ASSIGN_OR_RETURN(ranges,
                          Calibrate(module, tensors, batches, wanted, output, options.cancelled));
    }
  }
  // Recipes are tried on the float model as it is now.
  std::optional<FloatModel> exact;
  std::optional<RecipeRunner> runner;
  if (searches || advises) {
    exact.emplace(module, ranges);
    runner.emplace(exact->copy.module, quantize_options, exact->ranges, batches, output,
                   options.cancelled);
  }
  Found found;
  if (searches) {
    KL_ASSIGN_OR_RETURN(found, FindRecipe(*runner, quantize_options));
    quantize_options.recipe = found.recipe;
    quantize_options.rules = found.rules;
  }
  std::unique_ptr<Measurement> measurement;
  if (measures) {
    KL_ASSIGN_OR_RETURN(measurement, Measurement::Start(module, batches, output));
  }
  KL_ASSIGN_OR_RETURN(quantize::Quantized quantized,
                      quantize::Quantize(module, quantize_options, ranges));
  after(kQuantizeStage);
  verify("all passes");
  if (!defects.empty()) return std::unexpected(Error(std::move(defects)));

  std::vector<OutputError> output_errors;
  if (measurement) {
    KL_ASSIGN_OR_RETURN(
        output_errors, measurement->Finish(module, quantized, batches, samples, options.cancelled));
  }

  // What was searched for was measured as it is, without further outputs.
  if (searches) output_errors = std::move(found.errors);

  // litert: the file.
  litert::WriteOptions write;
  write.progress = options.progress;
  write.cancelled = options.cancelled;
  KL_ASSIGN_OR_RETURN(const int64_t bytes, litert::WriteInto(module, *file, write));

  ConvertReport report;
  report.model_name = model_name;
  report.inputs = Describe(module.main().inputs(), module.input_names);
  report.outputs = Describe(module.main().outputs(), module.output_names);
  report.operators = CountOperators(module);
  report.quantized = std::move(quantized.reports);
  report.output_errors = std::move(output_errors);
  report.recipe = std::move(quantize_options.recipe);
  report.rules = std::move(quantize_options.rules);
  report.trials = std::move(found.trials);
  report.file_bytes = bytes;
  report.peak_memory_bytes = PeakResidentBytes();
  report.notes = std::move(notes);
  if (advises) {
    KL_ASSIGN_OR_RETURN(report.advice, Advise(*runner, report));
  }
  if (page) KL_RETURN_IF_ERROR(Fill(*page, HtmlReport(report)));
  if (recipe_file) KL_RETURN_IF_ERROR(Fill(*recipe_file, RecipeFile(report, samples.method)));
  // All or none.
  KL_RETURN_IF_ERROR(file->Commit());
  if (page) KL_RETURN_IF_ERROR(page->Commit());
  if (recipe_file) KL_RETURN_IF_ERROR(recipe_file->Commit());
  return report;
}

}  // namespace keras_litert
