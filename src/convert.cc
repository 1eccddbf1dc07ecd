// The whole pipeline on one page: archive → layers → ops → ir → passes → litert.
#include "keras_litert/convert.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/archive.h"
#include "archive/json.h"
#include "convert_archive.h"
#include "ir/builder.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "layers/model.h"
#include "litert/writer.h"
#include "passes/check_types.h"
#include "passes/pipeline.h"
#include "util/near_match.h"
#include "util/platform.h"

namespace keras_litert {
namespace {

using nlohmann::json;

constexpr std::string_view kLowerStage = "lower";

// What to do about a problem of the model that has no better advice: what is left are configs that
// Keras would not have written.
constexpr char kUsualHint[] =
    "Keras refuses such a model, too. If it loads this one, please report this error.";

// "--shape image=?,224,224,3"
std::string ShapeForm(const layers::ModelInput& input) {
  std::string sizes;
  for (const int64_t size : input.shape) {
    sizes += (sizes.empty() ? "" : ",") + (size < 0 ? "?" : std::to_string(size));
  }
  return fmt::format("--shape {}={}", input.name, sizes);
}

// The graph's input for a model input: unknown sizes become symbols unless the options fix them.
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
    } else {
      shape.Append(b.symbols().NewInput(fmt::format("{}_{}", input.name, i)));
    }
  }
  b.module().input_names.push_back(input.name);
  return ir::Value(b.graph().AddInput({input.dtype, shape}, input.name));
}

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

}  // namespace

std::vector<std::string> PassNames() {
  std::vector<std::string> names{std::string(kLowerStage)};
  for (const passes::Pass& pass : passes::Pipeline()) names.emplace_back(pass.name);
  return names;
}

Result<ConvertReport> Convert(const std::filesystem::path& model,
                              const std::filesystem::path& output, const ConvertOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  // archive: the config and views of the weights.
  KL_ASSIGN_OR_RETURN(const std::shared_ptr<const archive::Archive> archive, archive::Open(model));
  KL_ASSIGN_OR_RETURN(ConvertReport report,
                      ConvertArchive(*archive, model.string(), output, options));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

Result<ConvertReport> ConvertArchive(const archive::Archive& archive, const std::string& name,
                                     const std::filesystem::path& output,
                                     const ConvertOptions& options) {
  KL_ASSIGN_OR_RETURN(const json config, archive::ParseJson(archive.config(), name));

  // layers → ops → ir: the graph in Keras's own terms.
  ir::Module module;
  ir::BuildContext build{module, {}, {}, 0};
  ir::Builder b(build, module.main());
  layers::LoweringContext context(b, archive);
  std::map<int, ir::Dim> symbols;
  std::vector<std::string> inputs;  // every input's name, also of those that failed
  const std::vector<layers::ModelOutput> outputs =
      layers::LowerModel(context, config, [&](const layers::ModelInput& input) {
        inputs.push_back(input.name);
        return MakeInput(b, input, options, symbols);
      });
  for (const auto& [given, shape] : options.shapes) {
    if (inputs.empty() || std::find(inputs.begin(), inputs.end(), given) != inputs.end()) continue;
    const std::vector<std::string_view> candidates(inputs.begin(), inputs.end());
    const std::optional<std::string> near = NearMatch(given, candidates);
    b.Fail("option-3", fmt::format("the model has no input '{}'", given),
           near ? fmt::format("Did you mean '{}'?", *near)
                : fmt::format("Its inputs are '{}'.", fmt::join(inputs, "', '")));
  }
  if (!build.errors.empty()) {
    for (Diagnostic& problem : build.errors) {
      if (problem.hint.empty()) problem.hint = kUsualHint;
    }
    return std::unexpected(Error(std::move(build.errors)));
  }
  for (const layers::ModelOutput& out : outputs) {
    if (!out.value.ok())
      return Fail("", "internal-output", "output '" + out.name + "' was not computed");
    module.main().outputs().push_back(out.value.tensor());
    module.output_names.push_back(out.name);
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
  passes::RunPipeline(module, [&](const passes::Pass& pass) { after(pass.name); });
  if (std::vector<Diagnostic> errors = passes::CheckTypes(module); !errors.empty()) {
    return std::unexpected(Error(std::move(errors)));
  }
  verify("all passes");
  if (!defects.empty()) return std::unexpected(Error(std::move(defects)));

  // litert: the file.
  litert::WriteOptions write;
  write.progress = options.progress;
  KL_ASSIGN_OR_RETURN(const int64_t bytes, litert::WriteFile(module, output, write));

  ConvertReport report;
  report.model_name = config.contains("config") && config["config"].is_object()
                          ? config["config"].value("name", "")
                          : "";
  report.inputs = Describe(module.main().inputs(), module.input_names);
  report.outputs = Describe(module.main().outputs(), module.output_names);
  report.operators = CountOperators(module);
  report.file_bytes = bytes;
  report.peak_memory_bytes = PeakResidentBytes();
  report.notes = std::move(context.notes);
  return report;
}

}  // namespace keras_litert
