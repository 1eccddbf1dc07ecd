#include "json_report.h"

#include <cmath>

#include "terminal.h"

namespace keras_litert::cli {
namespace {

Json ToJson(const std::vector<TensorReport>& tensors) {
  Json list = Json::array();
  for (const TensorReport& tensor : tensors) {
    const bool known = !tensor.dtype.empty();
    list.push_back({{"name", tensor.name},
                    {"dtype", known ? Json(tensor.dtype) : Json()},
                    {"shape", known ? Json(tensor.shape) : Json()}});
  }
  return list;
}

// {"CONV_2D": 35, "ADD": 10}
Json ToJson(const std::vector<OperatorCount>& counts) {
  Json object = Json::object();
  for (const OperatorCount& entry : counts) object[entry.name] = entry.count;
  return object;
}

Json ToJson(const std::vector<QuantizedOperator>& operators) {
  Json list = Json::array();
  for (const QuantizedOperator& op : operators) {
    // JSON has no infinity: weights that are exact have no noise.
    const bool noisy = op.recipe != "float32" && std::isfinite(op.weights_sqnr);
    list.push_back(
        {{"layer", op.layer},
         {"op", op.op},
         {"recipe", op.recipe},
         {"reason", op.reason.empty() ? Json() : Json(op.reason)},
         {"bytes_before", op.bytes_before},
         {"bytes_after", op.bytes_after},
         {"weights_sqnr_db", noisy ? Json(op.weights_sqnr) : Json()},
         {"output_sqnr_db", std::isfinite(op.output_sqnr) ? Json(op.output_sqnr) : Json()}});
  }
  return list;
}

Json ToJson(const std::vector<OutputError>& errors) {
  Json list = Json::array();
  for (const OutputError& error : errors) {
    list.push_back({{"name", error.name},
                    {"sqnr_db", std::isfinite(error.sqnr) ? Json(error.sqnr) : Json()},
                    {"max_absolute", error.max_absolute},
                    {"max_relative", error.max_relative}});
  }
  return list;
}

Json Number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json ToJson(const std::vector<QuantizeRule>& rules) {
  Json list = Json::array();
  for (const QuantizeRule& rule : rules) {
    list.push_back({{"layer", rule.layer}, {"op", rule.op}, {"recipe", rule.recipe}});
  }
  return list;
}

Json ToJson(const std::vector<Trial>& trials) {
  Json list = Json::array();
  for (const Trial& trial : trials) {
    const bool failed = !trial.failure.empty();
    list.push_back({{"name", trial.name},
                    {"recipe", trial.recipe},
                    {"rules", ToJson(trial.rules)},
                    {"failure", failed ? Json(trial.failure) : Json()},
                    {"file_bytes", failed ? Json() : Json(trial.file_bytes)},
                    {"sqnr_db", failed ? Json() : Number(trial.sqnr)},
                    {"max_relative", failed ? Json() : Json(trial.max_relative)},
                    {"fits", trial.fits}});
  }
  return list;
}

Json ToJson(const std::vector<Advice>& advice) {
  Json list = Json::array();
  for (const Advice& one : advice) {
    list.push_back({{"layer", one.layer},
                    {"op", one.op},
                    {"from", one.from},
                    {"recipe", one.recipe},
                    {"gain_db", Number(one.gain)},
                    {"sqnr_db", Number(one.sqnr)},
                    {"bytes", one.bytes}});
  }
  return list;
}

int64_t Total(const std::vector<OperatorCount>& counts) {
  int64_t total = 0;
  for (const OperatorCount& entry : counts) total += entry.count;
  return total;
}

}  // namespace

Json ToJson(const ConvertReport& report) {
  return {{"model_name", report.model_name},
          {"inputs", ToJson(report.inputs)},
          {"outputs", ToJson(report.outputs)},
          {"operator_count", Total(report.operators)},
          {"operators", ToJson(report.operators)},
          {"recipe", report.recipe},
          {"rules", ToJson(report.rules)},
          {"trials", ToJson(report.trials)},
          {"quantized", ToJson(report.quantized)},
          {"output_errors", ToJson(report.output_errors)},
          {"advice", ToJson(report.advice)},
          {"file_bytes", report.file_bytes},
          {"seconds", report.seconds},
          {"peak_memory_bytes", report.peak_memory_bytes},
          {"notes", report.notes}};
}

Json ToJson(const InspectReport& report) {
  Json json = {{"format", Name(report.format)},
               {"file_bytes", report.file_bytes},
               {"model_name", report.model_name}};
  Json signatures = Json::array();
  for (const SignatureReport& signature : report.signatures) {
    signatures.push_back({{"key", signature.key},
                          {"inputs", ToJson(signature.inputs)},
                          {"outputs", ToJson(signature.outputs)}});
  }
  json["signatures"] = std::move(signatures);
  if (report.format == FileFormat::kTflite) {
    json["subgraphs"] = report.subgraphs;
    json["min_runtime_version"] = report.min_runtime_version;
    json["operator_count"] = Total(report.operators);
    json["operators"] = ToJson(report.operators);
  } else {
    json["model_class"] = report.model_class;
    json["keras_version"] = report.keras_version;
    json["layer_counts"] = ToJson(report.layer_counts);
    Json layers = Json::array();
    for (const LayerReport& layer : report.layers) {
      layers.push_back({{"path", layer.path}, {"class_name", layer.class_name}});
    }
    json["layers"] = std::move(layers);
  }
  json["weight_bytes"] = report.weight_bytes;
  json["weight_elements"] = report.weight_elements;
  Json weights = Json::array();
  for (const WeightReport& weight : report.weights) {
    weights.push_back({{"name", weight.name},
                       {"dtype", weight.dtype},
                       {"shape", weight.shape},
                       {"bytes", weight.bytes}});
  }
  json["weights"] = std::move(weights);
  return json;
}

Json ToJson(const VerifyReport& report) {
  Json outputs = Json::array();
  for (const OutputComparison& output : report.outputs) {
    outputs.push_back({{"name", output.name},
                       {"dtype", output.dtype},
                       {"shape", output.shape},
                       {"max_absolute_error", output.max_absolute_error},
                       {"max_relative_error", output.max_relative_error},
                       {"mismatches", output.mismatches},
                       {"passed", output.passed},
                       {"reason", output.reason}});
  }
  return {{"passed", report.passed},
          {"tolerance", report.tolerance},
          {"outputs", std::move(outputs)},
          {"runtime", report.runtime},
          {"seconds", report.seconds}};
}

Json ToJson(const Error& error, ExitCode exit_code) {
  Json list = Json::array();
  for (const Diagnostic& diagnostic : error.diagnostics()) {
    Json paths = Json::array({diagnostic.path});
    for (const std::string& path : diagnostic.more_paths) paths.push_back(path);
    list.push_back({{"path", diagnostic.path},
                    {"paths", std::move(paths)},
                    {"code", diagnostic.code},
                    {"message", diagnostic.message},
                    {"hint", diagnostic.hint}});
  }
  return {{"errors", std::move(list)}, {"exit_code", static_cast<int>(exit_code)}};
}

void PrintJson(const Json& json) {
  PrintOut(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

const char* Name(FileFormat format) {
  switch (format) {
    case FileFormat::kTflite:
      return "tflite";
    case FileFormat::kKeras:
      return "keras";
    case FileFormat::kHdf5:
      return "hdf5";
  }
  return "";
}

}  // namespace keras_litert::cli
