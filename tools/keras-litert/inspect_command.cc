#include <fmt/format.h>

#include <algorithm>

#include "commands.h"
#include "json_report.h"
#include "keras_litert/inspect.h"
#include "terminal.h"

namespace keras_litert::cli {
namespace {

std::string Heading(const std::string& name) {
  return "  " + StyledOut(Style::kBold, name);
}

std::string Signatures(const std::vector<SignatureReport>& signatures) {
  std::string text;
  for (const SignatureReport& signature : signatures) {
    std::string indent = "    ";
    if (!signature.key.empty()) {
      text += Heading("signature") + " " + Printable(signature.key) + "\n";
    } else {
      text += Heading("inputs and outputs") + "\n";
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& [kind, tensors] :
         {std::pair("input", &signature.inputs), std::pair("output", &signature.outputs)}) {
      for (const TensorReport& tensor : *tensors) {
        rows.push_back({kind, Printable(tensor.name),
                        tensor.dtype.empty() ? "" : FormatType(tensor.dtype, tensor.shape)});
      }
    }
    text += Table(rows, indent);
  }
  return text;
}

std::string Counts(const char* name, const std::vector<OperatorCount>& counts) {
  int64_t total = 0;
  std::vector<std::vector<std::string>> rows;
  for (const OperatorCount& entry : counts) {
    total += entry.count;
    rows.push_back({FormatCount(entry.count), Printable(entry.name)});
  }
  if (rows.empty()) return "";
  return Heading(name) + "  " + FormatCount(total) + "\n" + Table(rows, "    ", {0});
}

std::string Weights(const InspectReport& report, int64_t top) {
  std::string text =
      fmt::format("{}  {} of {}, {}\n", Heading("weights"), FormatBytes(report.weight_bytes),
                  Plural(report.weight_elements, "number"),
                  Plural(static_cast<int64_t>(report.weights.size()), "tensor"));
  const auto shown = std::min<size_t>(report.weights.size(), static_cast<size_t>(top));
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < shown; ++i) {
    const WeightReport& weight = report.weights[i];
    rows.push_back({FormatBytes(weight.bytes), FormatType(weight.dtype, weight.shape),
                    Printable(weight.name)});
  }
  text += Table(rows, "    ", {0});
  if (shown > 0 && shown < report.weights.size()) {
    text += fmt::format("    … and {} more (--top {})\n", report.weights.size() - shown,
                        report.weights.size());
  }
  return text;
}

std::string Title(const std::string& file, const InspectReport& report) {
  std::string text = StyledOut(Style::kBold, Printable(file)) + "  ";
  switch (report.format) {
    case FileFormat::kTflite:
      text += "LiteRT file";
      break;
    case FileFormat::kKeras:
      text += "Keras archive";
      break;
    case FileFormat::kHdf5:
      text += "Keras HDF5 file";
      break;
  }
  text += ", " + FormatBytes(report.file_bytes);
  if (!report.model_class.empty()) text += ", " + Printable(report.model_class);
  if (!report.model_name.empty()) text += " `" + Printable(report.model_name) + "`";
  if (!report.keras_version.empty()) text += ", Keras " + Printable(report.keras_version);
  if (report.subgraphs > 1) text += ", " + Plural(report.subgraphs, "subgraph");
  if (!report.min_runtime_version.empty()) {
    text += ", runtime " + Printable(report.min_runtime_version) + " or newer";
  }
  return text + "\n";
}

}  // namespace

Result<ExitCode> RunInspect(const InspectArguments& arguments, bool json) {
  KL_ASSIGN_OR_RETURN(const InspectReport report, Inspect(arguments.file));
  if (json) {
    Json object = {{"file", arguments.file}};
    object.update(ToJson(report));
    PrintJson(object);
    return ExitCode::kOk;
  }
  PrintOut(Title(arguments.file, report) + Signatures(report.signatures) +
           Counts("operators", report.operators) + Counts("layers", report.layer_counts) +
           Weights(report, arguments.top));
  return ExitCode::kOk;
}

}  // namespace keras_litert::cli
