// The whole pipeline on one page: archive → layers → ops → ir (here), then passes → litert
// (compile.cc).
#include "keras_litert/convert.h"

#include <chrono>
#include <exception>
#include <map>
#include <new>
#include <nlohmann/json.hpp>

#include "archive/archive.h"
#include "archive/json.h"
#include "archive/memory_archive.h"
#include "compile.h"
#include "convert_archive.h"
#include "ir/builder.h"
#include "ir/from_array.h"
#include "keras_litert/model.h"
#include "layers/model.h"

namespace keras_litert {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// What to do about a problem of the model that has no better advice: what is left are configs that
// Keras would not have written.
constexpr char kUsualHint[] =
    "Keras refuses such a model, too. If it loads this one, please report this error.";

// The "name" in the model's config; empty where it has none.
std::string ModelName(const json& config) {
  const json::json_pointer name("/config/name");
  return config.contains(name) && config[name].is_string() ? config[name].get<std::string>() : "";
}

// The library throws nothing: what is thrown in it, for lack of memory or by a defect, becomes an
// error.
template <typename F>
Result<ConvertReport> WithoutExceptions(F&& convert) {
  try {
    return convert();
  } catch (const std::bad_alloc&) {
    return Fail("", "memory-1", "the conversion needs more memory than there is",
                "Close other programs, or convert on a larger machine.");
  } catch (const std::exception& exception) {
    return Fail("", "internal-exception", exception.what());
  }
}

Result<ConvertReport> Timed(const archive::Archive& archive, const std::string& name,
                            const std::filesystem::path& output, const ConvertOptions& options,
                            Clock::time_point start) {
  KL_ASSIGN_OR_RETURN(ConvertReport report, WithoutExceptions([&] {
                        return ConvertArchive(archive, name, output, options);
                      }));
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

}  // namespace

Result<ConvertReport> Convert(const std::filesystem::path& model,
                              const std::filesystem::path& output, const ConvertOptions& options) {
  const auto start = Clock::now();
  // archive: the config and views of the weights.
  KL_ASSIGN_OR_RETURN(const std::shared_ptr<const archive::Archive> archive, archive::Open(model));
  return Timed(*archive, model.string(), output, options, start);
}

Result<ConvertReport> Convert(const MemoryModel& model, const std::filesystem::path& output,
                              const ConvertOptions& options) {
  const auto start = Clock::now();
  archive::MemoryContent content{model.config, model.keras_version, {}, model.assets};
  for (const auto& [path, array] : model.weights) {
    KL_ASSIGN_OR_RETURN(content.weights[path], ir::FromArray(array, path));
  }
  const std::shared_ptr<const archive::Archive> archive = archive::OpenMemory(std::move(content));
  return Timed(*archive, "the model", output, options, start);
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
  CheckShapeOptions(b, options, inputs);
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

  // passes → litert: the graph as LiteRT runs it best, and the file.
  return Compile(module, output, options, ModelName(config), std::move(context.notes));
}

}  // namespace keras_litert
