#include "ir/print.h"

#include <flatbuffers/minireflect.h>
#include <fmt/format.h>

#include <unordered_map>

#include "ir/element.h"

namespace keras_litert::ir {
namespace {

constexpr int64_t kPrintedElements = 8;  // constants with more print their type only

std::string PrintType(const TensorType& type, const SymbolTable& symbols) {
  std::string text = std::string(Name(type.dtype)) + "[";
  for (int i = 0; i < type.shape.rank(); ++i) {
    text += (i > 0 ? ", " : "") + symbols.Print(type.shape[i]);
  }
  return text + "]";
}

std::string PrintQuantization(const Tensor& tensor) {
  const auto& q = tensor.quantization;
  if (q == nullptr || q->scale.empty()) return "";
  if (q->scale.size() > 1) {
    return fmt::format(" quantized(axis={}, {} scales)", q->quantized_dimension, q->scale.size());
  }
  return fmt::format(" quantized(scale={}, zero_point={})", q->scale[0],
                     q->zero_point.empty() ? 0 : q->zero_point[0]);
}

std::string PrintElements(const Constant& constant) {
  auto bytes = EvaluateBytes(constant);
  if (!bytes) return "<unreadable>";
  std::string text;
  DispatchElement(constant.type().dtype, [&]<typename T>(T) {
    for (size_t i = 0; i < bytes->size() / sizeof(T); ++i) {
      T value;
      std::memcpy(&value, bytes->data() + i * sizeof(T), sizeof(T));
      if (!text.empty()) text += ", ";
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        text += fmt::format("{}", static_cast<float>(value));
      } else if constexpr (sizeof(T) == 1 && std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        text += fmt::format("{}", static_cast<int>(value));
      } else {
        text += fmt::format("{}", value);
      }
    }
  });
  return constant.type().shape.rank() == 0 ? text : "{" + text + "}";
}

// Prints a table's fields as "name=value, …". A FlatBuffer does not store fields that have their
// default, so only the others are seen.
class AttributePrinter final : public flatbuffers::IterationVisitor {
 public:
  std::string Take() { return std::move(text_); }

  void Field(size_t, size_t, flatbuffers::ElementaryType, bool, const flatbuffers::TypeTable*,
             const char* name, const uint8_t* value) override {
    if (value == nullptr) return;
    Separate();
    if (name != nullptr) text_ += std::string(name) + "=";
  }
  void StartSequence() override { Open("{"); }
  void EndSequence() override { Close("}"); }
  void StartVector() override { Open("["); }
  void EndVector() override { Close("]"); }
  void Element(size_t, flatbuffers::ElementaryType, const flatbuffers::TypeTable*,
               const uint8_t*) override {
    Separate();
  }
  void Unknown(const uint8_t*) override { text_ += "?"; }
  void UType(uint8_t x, const char* name) override { Number(x, name); }
  void Bool(bool x) override { text_ += x ? "true" : "false"; }
  void Char(int8_t x, const char* name) override { Number(x, name); }
  void UChar(uint8_t x, const char* name) override { Number(x, name); }
  void Short(int16_t x, const char* name) override { Number(x, name); }
  void UShort(uint16_t x, const char* name) override { Number(x, name); }
  void Int(int32_t x, const char* name) override { Number(x, name); }
  void UInt(uint32_t x, const char* name) override { Number(x, name); }
  void Long(int64_t x) override { text_ += fmt::format("{}", x); }
  void ULong(uint64_t x) override { text_ += fmt::format("{}", x); }
  void Float(float x) override { text_ += fmt::format("{}", x); }
  void Double(double x) override { text_ += fmt::format("{}", x); }
  void String(const flatbuffers::String* x) override { text_ += fmt::format("\"{}\"", x->str()); }

 private:
  template <typename T>
  void Number(T x, const char* name) {
    text_ += name != nullptr ? std::string(name) : std::to_string(x);
  }
  void Open(const char* bracket) {
    text_ += bracket;
    first_ = true;
  }
  void Close(const char* bracket) {
    text_ += bracket;
    first_ = false;
  }
  void Separate() {
    if (!first_) text_ += ", ";
    first_ = false;
  }

  std::string text_;
  bool first_ = true;
};

// Packs the options into a buffer of their own and walks it.
template <typename Union>
std::string PrintOptions(const Union& options, const flatbuffers::TypeTable* unions) {
  if (options.value == nullptr) return "";
  flatbuffers::FlatBufferBuilder fbb;
  fbb.Finish(flatbuffers::Offset<void>(options.Pack(fbb).o));
  // The union's type table lists its members in order; `values` maps the numbers in files to places
  // in it.
  int64_t member = static_cast<int64_t>(options.type);
  if (unions->values != nullptr) {
    for (size_t i = 0; i < unions->num_elems; ++i) {
      if (unions->values[i] == static_cast<int64_t>(options.type)) {
        member = static_cast<int64_t>(i);
        break;
      }
    }
  }
  const flatbuffers::TypeTable* table =
      unions->type_refs[unions->type_codes[member].sequence_ref]();
  AttributePrinter printer;
  flatbuffers::IterateObject(flatbuffers::GetRoot<uint8_t>(fbb.GetBufferPointer()), table,
                             &printer);
  std::string text = printer.Take();
  return text == "{}" ? "" : " " + text;
}

class GraphPrinter {
 public:
  GraphPrinter(const Graph& graph, const Module& module) : graph_(graph), module_(module) {}

  std::string Run() {
    std::string text = "graph " + graph_.name() + "(";
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      const Tensor* input = graph_.inputs()[i];
      if (i > 0) text += ", ";
      text += Reference(input) + " " + input->name + " : " + Type(*input);
    }
    text += ") {\n";
    for (const Operator* op = graph_.first(); op != nullptr; op = op->next) {
      text += "  " + PrintOperator(*op) + "\n";
    }
    text += "  return ";
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      if (i > 0) text += ", ";
      text += Reference(graph_.outputs()[i]);
    }
    return text + "\n}\n";
  }

 private:
  std::string Type(const Tensor& tensor) const {
    return PrintType(tensor.type, module_.symbols) + PrintQuantization(tensor);
  }

  std::string Reference(const Tensor* tensor) {
    if (tensor == nullptr) return "%none";
    if (tensor->is_constant()) {
      std::string text = "const " + Type(*tensor);
      if (tensor->constant->num_elements() <= kPrintedElements) {
        text += " " + PrintElements(*tensor->constant);
      }
      return text;
    }
    return "%" + std::to_string(numbers_.try_emplace(tensor, numbers_.size()).first->second);
  }

  std::string PrintOperator(const Operator& op) {
    std::string inputs;
    for (const Tensor* input : op.inputs) {
      inputs += (inputs.empty() ? "" : ", ") + Reference(input);
    }
    std::string outputs;
    std::string types;
    for (const Tensor* output : op.outputs) {
      outputs += (outputs.empty() ? "" : ", ") + Reference(output);
      types += (types.empty() ? "" : ", ") + Type(*output);
    }
    return outputs + (outputs.empty() ? "" : " = ") + tflite::EnumNameBuiltinOperator(op.code) +
           "(" + inputs + ")" + PrintOptions(op.options, tflite::BuiltinOptionsTypeTable()) +
           PrintOptions(op.options2, tflite::BuiltinOptions2TypeTable()) +
           (types.empty() ? "" : " : ") + types;
  }

  const Graph& graph_;
  const Module& module_;
  std::unordered_map<const Tensor*, size_t> numbers_;
};

}  // namespace

std::string Print(const Graph& graph, const Module& module) {
  return GraphPrinter(graph, module).Run();
}

std::string Print(const Module& module) {
  std::string text;
  for (const auto& graph : module.graphs)
    text += (text.empty() ? "" : "\n") + Print(*graph, module);
  return text;
}

}  // namespace keras_litert::ir
