#include "ir/constant.h"

#include <algorithm>
#include <numeric>

#include "ir/element.h"

namespace keras_litert::ir {
namespace {

Status CopyInto(std::span<const std::byte> from, std::span<std::byte> out) {
  if (from.size() != out.size()) {
    return Fail("", "constant-1",
                "constant has " + std::to_string(from.size()) + " bytes where " +
                    std::to_string(out.size()) + " are needed");
  }
  std::copy(from.begin(), from.end(), out.begin());
  return {};
}

class BytesConstant final : public Constant {
 public:
  BytesConstant(TensorType type, std::vector<std::byte> bytes)
      : Constant(std::move(type)), bytes_(std::move(bytes)) {}
  std::optional<std::span<const std::byte>> bytes() const override { return bytes_; }
  Status Evaluate(std::span<std::byte> out) const override { return CopyInto(bytes_, out); }
  std::string Describe() const override { return "owned"; }

 private:
  std::vector<std::byte> bytes_;
};

class View final : public Constant {
 public:
  View(TensorType type, std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
       std::function<void()> release)
      : Constant(std::move(type)),
        bytes_(bytes),
        owner_(std::move(owner)),
        release_(std::move(release)) {}
  std::optional<std::span<const std::byte>> bytes() const override { return bytes_; }
  Status Evaluate(std::span<std::byte> out) const override { return CopyInto(bytes_, out); }
  void Release() const override {
    if (release_) release_();
  }
  std::string Describe() const override { return "view"; }

 private:
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::function<void()> release_;
};

class Reader final : public Constant {
 public:
  Reader(TensorType type, std::function<Status(std::span<std::byte>)> reader)
      : Constant(std::move(type)), reader_(std::move(reader)) {}
  Status Evaluate(std::span<std::byte> out) const override { return reader_(out); }
  std::string Describe() const override { return "reader"; }

 private:
  std::function<Status(std::span<std::byte>)> reader_;
};

class Computed final : public Constant {
 public:
  Computed(std::string name, TensorType type, std::vector<ConstantPtr> inputs, ComputeFn compute)
      : Constant(std::move(type)),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        compute_(std::move(compute)) {}

  Status Evaluate(std::span<std::byte> out) const override {
    std::vector<std::vector<std::byte>> storage(inputs_.size());
    std::vector<std::span<const std::byte>> spans(inputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (auto bytes = inputs_[i]->bytes()) {
        spans[i] = *bytes;
      } else {
        KL_ASSIGN_OR_RETURN(storage[i], EvaluateBytes(*inputs_[i]));
        spans[i] = storage[i];
      }
    }
    return compute_(spans, out);
  }
  void Release() const override {
    for (const ConstantPtr& input : inputs_) input->Release();
  }
  std::string Describe() const override {
    std::string text = name_ + "(";
    for (size_t i = 0; i < inputs_.size(); ++i) {
      text += (i > 0 ? ", " : "") + inputs_[i]->Describe();
    }
    return text + ")";
  }

 private:
  std::string name_;
  std::vector<ConstantPtr> inputs_;
  ComputeFn compute_;
};

// Copies an array of `size`-byte elements with its axes permuted: adjacent axes that stay adjacent are merged
// first, then the innermost two loops run in blocks so that both sides use whole cache lines.
template <size_t kSize>
void TransposeElements(const std::byte* from, std::byte* to, const std::vector<int64_t>& sizes,
                       const std::vector<int>& permutation) {
  // 1. Merge axes that travel together, drop axes of size 1.
  std::vector<int64_t> in_sizes;
  std::vector<int> group_of(sizes.size(), -1);
  std::vector<int> order;  // groups in output order
  std::vector<int> inverse(sizes.size());
  for (size_t i = 0; i < permutation.size(); ++i) inverse[permutation[i]] = static_cast<int>(i);
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    const bool joins = axis > 0 && inverse[axis] == inverse[axis - 1] + 1;
    if (joins) {
      in_sizes.back() *= sizes[axis];
    } else {
      in_sizes.push_back(sizes[axis]);
    }
    group_of[axis] = static_cast<int>(in_sizes.size()) - 1;
  }
  for (int axis : permutation) {
    if (order.empty() || order.back() != group_of[axis]) order.push_back(group_of[axis]);
  }
  const int rank = static_cast<int>(in_sizes.size());
  std::vector<int64_t> in_strides(rank, 1);
  for (int i = rank - 2; i >= 0; --i) in_strides[i] = in_strides[i + 1] * in_sizes[i + 1];
  std::vector<int64_t> out_sizes(rank);
  std::vector<int64_t> strides(rank);  // input stride of each output axis
  for (int i = 0; i < rank; ++i) {
    out_sizes[i] = in_sizes[order[i]];
    strides[i] = in_strides[order[i]];
  }
  std::vector<int64_t> out_strides(rank, 1);
  for (int i = rank - 2; i >= 0; --i) out_strides[i] = out_strides[i + 1] * out_sizes[i + 1];
  const int64_t total = std::accumulate(out_sizes.begin(), out_sizes.end(), int64_t{1},
                                        [](int64_t a, int64_t b) { return a * b; });
  if (total == 0) return;
  if (rank == 1) {
    std::memcpy(to, from, static_cast<size_t>(total) * kSize);
    return;
  }
  // 2. Walk the output; blocks over its last axis and over the axis that is contiguous in the input.
  int contiguous = rank - 1;
  for (int i = 0; i < rank; ++i) {
    if (strides[i] == 1) contiguous = i;
  }
  const int last = rank - 1;
  if (contiguous == last) {  // rows are copied whole
    const auto row = static_cast<size_t>(out_sizes[last]) * kSize;
    std::vector<int64_t> index(rank, 0);
    int64_t offset = 0;
    for (int64_t written = 0; written < total; written += out_sizes[last]) {
      std::memcpy(to + static_cast<size_t>(written) * kSize,
                  from + static_cast<size_t>(offset) * kSize, row);
      for (int i = last - 1; i >= 0; --i) {
        offset += strides[i];
        if (++index[i] < out_sizes[i]) break;
        offset -= strides[i] * out_sizes[i];
        index[i] = 0;
      }
    }
    return;
  }
  std::vector<int> outer;
  for (int i = 0; i < last; ++i) {
    if (i != contiguous) outer.push_back(i);
  }
  constexpr int64_t kBlock = 32;
  std::vector<int64_t> index(outer.size(), 0);
  int64_t in_base = 0;
  int64_t out_base = 0;
  const int64_t rows = out_sizes[contiguous];
  const int64_t columns = out_sizes[last];
  for (;;) {
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
      const int64_t r1 = std::min(rows, r0 + kBlock);
      for (int64_t c0 = 0; c0 < columns; c0 += kBlock) {
        const int64_t c1 = std::min(columns, c0 + kBlock);
        for (int64_t r = r0; r < r1; ++r) {
          std::byte* target =
              to + static_cast<size_t>(out_base + r * out_strides[contiguous]) * kSize;
          const std::byte* source = from + static_cast<size_t>(in_base + r) * kSize;
          for (int64_t c = c0; c < c1; ++c) {
            std::memcpy(target + static_cast<size_t>(c) * kSize,
                        source + static_cast<size_t>(c * strides[last]) * kSize, kSize);
          }
        }
      }
    }
    int i = static_cast<int>(outer.size()) - 1;
    for (; i >= 0; --i) {
      const int axis = outer[i];
      in_base += strides[axis];
      out_base += out_strides[axis];
      if (++index[i] < out_sizes[axis]) break;
      in_base -= strides[axis] * out_sizes[axis];
      out_base -= out_strides[axis] * out_sizes[axis];
      index[i] = 0;
    }
    if (i < 0) return;
  }
}

}  // namespace

Constant::Constant(TensorType type)
    : type_(std::move(type)),
      num_elements_(type_.shape.is_static() ? type_.shape.NumElements() : 0),
      byte_size_(static_cast<size_t>(num_elements_) * SizeOf(type_.dtype)) {}

Status Constant::EvaluateRange(size_t offset, std::span<std::byte> out) const {
  if (auto all = bytes()) {
    std::copy_n(all->begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  KL_ASSIGN_OR_RETURN(std::vector<std::byte> all, EvaluateBytes(*this));
  std::copy_n(all.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

ConstantPtr OwnedConstant(TensorType type, std::vector<std::byte> bytes) {
  return std::make_shared<BytesConstant>(std::move(type), std::move(bytes));
}

ConstantPtr ViewConstant(TensorType type, std::span<const std::byte> bytes,
                         std::shared_ptr<const void> owner, std::function<void()> release) {
  return std::make_shared<View>(std::move(type), bytes, std::move(owner), std::move(release));
}

ConstantPtr ReaderConstant(TensorType type,
                           std::function<Status(std::span<std::byte>)> reader) {
  return std::make_shared<Reader>(std::move(type), std::move(reader));
}

ConstantPtr ComputedConstant(std::string name, TensorType type, std::vector<ConstantPtr> inputs,
                             ComputeFn compute) {
  return std::make_shared<Computed>(std::move(name), std::move(type), std::move(inputs),
                                    std::move(compute));
}

ConstantPtr Transposed(const ConstantPtr& x, const std::vector<int>& permutation) {
  Shape shape;
  std::vector<int64_t> sizes;
  bool identity = true;
  for (size_t i = 0; i < permutation.size(); ++i) {
    shape.Append(x->type().shape[permutation[i]]);
    sizes.push_back(x->type().shape[static_cast<int>(i)].value());
    identity &= permutation[i] == static_cast<int>(i);
  }
  if (identity) return x;
  const DType dtype = x->type().dtype;
  return ComputedConstant(
      "transpose", TensorType{dtype, shape}, {x},
      [=](std::span<const std::span<const std::byte>> in, std::span<std::byte> out) -> Status {
        switch (SizeOf(dtype)) {
          case 1: TransposeElements<1>(in[0].data(), out.data(), sizes, permutation); break;
          case 2: TransposeElements<2>(in[0].data(), out.data(), sizes, permutation); break;
          case 4: TransposeElements<4>(in[0].data(), out.data(), sizes, permutation); break;
          default: TransposeElements<8>(in[0].data(), out.data(), sizes, permutation); break;
        }
        return {};
      });
}

namespace {

// The same bytes under another shape; stays as lazy as its source.
class ReshapedConstant final : public Constant {
 public:
  ReshapedConstant(ConstantPtr source, Shape shape)
      : Constant(TensorType{source->type().dtype, std::move(shape)}), source_(std::move(source)) {}
  std::optional<std::span<const std::byte>> bytes() const override { return source_->bytes(); }
  Status Evaluate(std::span<std::byte> out) const override { return source_->Evaluate(out); }
  Status EvaluateRange(size_t offset, std::span<std::byte> out) const override {
    return source_->EvaluateRange(offset, out);
  }
  bool CanEvaluateRange() const override { return source_->CanEvaluateRange(); }
  void Release() const override { source_->Release(); }
  std::string Describe() const override { return source_->Describe(); }

 private:
  ConstantPtr source_;
};

}  // namespace

ConstantPtr Reshaped(const ConstantPtr& x, const Shape& shape) {
  if (x->type().shape == shape) return x;
  return std::make_shared<ReshapedConstant>(x, shape);
}

ConstantPtr Casted(const ConstantPtr& x, DType dtype) {
  const DType from = x->type().dtype;
  if (from == dtype) return x;
  const auto n = static_cast<size_t>(x->num_elements());
  return ComputedConstant(
      "cast", TensorType{dtype, x->type().shape}, {x},
      [=](std::span<const std::span<const std::byte>> in, std::span<std::byte> out) -> Status {
        DispatchElement(from, [&]<typename From>(From) {
          DispatchElement(dtype, [&]<typename To>(To) {
            for (size_t i = 0; i < n; ++i) {
              From value;
              std::memcpy(&value, in[0].data() + i * sizeof(From), sizeof(From));
              const To converted = ConvertElement<To>(value);
              std::memcpy(out.data() + i * sizeof(To), &converted, sizeof(To));
            }
          });
        });
        return {};
      });
}

ConstantPtr ScaledAlong(const ConstantPtr& x, int axis, std::vector<float> scale) {
  int64_t inner = 1;
  for (int i = axis + 1; i < x->type().shape.rank(); ++i) inner *= x->type().shape[i].value();
  return ComputedConstant(
      "scale", x->type(), {x},
      [inner, scale = std::move(scale)](std::span<const std::span<const std::byte>> in,
                                        std::span<std::byte> out) -> Status {
        const size_t n = out.size() / sizeof(float);
        const auto channels = scale.size();
        size_t i = 0;
        while (i < n) {
          for (size_t c = 0; c < channels; ++c) {
            for (int64_t k = 0; k < inner; ++k, ++i) {
              float value;
              std::memcpy(&value, in[0].data() + i * sizeof(float), sizeof(float));
              value *= scale[c];
              std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
            }
          }
        }
        return {};
      });
}

Result<std::vector<std::byte>> EvaluateBytes(const Constant& x) {
  std::vector<std::byte> bytes(x.byte_size());
  KL_RETURN_IF_ERROR(x.Evaluate(bytes));
  return bytes;
}

template <typename T>
Result<std::vector<T>> EvaluateAs(const ConstantPtr& x) {
  KL_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, EvaluateBytes(*x));
  std::vector<T> values;
  values.reserve(static_cast<size_t>(x->num_elements()));
  const bool numeric = DispatchElement(x->type().dtype, [&]<typename From>(From) {
    for (size_t i = 0; i < bytes.size() / sizeof(From); ++i) {
      From value;
      std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
      values.push_back(ConvertElement<T>(value));
    }
  });
  if (!numeric) {
    return Fail("", "constant-2", "a constant of dtype " + std::string(Name(x->type().dtype)) +
                                      " is read as numbers");
  }
  return values;
}

template Result<std::vector<double>> EvaluateAs(const ConstantPtr&);
template Result<std::vector<float>> EvaluateAs(const ConstantPtr&);
template Result<std::vector<int64_t>> EvaluateAs(const ConstantPtr&);
template Result<std::vector<int32_t>> EvaluateAs(const ConstantPtr&);
template Result<std::vector<bool>> EvaluateAs(const ConstantPtr&);

ConstantPtr ScalarConstant(double value, DType dtype) {
  std::vector<std::byte> bytes(SizeOf(dtype));
  DispatchElement(dtype, [&]<typename T>(T) {
    const T converted = ConvertElement<T>(value);
    std::memcpy(bytes.data(), &converted, sizeof(T));
  });
  return OwnedConstant(TensorType{dtype, Shape{}}, std::move(bytes));
}

}  // namespace keras_litert::ir
