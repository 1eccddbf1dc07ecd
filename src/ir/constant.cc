#include "ir/constant.h"

#include <algorithm>

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
       std::function<void(size_t, size_t)> release)
      : Constant(std::move(type)),
        bytes_(bytes),
        owner_(std::move(owner)),
        release_(std::move(release)) {}
  std::optional<std::span<const std::byte>> bytes() const override { return bytes_; }
  Status Evaluate(std::span<std::byte> out) const override { return CopyInto(bytes_, out); }
  void Release() const override { ReleaseRange(0, byte_size()); }
  void ReleaseRange(size_t offset, size_t size) const override {
    if (release_) release_(offset, size);
  }
  std::string Describe() const override { return "view"; }

 private:
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::function<void(size_t, size_t)> release_;
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

size_t Constant::NumTiles(size_t tile_bytes) const {
  return CanEvaluateRange() ? std::max<size_t>(1, (byte_size_ + tile_bytes - 1) / tile_bytes) : 1;
}

Constant::Range Constant::EvenTile(size_t tile, size_t tile_bytes) const {
  if (!CanEvaluateRange()) return {0, byte_size_};
  const size_t offset = tile * tile_bytes;
  return {offset, std::min(tile_bytes, byte_size_ - offset)};
}

Status Constant::EvaluateTile(size_t tile, size_t tile_bytes, const Sink& sink) const {
  const Range range = EvenTile(tile, tile_bytes);
  auto give = [&](std::span<const std::byte> all) {
    const Run run{range.offset, all};
    return sink({&run, 1});
  };
  if (auto all = bytes()) return give(all->subspan(range.offset, range.size));
  const auto scratch = std::make_unique_for_overwrite<std::byte[]>(range.size);
  const std::span<std::byte> out(scratch.get(), range.size);
  KL_RETURN_IF_ERROR(Constant::EvaluateTileTo(tile, tile_bytes, out));
  return give(out);
}

std::optional<Constant::Range> Constant::TileRange(size_t tile, size_t tile_bytes) const {
  return EvenTile(tile, tile_bytes);
}

Status Constant::EvaluateTileTo(size_t tile, size_t tile_bytes, std::span<std::byte> out) const {
  if (!CanEvaluateRange()) return Evaluate(out);
  return EvaluateRange(EvenTile(tile, tile_bytes).offset, out);
}

Result<ConstantPtr> Constant::StageInputs() const {
  if (CanEvaluateRange()) return nullptr;
  KL_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, EvaluateBytes(*this));
  return OwnedConstant(type_, std::move(bytes));
}

void Constant::ReleaseRange(size_t, size_t) const {
  Release();
}

ConstantPtr OwnedConstant(TensorType type, std::vector<std::byte> bytes) {
  return std::make_shared<BytesConstant>(std::move(type), std::move(bytes));
}

ConstantPtr ViewConstant(TensorType type, std::span<const std::byte> bytes,
                         std::shared_ptr<const void> owner,
                         std::function<void(size_t, size_t)> release) {
  return std::make_shared<View>(std::move(type), bytes, std::move(owner), std::move(release));
}

ConstantPtr ReaderConstant(TensorType type, std::function<Status(std::span<std::byte>)> reader) {
  return std::make_shared<Reader>(std::move(type), std::move(reader));
}

ConstantPtr ComputedConstant(std::string name, TensorType type, std::vector<ConstantPtr> inputs,
                             ComputeFn compute) {
  return std::make_shared<Computed>(std::move(name), std::move(type), std::move(inputs),
                                    std::move(compute));
}

Result<std::vector<std::byte>> EvaluateBytes(const Constant& x) {
  std::vector<std::byte> bytes(x.byte_size());
  KL_RETURN_IF_ERROR(x.Evaluate(bytes));
  return bytes;
}

Result<ConstantPtr> Stage(const ConstantPtr& x) {
  KL_ASSIGN_OR_RETURN(ConstantPtr staged, x->StageInputs());
  return staged != nullptr ? staged : x;
}

Status VisitBytes(const ConstantPtr& x, const Constant::Sink& sink) {
  constexpr size_t kTileBytes = size_t{4} << 20;
  KL_ASSIGN_OR_RETURN(const ConstantPtr staged, Stage(x));
  for (size_t i = 0; i < staged->NumTiles(kTileBytes); ++i) {
    KL_RETURN_IF_ERROR(staged->EvaluateTile(i, kTileBytes, sink));
  }
  return {};
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
    return Fail(
        "", "constant-2",
        "a constant of dtype " + std::string(Name(x->type().dtype)) + " is read as numbers");
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
