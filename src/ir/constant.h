// Lazy constants.
//
// A constant is a tensor known at conversion time. Most are weights that stay where they are (a view of the mapped
// archive, a borrowed array) until the writer asks for them, one at a time, so that the peak memory of a
// conversion is a few tensors and not the model. Transforms (transpose, cast, scale …) wrap a constant and are
// evaluated with it.
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
  // Writes the bytes [offset, offset + out.size()). The default evaluates everything; constants that can do
  // better override it. CanEvaluateRange() says whether this one does.
  virtual Status EvaluateRange(size_t offset, std::span<std::byte> out) const;
  virtual bool CanEvaluateRange() const { return false; }
  // Tells a mapped source that its pages may be dropped; used by the writer behind its own progress.
  virtual void Release() const {}
  // How far the constant is from its source, for printing: "view", "transpose(view)".
  virtual std::string Describe() const = 0;

 protected:
  explicit Constant(TensorType type);

 private:
  TensorType type_;
  int64_t num_elements_;
  size_t byte_size_;
};

// A constant that owns its bytes. REQUIRES: bytes.size() fits `type`.
ConstantPtr OwnedConstant(TensorType type, std::vector<std::byte> bytes);
// A view of bytes that `owner` keeps alive. `release` (may be empty) drops cached pages of the view.
ConstantPtr ViewConstant(TensorType type, std::span<const std::byte> bytes,
                         std::shared_ptr<const void> owner, std::function<void()> release = {});
// Bytes that a function produces on demand (a compressed dataset, …).
ConstantPtr ReaderConstant(TensorType type,
                           std::function<Status(std::span<std::byte>)> reader);

// The general transform: `compute` gets the inputs' bytes, in order, and fills the output. `name` is for printing.
using ComputeFn =
    std::function<Status(std::span<const std::span<const std::byte>>, std::span<std::byte>)>;
ConstantPtr ComputedConstant(std::string name, TensorType type, std::vector<ConstantPtr> inputs,
                             ComputeFn compute);

// Transforms that rewrites use.
// Axis i of the result is axis permutation[i] of `x`. REQUIRES: a permutation of x's axes.
ConstantPtr Transposed(const ConstantPtr& x, const std::vector<int>& permutation);
// The same elements with another shape. REQUIRES: the same number of elements.
ConstantPtr Reshaped(const ConstantPtr& x, const Shape& shape);
// Elements converted as Keras's `cast` does. REQUIRES: numbers or bool on both sides.
ConstantPtr Casted(const ConstantPtr& x, DType dtype);
// y[..., i, ...] = x[..., i, ...] * scale[i] along `axis`. float32 only.
ConstantPtr ScaledAlong(const ConstantPtr& x, int axis, std::vector<float> scale);

// All bytes, evaluated now.
Result<std::vector<std::byte>> EvaluateBytes(const Constant& x);

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
