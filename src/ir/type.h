// Element types, symbolic dimensions and tensor types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace keras_litert::ir {

// Element types, by their NumPy/Keras meaning. Before the `legalize_types` pass a graph speaks
// Keras's dtypes (a mixed_float16 model has float16 tensors); after it only what LiteRT's kernels
// compute.
enum class DType : uint8_t {
  kBool,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kComplex64,
  kString,
  kResource,  // a handle of a resource variable; has no bytes
  kInt4,      // only of stored weights: a byte each here, two in one byte in the file
};

// Bytes of one element; 0 for kString and kResource.
size_t SizeOf(DType dtype);
// Keras's spelling: "float32", "bool", …
std::string_view Name(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);
bool IsFloat(DType dtype);
bool IsInteger(DType dtype);  // signed or unsigned, not bool
bool IsUnsigned(DType dtype);

// A dimension: a number, or `coefficient × symbol` where the symbol is known only when the file
// runs.
using SymbolId = uint32_t;  // 0 is "no symbol"

class Dim {
 public:
  Dim(int64_t size)
      : coefficient_(size) {}  // NOLINT(google-explicit-constructor): sizes are dimensions
  static Dim Symbolic(SymbolId symbol, int64_t coefficient = 1) {
    Dim dim(coefficient);
    dim.symbol_ = coefficient == 0 ? 0 : symbol;
    return dim;
  }

  bool is_static() const { return symbol_ == 0; }
  // REQUIRES: is_static().
  int64_t value() const { return coefficient_; }
  int64_t coefficient() const { return coefficient_; }
  SymbolId symbol() const { return symbol_; }
  // The size, or -1 where it is dynamic: the spelling of `shape_signature`.
  int64_t value_or_minus_one() const { return is_static() ? coefficient_ : -1; }

  bool operator==(const Dim&) const = default;
  friend Dim operator*(Dim dim, int64_t factor) {
    return dim.is_static() ? Dim(dim.coefficient_ * factor)
                           : Symbolic(dim.symbol_, dim.coefficient_ * factor);
  }

 private:
  int64_t coefficient_;
  SymbolId symbol_ = 0;
};

// A shape of known rank. Axes may be negative where a function says so.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  static Shape Of(const std::vector<int64_t>& sizes);

  int rank() const { return static_cast<int>(dims_.size()); }
  // The dimension at `axis`, counted from the end where negative. Outside the rank it is 1, so that
  // code that looks at a failed value's shape stays harmless (see Builder::Fail).
  Dim dim(int axis) const {
    if (axis < 0) axis += rank();
    return axis < 0 || axis >= rank() ? Dim(1) : dims_[axis];
  }
  Dim operator[](int axis) const { return dim(axis); }
  // Replaces one dimension. REQUIRES: -rank() <= axis < rank().
  void Set(int axis, Dim dim) { dims_.at(axis < 0 ? axis + rank() : axis) = dim; }
  void Append(Dim dim) { dims_.push_back(dim); }
  void Insert(int axis, Dim dim) { dims_.insert(dims_.begin() + axis, dim); }
  void Erase(int axis) { dims_.erase(dims_.begin() + axis); }

  bool is_static() const;
  int NumDynamic() const;  // dimensions that are not static
  // Elements; REQUIRES is_static().
  int64_t NumElements() const;
  const std::vector<Dim>& dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  // "[s1, 3, 2*s2]"; dynamic sizes by symbol.
  std::string ToString() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<Dim> dims_;
};

struct TensorType {
  DType dtype = DType::kFloat32;
  Shape shape;

  std::string ToString() const;  // "float32[s1, 3]"
  bool operator==(const TensorType&) const = default;
};

// The dynamic sizes of one module. Expressions are interned: two branches that both compute
// floor((H-3)/2) get the same symbol, so their dimensions compare equal.
class SymbolTable {
 public:
  enum class Kind { kInput, kSum, kFloorDiv, kProduct, kOpaque };
  struct Definition {
    Kind kind;
    Dim a = 0;
    Dim b = 0;
    std::string name;  // "batch", or a printed expression
  };

  // A size that the model's caller chooses.
  Dim NewInput(std::string name);
  // A size that only an operator's execution tells (the number of matches of WHERE, …).
  Dim NewOpaque();
  Dim Sum(Dim a, Dim b);
  Dim Product(Dim a, Dim b);
  // floor(a / b). REQUIRES: b > 0.
  Dim FloorDiv(Dim a, int64_t b);
  Dim CeilDiv(Dim a, int64_t b) { return FloorDiv(Sum(a, b - 1), b); }

  const Definition& definition(SymbolId symbol) const { return definitions_.at(symbol - 1); }
  std::string Print(Dim dim) const;

 private:
  // Adds factor × dim, a sum of products with symbols that are no sums, and of a constant.
  void AddTerms(Dim dim, int64_t factor, std::map<SymbolId, int64_t>& terms,
                int64_t& constant) const;
  Dim Intern(Kind kind, Dim a, Dim b, const std::string& name);

  std::vector<Definition> definitions_;
  std::unordered_map<std::string, SymbolId> interned_;
};

}  // namespace keras_litert::ir
