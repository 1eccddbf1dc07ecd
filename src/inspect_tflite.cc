#include "inspect_tflite.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <string>

#include "ir/generated_schema.h"
#include "util/platform.h"

namespace keras_litert {
namespace {

// FlatBuffers end below 2 GB; weights of larger files lie behind it (Buffer.offset).
constexpr size_t kLargestFlatBuffer = (size_t{1} << 31) - 2;
// For verification: a table an operator and one a tensor, and some.
constexpr flatbuffers::uoffset_t kMaxTables = 50'000'000;
constexpr flatbuffers::uoffset_t kMaxDepth = 64;

std::string String(const flatbuffers::String* text) {
  return text != nullptr ? text->str() : "";
}

template <typename T>
size_t Size(const flatbuffers::Vector<T>* vector) {
  return vector != nullptr ? vector->size() : 0;
}

// "FLOAT32" ⇒ "float32"
std::string DTypeName(tflite::TensorType type) {
  std::string name = tflite::EnumNameTensorType(type);
  if (name.empty()) return "type " + std::to_string(static_cast<int>(type));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name;
}

std::string OperatorName(const tflite::OperatorCode& code) {
  // Codes from 127 on are in the second field only; old files have the first only.
  const auto number = std::max(static_cast<int>(code.deprecated_builtin_code()),
                               static_cast<int>(code.builtin_code()));
  const auto builtin = static_cast<tflite::BuiltinOperator>(number);
  if (builtin == tflite::BuiltinOperator::CUSTOM) return "CUSTOM " + String(code.custom_code());
  const std::string name = tflite::EnumNameBuiltinOperator(builtin);
  return name.empty() ? "operator " + std::to_string(number) : name;
}

class Reader {
 public:
  Reader(std::span<const std::byte> file, const tflite::Model& model)
      : file_(file), model_(model) {}

  // False where an index or an offset leads out of the file.
  bool Read(InspectReport& report) const {
    report.format = FileFormat::kTflite;
    report.file_bytes = static_cast<int64_t>(file_.size());
    report.model_name = String(model_.description());
    report.subgraphs = static_cast<int64_t>(Size(model_.subgraphs()));
    return ReadOperators(report) && ReadSignatures(report) && ReadWeights(report) &&
           ReadMetadata(report);
  }

 private:
  using Indices = flatbuffers::Vector<int32_t>;

  bool ReadOperators(InspectReport& report) const {
    std::map<std::string, int64_t> counts;
    for (size_t g = 0; g < Size(model_.subgraphs()); ++g) {
      const auto* operators = model_.subgraphs()->Get(g)->operators();
      for (size_t i = 0; i < Size(operators); ++i) {
        const uint32_t index = operators->Get(i)->opcode_index();
        if (index >= Size(model_.operator_codes())) return false;
        ++counts[OperatorName(*model_.operator_codes()->Get(index))];
      }
    }
    for (const auto& [name, count] : counts) report.operators.push_back({name, count});
    std::stable_sort(report.operators.begin(), report.operators.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
    return true;
  }

  // The tensor, or null where there is none.
  const tflite::Tensor* TensorAt(size_t subgraph, size_t index) const {
    if (subgraph >= Size(model_.subgraphs())) return nullptr;
    const auto* tensors = model_.subgraphs()->Get(subgraph)->tensors();
    return index < Size(tensors) ? tensors->Get(index) : nullptr;
  }

  static std::vector<int64_t> ShapeOf(const tflite::Tensor& tensor) {
    const auto* shape =
        Size(tensor.shape_signature()) > 0 ? tensor.shape_signature() : tensor.shape();
    return shape != nullptr ? std::vector<int64_t>(shape->begin(), shape->end())
                            : std::vector<int64_t>();
  }

  static TensorReport Describe(std::string name, const tflite::Tensor& tensor) {
    return {std::move(name), DTypeName(tensor.type()), ShapeOf(tensor)};
  }

  bool Append(const flatbuffers::Vector<flatbuffers::Offset<tflite::TensorMap>>* maps,
              size_t subgraph, std::vector<TensorReport>& reports) const {
    for (size_t i = 0; i < Size(maps); ++i) {
      const tflite::TensorMap& map = *maps->Get(i);
      const tflite::Tensor* tensor = TensorAt(subgraph, map.tensor_index());
      if (tensor == nullptr) return false;
      reports.push_back(Describe(String(map.name()), *tensor));
    }
    return true;
  }

  bool Append(const Indices* indices, std::vector<TensorReport>& reports) const {
    for (size_t i = 0; i < Size(indices); ++i) {
      const tflite::Tensor* tensor = TensorAt(0, static_cast<size_t>(indices->Get(i)));
      if (tensor == nullptr) return false;
      reports.push_back(Describe(String(tensor->name()), *tensor));
    }
    return true;
  }

  bool ReadSignatures(InspectReport& report) const {
    for (size_t i = 0; i < Size(model_.signature_defs()); ++i) {
      const tflite::SignatureDef& definition = *model_.signature_defs()->Get(i);
      SignatureReport signature{String(definition.signature_key()), {}, {}};
      const size_t subgraph = definition.subgraph_index();
      if (!Append(definition.inputs(), subgraph, signature.inputs) ||
          !Append(definition.outputs(), subgraph, signature.outputs)) {
        return false;
      }
      report.signatures.push_back(std::move(signature));
    }
    if (report.signatures.empty() && Size(model_.subgraphs()) > 0) {
      const tflite::SubGraph& graph = *model_.subgraphs()->Get(0);
      SignatureReport signature;
      if (!Append(graph.inputs(), signature.inputs) ||
          !Append(graph.outputs(), signature.outputs)) {
        return false;
      }
      report.signatures.push_back(std::move(signature));
    }
    return true;
  }

  // The bytes of a buffer; -1 where they do not lie in the file.
  int64_t BufferBytes(const tflite::Buffer& buffer) const {
    if (buffer.offset() <= 1) return static_cast<int64_t>(Size(buffer.data()));  // 0 and 1: unused
    if (buffer.offset() > file_.size() || buffer.size() > file_.size() - buffer.offset()) return -1;
    return static_cast<int64_t>(buffer.size());
  }

  bool ReadWeights(InspectReport& report) const {
    std::set<uint32_t> seen;
    for (size_t g = 0; g < Size(model_.subgraphs()); ++g) {
      const auto* tensors = model_.subgraphs()->Get(g)->tensors();
      for (size_t i = 0; i < Size(tensors); ++i) {
        const tflite::Tensor& tensor = *tensors->Get(i);
        if (tensor.buffer() >= Size(model_.buffers())) return false;
        const int64_t bytes = BufferBytes(*model_.buffers()->Get(tensor.buffer()));
        if (bytes < 0) return false;
        if (bytes == 0 || !seen.insert(tensor.buffer()).second) continue;
        report.weights.push_back(
            {String(tensor.name()), DTypeName(tensor.type()), ShapeOf(tensor), bytes});
      }
    }
    return true;
  }

  bool ReadMetadata(InspectReport& report) const {
    for (size_t i = 0; i < Size(model_.metadata()); ++i) {
      const tflite::Metadata& entry = *model_.metadata()->Get(i);
      if (entry.buffer() >= Size(model_.buffers())) return false;
      const auto* data = model_.buffers()->Get(entry.buffer())->data();
      if (String(entry.name()) != "min_runtime_version" || Size(data) == 0) continue;
      // A C string in a field of fixed size.
      report.min_runtime_version.assign(reinterpret_cast<const char*>(data->data()), data->size());
      report.min_runtime_version.resize(std::strlen(report.min_runtime_version.c_str()));
    }
    return true;
  }

  std::span<const std::byte> file_;
  const tflite::Model& model_;
};

}  // namespace

Result<InspectReport> InspectTflite(const std::filesystem::path& file) {
  KL_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> mapped, MappedFile::Open(file));
  const std::span<const std::byte> bytes = mapped->bytes();
  const auto* start = reinterpret_cast<const uint8_t*>(bytes.data());
  // Smaller than a FlatBuffer with an identifier can be.
  bool sound = bytes.size() >= 16;
  InspectReport report;
  if (sound) {
    flatbuffers::Verifier verifier(start, std::min(bytes.size(), kLargestFlatBuffer), kMaxDepth,
                                   kMaxTables);
    sound =
        tflite::VerifyModelBuffer(verifier) && Reader(bytes, *tflite::GetModel(start)).Read(report);
  }
  if (!sound) {
    return Fail(file.string(), "tflite-1", "is no LiteRT file, or a damaged or truncated one",
                "Convert the model again, or copy the file again.");
  }
  return report;
}

}  // namespace keras_litert
