// What is in a file, without evaluating anything: the tables of a LiteRT file, or the config and
// the weights' headers of a saved Keras model.

#include "keras_litert/inspect.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "archive/archive.h"
#include "inspect_tflite.h"
#include "ir/constant.h"
#include "ir/type.h"

namespace keras_litert {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

// Models in models; configs are untrusted.
constexpr int kMaxDepth = 64;

// The string at `key`, or "" where there is none.
std::string Text(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json& Member(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found != object.end() ? *found : nothing;
}

std::vector<OperatorCount> MostFrequentFirst(const std::map<std::string, int64_t>& counts) {
  std::vector<OperatorCount> sorted;
  for (const auto& [name, count] : counts) sorted.push_back({name, count});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  return sorted;
}

// The product of a shape; 0 where it cannot be, as no element takes less than two bits.
int64_t NumElements(const WeightReport& weight) {
  int64_t elements = 1;
  for (const int64_t size : weight.shape) {
    if (size <= 0 || elements > weight.bytes * 4 / size) return 0;
    elements *= size;
  }
  return elements;
}

void SortWeights(InspectReport& report) {
  std::stable_sort(report.weights.begin(), report.weights.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  for (const WeightReport& weight : report.weights) {
    report.weight_bytes += weight.bytes;
    report.weight_elements += NumElements(weight);
  }
}

std::vector<int64_t> Sizes(const ir::Shape& shape) {
  std::vector<int64_t> sizes;
  for (const ir::Dim dim : shape) sizes.push_back(dim.value_or_minus_one());
  return sizes;
}

// --- Keras models
// ----------------------------------------------------------------------------------------------

// The layers of a model's config: {"layers": […]}, or the bare list that Keras before 2.2.3 wrote
// for Sequential.
const Json& LayersOf(const Json& config) {
  return config.is_array() ? config : Member(config, "layers");
}

// "float32" from "float32" or {"class_name": "DTypePolicy", "config": {"name": "float32"}}.
std::string DTypeOf(const Json& config) {
  const Json& dtype = Member(config, "dtype");
  if (dtype.is_string()) return dtype.get<std::string>();
  if (dtype.is_object()) return Text(Member(dtype, "config"), "name");
  return "float32";
}

// The shape at the first of the keys that old and new configs use.
std::optional<std::vector<int64_t>> ShapeOf(const Json& config) {
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    const Json& shape = Member(config, key);
    if (!shape.is_array()) continue;
    std::vector<int64_t> sizes;
    for (const Json& size : shape) {
      sizes.push_back(size.is_number_integer() ? size.get<int64_t>() : -1);
    }
    return sizes;
  }
  return std::nullopt;
}

std::string NameOf(const Json& layer) {
  const std::string name = Text(Member(layer, "config"), "name");
  return name.empty() ? Text(layer, "name") : name;
}

void CollectLayers(const Json& config, const std::string& prefix, int depth,
                   InspectReport& report) {
  if (depth > kMaxDepth) return;
  for (const Json& layer : LayersOf(config)) {
    if (!layer.is_object()) continue;
    const std::string path = prefix + NameOf(layer);
    const std::string registered = Text(layer, "registered_name");
    report.layers.push_back(
        {path, registered.find('>') == std::string::npos ? Text(layer, "class_name") : registered});
    if (LayersOf(Member(layer, "config")).is_array()) {
      CollectLayers(Member(layer, "config"), path + "/", depth + 1, report);
    }
  }
}

// The layers' names in "input_layers" or "output_layers", in order: ["a", 0, 0], lists and dicts of
// those.
void CollectNames(const Json& node, int depth, std::vector<std::string>& names) {
  if (depth > kMaxDepth) return;
  if (node.is_array() && node.size() == 3 && node[0].is_string() && node[1].is_number()) {
    names.push_back(node[0].get<std::string>());
  } else if (node.is_structured()) {
    for (const Json& child : node) CollectNames(child, depth + 1, names);
  }
}

SignatureReport KerasSignature(const Json& config) {
  SignatureReport signature;
  std::map<std::string, TensorReport> inputs;
  std::vector<std::string> order;
  for (const Json& layer : LayersOf(config)) {
    const Json& layer_config = Member(layer, "config");
    const auto shape = ShapeOf(layer_config);
    // A Sequential model's first layer may state the input's shape itself.
    if (!shape || (Text(layer, "class_name") != "InputLayer" && !order.empty())) continue;
    const std::string name = NameOf(layer);
    inputs[name] = {name, DTypeOf(layer_config), *shape};
    order.push_back(name);
  }
  std::vector<std::string> stated;
  CollectNames(Member(config, "input_layers"), 0, stated);
  for (const std::string& name : stated.empty() ? order : stated) {
    const auto found = inputs.find(name);
    signature.inputs.push_back(found != inputs.end() ? found->second : TensorReport{name, "", {}});
  }
  std::vector<std::string> outputs;
  CollectNames(Member(config, "output_layers"), 0, outputs);
  if (outputs.empty() && LayersOf(config).is_array() && !LayersOf(config).empty()) {
    outputs.push_back(NameOf(LayersOf(config).back()));
  }
  for (const std::string& name : outputs) signature.outputs.push_back({name, "", {}});
  return signature;
}

Result<InspectReport> InspectKeras(const fs::path& file, FileFormat format) {
  KL_ASSIGN_OR_RETURN(const auto archive, archive::Open(file));
  InspectReport report;
  report.format = format;
  report.keras_version = archive->keras_version();
  const Json model = Json::parse(archive->config(), nullptr, /*allow_exceptions=*/false);
  if (model.is_discarded() || !model.is_object()) {
    return Fail(file.string(), "archive-15", "the model's config is no JSON object",
                "Save the model again.");
  }
  const Json& config = Member(model, "config");
  report.model_class = Text(model, "class_name");
  report.model_name = NameOf(model);
  CollectLayers(config, "", 0, report);
  std::map<std::string, int64_t> counts;
  for (const LayerReport& layer : report.layers) ++counts[layer.class_name];
  report.layer_counts = MostFrequentFirst(counts);
  report.signatures.push_back(KerasSignature(config));

  for (const archive::StoredWeight& weight : archive->Weights()) {
    const ir::TensorType& type = weight.value->type();
    report.weights.push_back({weight.path, std::string(ir::Name(type.dtype)), Sizes(type.shape),
                              static_cast<int64_t>(weight.value->byte_size())});
  }
  return report;
}

}  // namespace

Result<InspectReport> Inspect(const fs::path& file) {
  std::array<char, 8> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  const std::string_view start(head.data(), head.size());

  Result<InspectReport> report = InspectReport{};
  if (start.substr(4) == "TFL3") {
    report = InspectTflite(file);
  } else {
    report =
        InspectKeras(file, start.starts_with("\x89HDF") ? FileFormat::kHdf5 : FileFormat::kKeras);
  }
  if (!report) return report;
  SortWeights(*report);
  std::error_code ignored;
  const auto size = fs::file_size(file, ignored);
  if (!ignored) report->file_bytes = static_cast<int64_t>(size);
  return report;
}

}  // namespace keras_litert
