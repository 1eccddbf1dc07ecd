#include "ir/type.h"

#include <array>

namespace keras_litert::ir {
namespace {

struct DTypeInfo {
  std::string_view name;
  size_t size;
};

constexpr std::array<DTypeInfo, 17> kDTypes = {{{"bool", 1},
                                                {"int8", 1},
                                                {"uint8", 1},
                                                {"int16", 2},
                                                {"uint16", 2},
                                                {"int32", 4},
                                                {"uint32", 4},
                                                {"int64", 8},
                                                {"uint64", 8},
                                                {"float16", 2},
                                                {"bfloat16", 2},
                                                {"float32", 4},
                                                {"float64", 8},
                                                {"complex64", 8},
                                                {"string", 0},
                                                {"resource", 0},
                                                {"int4", 1}}};

}  // namespace

size_t SizeOf(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)].size;
}

std::string_view Name(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)].name;
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (size_t i = 0; i < kDTypes.size(); ++i) {
    // Models have no int4 tensors.
    const auto dtype = static_cast<DType>(i);
    if (kDTypes[i].name == name && dtype != DType::kInt4) return dtype;
  }
  return std::nullopt;
}

bool IsFloat(DType dtype) {
  return dtype >= DType::kFloat16 && dtype <= DType::kFloat64;
}
bool IsInteger(DType dtype) {
  return dtype >= DType::kInt8 && dtype <= DType::kUInt64;
}
bool IsUnsigned(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kUInt16 || dtype == DType::kUInt32 ||
         dtype == DType::kUInt64;
}

Shape Shape::Of(const std::vector<int64_t>& sizes) {
  return Shape(std::vector<Dim>(sizes.begin(), sizes.end()));
}

bool Shape::is_static() const {
  return NumDynamic() == 0;
}

int Shape::NumDynamic() const {
  int dynamic = 0;
  for (Dim dim : dims_) dynamic += !dim.is_static();
  return dynamic;
}

int64_t Shape::NumElements() const {
  int64_t elements = 1;
  for (Dim dim : dims_) elements *= dim.value();
  return elements;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (size_t i = 0; i < dims_.size(); ++i) {
    if (i > 0) text += ", ";
    Dim dim = dims_[i];
    if (dim.is_static()) {
      text += std::to_string(dim.value());
    } else {
      if (dim.coefficient() != 1) text += std::to_string(dim.coefficient()) + "*";
      text += "s" + std::to_string(dim.symbol());
    }
  }
  return text + "]";
}

std::string TensorType::ToString() const {
  return std::string(Name(dtype)) + shape.ToString();
}

Dim SymbolTable::NewInput(std::string name) {
  definitions_.push_back({Kind::kInput, 0, 0, std::move(name)});
  return Dim::Symbolic(static_cast<SymbolId>(definitions_.size()));
}

Dim SymbolTable::NewOpaque() {
  std::string name = "u" + std::to_string(definitions_.size() + 1);
  definitions_.push_back({Kind::kOpaque, 0, 0, std::move(name)});
  return Dim::Symbolic(static_cast<SymbolId>(definitions_.size()));
}

Dim SymbolTable::Intern(Kind kind, Dim a, Dim b, const std::string& name) {
  auto [entry, added] = interned_.try_emplace(name, static_cast<SymbolId>(definitions_.size() + 1));
  if (added) definitions_.push_back({kind, a, b, name});
  return Dim::Symbolic(entry->second);
}

void SymbolTable::AddTerms(Dim dim, int64_t factor, std::map<SymbolId, int64_t>& terms,
                           int64_t& constant) const {
  if (dim.is_static()) {
    constant += dim.value() * factor;
    return;
  }
  const Definition& sum = definition(dim.symbol());
  factor *= dim.coefficient();
  if (sum.kind != Kind::kSum) {
    terms[dim.symbol()] += factor;
    return;
  }
  AddTerms(sum.a, factor, terms, constant);
  AddTerms(sum.b, factor, terms, constant);
}

Dim SymbolTable::Sum(Dim a, Dim b) {
  if (a.is_static() && b.is_static()) return a.value() + b.value();
  if (a == Dim(0)) return b;
  if (b == Dim(0)) return a;
  if (a.symbol() == b.symbol()) {
    const int64_t coefficient = a.coefficient() + b.coefficient();
    return coefficient == 0 ? Dim(0) : Dim::Symbolic(a.symbol(), coefficient);
  }
  // Terms that both have meet: (n + 16) + -1*n is 16.
  std::map<SymbolId, int64_t> terms;
  std::map<SymbolId, int64_t> others;
  int64_t constant = 0;
  AddTerms(a, 1, terms, constant);
  AddTerms(b, 1, others, constant);
  bool meet = false;
  for (const auto& [symbol, coefficient] : others) {
    const auto [entry, added] = terms.try_emplace(symbol, 0);
    meet |= !added;
    entry->second += coefficient;
  }
  if (meet) {
    Dim sum = 0;
    for (const auto& [symbol, coefficient] : terms) {
      if (coefficient != 0) sum = Sum(sum, Dim::Symbolic(symbol, coefficient));
    }
    return Sum(sum, constant);
  }
  if (a.is_static()) std::swap(a, b);
  if (b.is_static() && a.coefficient() == 1) {
    // (x + m) + n is x + (m + n): sizes that differ by a constant meet again, as in a padded
    // convolution.
    const Definition inner = definition(a.symbol());
    if (inner.kind == Kind::kSum && inner.b.is_static()) {
      return Sum(inner.a, inner.b.value() + b.value());
    }
  }
  if (!b.is_static() && b.symbol() < a.symbol()) std::swap(a, b);
  return Intern(Kind::kSum, a, b, "(" + Print(a) + " + " + Print(b) + ")");
}

Dim SymbolTable::Product(Dim a, Dim b) {
  if (a.is_static()) return b * a.value();
  if (b.is_static()) return a * b.value();
  if (b.symbol() < a.symbol()) std::swap(a, b);
  int64_t coefficient = a.coefficient() * b.coefficient();
  Dim x = Dim::Symbolic(a.symbol());
  Dim y = Dim::Symbolic(b.symbol());
  return Intern(Kind::kProduct, x, y, "(" + Print(x) + " * " + Print(y) + ")") * coefficient;
}

Dim SymbolTable::FloorDiv(Dim a, int64_t b) {
  if (b == 1) return a;
  if (a.is_static()) {
    int64_t quotient = a.value() / b;
    return quotient - (a.value() % b < 0 ? 1 : 0);
  }
  if (a.coefficient() % b == 0) return Dim::Symbolic(a.symbol(), a.coefficient() / b);
  return Intern(Kind::kFloorDiv, a, b, "(" + Print(a) + " // " + std::to_string(b) + ")");
}

std::string SymbolTable::Print(Dim dim) const {
  if (dim.is_static()) return std::to_string(dim.value());
  std::string text = definition(dim.symbol()).name;
  // Inputs may share a name ("None"); the number keeps interned expressions apart.
  if (definition(dim.symbol()).kind == Kind::kInput) text += "#" + std::to_string(dim.symbol());
  return dim.coefficient() == 1 ? text : std::to_string(dim.coefficient()) + "*" + text;
}

}  // namespace keras_litert::ir
