// Lazy constants.
//
// A constant is a tensor known at conversion time. Most are weights that stay where they are (a
// view of the mapped archive, a borrowed array) until the writer asks for them, one at a time, so
// that the peak memory of a conversion is a few tensors and not the model. Transforms (transpose,
// cast, scale …) wrap a constant and are evaluated with it.
//
// Constants are immutable and shared; they may be evaluated from several threads at once.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ir/type.h"
#include "util/result.h"

namespace keras_litert::ir {

class Constant;
using ConstantPtr = std::shared_ptr<const Constant>;

class Constant {
 public:
  virtual ~Constant() = default;

  // Static always. Elements lie row-major, little-endian, without gaps.
  const TensorType& type() const { return type_; }
  size_t byte_size() const { return byte_size_; }
  int64_t num_elements() const { return num_elements_; }

  // The bytes if they exist in memory as they are; they live as long as this constant.
  virtual std::optional<std::span<const std::byte>> bytes() const { return std::nullopt; }
  // Writes all bytes. REQUIRES: out.size() == byte_size().
  virtual Status Evaluate(std::span<std::byte> out) const = 0;
  // Writes the bytes [offset, offset + out.size()), both multiples of the element's size. The
  // default evaluates everything; constants that can do better override it. CanEvaluateRange() says
  // whether this one does.
  virtual Status EvaluateRange(size_t offset, std::span<std::byte> out) const;
  virtual bool CanEvaluateRange() const { return bytes().has_value(); }

  // The constant in tiles of about `tile_bytes`, each evaluated by itself, in any order and from
  // several threads. A tile needs a few times its size in memory. `sink` is called once with its
  // bytes, in one or more runs: a transposed matrix gives many, because it is read where its source
  // lies close together. Where CanEvaluateRange() is false there is one tile, and it needs the
  // whole constant's size: see Stage().
  struct Run {
    size_t offset;  // in the constant
    std::span<const std::byte> bytes;
  };
  using Sink = std::function<Status(std::span<const Run> runs)>;
  virtual size_t NumTiles(size_t tile_bytes) const;
  virtual Status EvaluateTile(size_t tile, size_t tile_bytes, const Sink& sink) const;
  // Where a tile lies if it is one run, and the same tile written to memory of that size.
  struct Range {
    size_t offset;
    size_t size;
  };
  virtual std::optional<Range> TileRange(size_t tile, size_t tile_bytes) const;
  // REQUIRES: out.size() == TileRange(tile, tile_bytes)->size.
  virtual Status EvaluateTileTo(size_t tile, size_t tile_bytes, std::span<std::byte> out) const;
  // This constant with what cannot be evaluated by range evaluated now; null: it needs nothing.
  virtual Result<ConstantPtr> StageInputs() const;

  // Tells a mapped source that its pages may be dropped; used by the writer behind its own
  // progress.
  virtual void Release() const {}
  // As Release(), for the bytes [offset, offset + size) of this constant. By default for all.
  virtual void ReleaseRange(size_t offset, size_t size) const;
  // How far the constant is from its source, for printing: "view", "transpose(view)".
  virtual std::string Describe() const = 0;

 protected:
  explicit Constant(TensorType type);
  // Tile number `tile` of those that divide the constant evenly; all of it where CanEvaluateRange()
  // is false.
  Range EvenTile(size_t tile, size_t tile_bytes) const;

 private:
  TensorType type_;
  int64_t num_elements_;
  size_t byte_size_;
};

// A constant that owns its bytes. REQUIRES: bytes.size() fits `type`.
ConstantPtr OwnedConstant(TensorType type, std::vector<std::byte> bytes);
// A view of bytes that `owner` keeps alive. `release` (may be empty) drops cached pages of a part
// of the view.
ConstantPtr ViewConstant(TensorType type, std::span<const std::byte> bytes,
                         std::shared_ptr<const void> owner,
                         std::function<void(size_t offset, size_t size)> release = {});
// Bytes that a function produces on demand (a compressed dataset, …).
ConstantPtr ReaderConstant(TensorType type, std::function<Status(std::span<std::byte>)> reader);

// The general transform: `compute` gets the inputs' bytes, in order, and fills the output. `name`
// is for printing.
using ComputeFn =
    std::function<Status(std::span<const std::span<const std::byte>>, std::span<std::byte>)>;
ConstantPtr ComputedConstant(std::string name, TensorType type, std::vector<ConstantPtr> inputs,
                             ComputeFn compute);

// A transform that computes each element from the same element of `x`: y[i] = f(x[i], i). It is
// evaluated in tiles where `x` is. `compute` gets `count` elements of both, the first of which is
// element `first` in row-major order; `out` may be `in` where their elements have one size.
using ElementwiseFn =
    std::function<void(size_t first, size_t count, const std::byte* in, std::byte* out)>;
// REQUIRES: type.shape is x's shape.
ConstantPtr ElementwiseConstant(std::string name, TensorType type, ConstantPtr x,
                                ElementwiseFn compute);

// Transforms that rewrites use.
// Axis i of the result is axis permutation[i] of `x`. REQUIRES: a permutation of x's axes.
ConstantPtr Transposed(const ConstantPtr& x, const std::vector<int>& permutation);
// The permutation p for which Transposed(x, p) reads its source in the order in which it is stored.
std::vector<int> StoredOrder(const Constant& x);
// The same elements with another shape. REQUIRES: the same number of elements.
ConstantPtr Reshaped(const ConstantPtr& x, const Shape& shape);
// Elements converted as Keras's `cast` does. REQUIRES: numbers or bool on both sides.
ConstantPtr Casted(const ConstantPtr& x, DType dtype);
// As Casted(), but without the roundings that casts between float dtypes left on the way from the
// source: for cast<float16>(w) of float32 weights and dtype float32 it is w itself.
// REQUIRES: floats on both sides.
ConstantPtr CastedUnrounded(const ConstantPtr& x, DType dtype);
// y[..., i, ...] = x[..., i, ...] * scale[i] along `axis`. float32 only.
ConstantPtr ScaledAlong(const ConstantPtr& x, int axis, std::vector<float> scale);

// Two elements in a byte, as files store int4; uint8[(n + 1) / 2]. REQUIRES: x is int4.
ConstantPtr PackedInt4(const ConstantPtr& x);

// All bytes, evaluated now.
Result<std::vector<std::byte>> EvaluateBytes(const Constant& x);
// `x` itself where it can be evaluated by range; else an equal constant that can, which holds what
// had to be evaluated for it.
Result<ConstantPtr> Stage(const ConstantPtr& x);
// Calls `sink` with every byte, some MB at a time: for reductions over constants that may be large.
Status VisitBytes(const ConstantPtr& x, const Constant::Sink& sink);

// The elements, converted to T (double, float, int64_t, int32_t, bool). For small constants.
template <typename T>
Result<std::vector<T>> EvaluateAs(const ConstantPtr& x);

template <typename T>
ConstantPtr MakeConstant(DType dtype, const Shape& shape, const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return OwnedConstant(TensorType{dtype, shape}, std::move(bytes));
}

// One element of `value`, converted to `dtype`. Rank 0.
ConstantPtr ScalarConstant(double value, DType dtype);

// Calls `f(T{})` with the C++ type of `dtype` (float16 and bfloat16 as the structs of ir/half.h).
// Helpers for element-wise code live in ir/constant.cc.

}  // namespace keras_litert::ir
