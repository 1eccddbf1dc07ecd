// Transforms of lazy constants that are evaluated in tiles, and how they combine:
//
//   transpose(transpose(x, p), q)   ⇒   transpose(x, p∘q)
//   transpose(cast(x))              ⇒   cast(transpose(x))
//   transpose(scale(x, axis))       ⇒   scale(transpose(x), axis')
//
// so that a transposition lies right above its source, and reads it where it lies.
#include <algorithm>
#include <array>
#include <numeric>

#include "ir/constant.h"
#include "ir/element.h"
#include "ir/transposition.h"

namespace keras_litert::ir {
namespace {

class TransposedConstant final : public Constant {
 public:
  TransposedConstant(ConstantPtr source, const std::vector<int>& permutation, TensorType type)
      : Constant(std::move(type)),
        source_(std::move(source)),
        permutation_(permutation),
        copy_(Sizes(*source_), permutation, element_size()) {}

  const ConstantPtr& source() const { return source_; }
  const std::vector<int>& permutation() const { return permutation_; }

  Status Evaluate(std::span<std::byte> out) const override { return Copy(copy_.All(), out.data()); }
  bool CanEvaluateRange() const override { return source_->bytes().has_value(); }
  Status EvaluateRange(size_t offset, std::span<std::byte> out) const override {
    if (!CanEvaluateRange()) return Constant::EvaluateRange(offset, out);
    std::byte* to = out.data();
    for (const Transposition::Box& box : copy_.Boxes(Elements(offset), Elements(out.size()))) {
      copy_.Copy(box, source_->bytes()->data(), to);
      to += copy_.NumElements(box) * static_cast<int64_t>(element_size());
    }
    return {};
  }
  size_t NumTiles(size_t tile_bytes) const override {
    if (!CanEvaluateRange() || num_elements() == 0) return 1;
    return copy_.NumTiles(Elements(tile_bytes));
  }
  Status EvaluateTile(size_t tile, size_t tile_bytes, const Sink& sink) const override {
    if (!CanEvaluateRange() || num_elements() == 0) {
      return Constant::EvaluateTile(tile, tile_bytes, sink);
    }
    const Transposition::Box box = copy_.Tile(tile, Elements(tile_bytes));
    const size_t size = static_cast<size_t>(copy_.NumElements(box)) * element_size();
    const auto scratch = std::make_unique_for_overwrite<std::byte[]>(size);
    copy_.Copy(box, source_->bytes()->data(), scratch.get());
    ReleaseSource(box);
    std::vector<Run> runs;
    copy_.ForEachRun(box, [&](int64_t offset, int64_t from, int64_t count) {
      runs.push_back({static_cast<size_t>(offset) * element_size(),
                      {scratch.get() + static_cast<size_t>(from) * element_size(),
                       static_cast<size_t>(count) * element_size()}});
    });
    return sink(runs);
  }
  std::optional<Range> TileRange(size_t tile, size_t tile_bytes) const override {
    if (!CanEvaluateRange() || num_elements() == 0) return Constant::TileRange(tile, tile_bytes);
    const Transposition::Box box = copy_.Tile(tile, Elements(tile_bytes));
    if (!copy_.IsContiguous(box)) return std::nullopt;
    return Range{static_cast<size_t>(copy_.FirstElement(box)) * element_size(),
                 static_cast<size_t>(copy_.NumElements(box)) * element_size()};
  }
  Status EvaluateTileTo(size_t tile, size_t tile_bytes, std::span<std::byte> out) const override {
    if (!CanEvaluateRange() || num_elements() == 0) {
      return Constant::EvaluateTileTo(tile, tile_bytes, out);
    }
    const Transposition::Box box = copy_.Tile(tile, Elements(tile_bytes));
    copy_.Copy(box, source_->bytes()->data(), out.data());
    ReleaseSource(box);
    return {};
  }
  Result<ConstantPtr> StageInputs() const override {
    if (CanEvaluateRange()) return nullptr;
    KL_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, EvaluateBytes(*source_));
    return Transposed(OwnedConstant(source_->type(), std::move(bytes)), permutation_);
  }
  void Release() const override { source_->Release(); }
  std::string Describe() const override { return "transpose(" + source_->Describe() + ")"; }

 private:
  static std::vector<int64_t> Sizes(const Constant& x) {
    std::vector<int64_t> sizes;
    for (Dim dim : x.type().shape) sizes.push_back(dim.value());
    return sizes;
  }
  size_t element_size() const { return SizeOf(type().dtype); }
  int64_t Elements(size_t bytes) const { return static_cast<int64_t>(bytes / element_size()); }
  Status Copy(const Transposition::Box& box, std::byte* out) const {
    if (auto all = source_->bytes()) {
      copy_.Copy(box, all->data(), out);
      return {};
    }
    KL_ASSIGN_OR_RETURN(const std::vector<std::byte> all, EvaluateBytes(*source_));
    copy_.Copy(box, all.data(), out);
    return {};
  }

  // Gives back the pages that a tile read: each piece where pieces are many pages. Smaller ones
  // share their pages with the tiles beside this one; the last of those gives back all that lies
  // between its first piece and its last.
  void ReleaseSource(const Transposition::Box& box) const {
    constexpr int64_t kWholePages = 32 << 10;  // bytes
    const auto size = static_cast<int64_t>(element_size());
    auto release = [&](int64_t begin, int64_t count) {
      source_->ReleaseRange(static_cast<size_t>(begin * size), static_cast<size_t>(count * size));
    };
    int64_t begin = -1;
    int64_t end = 0;
    bool pieces = false;
    copy_.ForEachSourceRun(box, [&](int64_t first, int64_t count) {
      pieces = count * size >= kWholePages;
      if (pieces) release(first, count);
      if (begin < 0) begin = first;
      end = first + count;
    });
    if (!pieces && copy_.IsLastOfItsSpan(box)) {
      begin -= copy_.OffsetInSpan(box);
      release(begin, end - begin);
    }
  }

  ConstantPtr source_;
  std::vector<int> permutation_;
  Transposition copy_;
};

class Elementwise : public Constant {
 public:
  Elementwise(std::string name, TensorType type, ConstantPtr source, ElementwiseFn compute)
      : Constant(std::move(type)),
        name_(std::move(name)),
        source_(std::move(source)),
        compute_(std::move(compute)),
        in_size_(SizeOf(source_->type().dtype)),
        out_size_(SizeOf(this->type().dtype)) {}

  const ConstantPtr& source() const { return source_; }
  // The same transform of a transposed source, or null where the transform depends on more than
  // values.
  virtual ConstantPtr Transpose(const std::vector<int>&) const { return nullptr; }
  virtual bool CanTranspose() const { return false; }
  // The same transform of an equal source.
  virtual ConstantPtr Of(ConstantPtr source) const {
    return std::make_shared<Elementwise>(name_, type(), std::move(source), compute_);
  }

  Status Evaluate(std::span<std::byte> out) const override {
    if (CanEvaluateRange()) return EvaluateRange(0, out);
    KL_ASSIGN_OR_RETURN(const std::vector<std::byte> in, EvaluateBytes(*source_));
    compute_(0, out.size() / out_size_, in.data(), out.data());
    return {};
  }
  bool CanEvaluateRange() const override { return source_->CanEvaluateRange(); }
  Status EvaluateRange(size_t offset, std::span<std::byte> out) const override {
    if (!CanEvaluateRange()) return Constant::EvaluateRange(offset, out);
    const size_t first = offset / out_size_;
    const size_t count = out.size() / out_size_;
    if (auto all = source_->bytes()) {
      compute_(first, count, all->data() + first * in_size_, out.data());
      return {};
    }
    constexpr size_t kPiece = 64 << 10;  // elements
    std::vector<std::byte> in(std::min(count, kPiece) * in_size_);
    for (size_t done = 0; done < count;) {
      const size_t n = std::min(kPiece, count - done);
      KL_RETURN_IF_ERROR(
          source_->EvaluateRange((first + done) * in_size_, std::span(in).first(n * in_size_)));
      compute_(first + done, n, in.data(), out.data() + done * out_size_);
      done += n;
    }
    return {};
  }
  size_t NumTiles(size_t tile_bytes) const override {
    return CanEvaluateRange() ? source_->NumTiles(SourceBytes(tile_bytes)) : 1;
  }
  Status EvaluateTile(size_t tile, size_t tile_bytes, const Sink& sink) const override {
    if (!CanEvaluateRange()) return Constant::EvaluateTile(tile, tile_bytes, sink);
    return source_->EvaluateTile(
        tile, SourceBytes(tile_bytes), [&](std::span<const Run> in) -> Status {
          size_t elements = 0;
          for (const Run& run : in) elements += run.bytes.size() / in_size_;
          const auto scratch = std::make_unique_for_overwrite<std::byte[]>(elements * out_size_);
          std::byte* to = scratch.get();
          std::vector<Run> out;
          for (const Run& run : in) {
            const size_t first = run.offset / in_size_;
            const size_t count = run.bytes.size() / in_size_;
            compute_(first, count, run.bytes.data(), to);
            out.push_back({first * out_size_, {to, count * out_size_}});
            to += count * out_size_;
          }
          return sink(out);
        });
  }
  std::optional<Range> TileRange(size_t tile, size_t tile_bytes) const override {
    if (!CanEvaluateRange()) return Constant::TileRange(tile, tile_bytes);
    const std::optional<Range> in = source_->TileRange(tile, SourceBytes(tile_bytes));
    if (!in) return std::nullopt;
    return Range{in->offset / in_size_ * out_size_, in->size / in_size_ * out_size_};
  }
  Status EvaluateTileTo(size_t tile, size_t tile_bytes, std::span<std::byte> out) const override {
    if (!CanEvaluateRange()) return Constant::EvaluateTileTo(tile, tile_bytes, out);
    const std::optional<Range> range = source_->TileRange(tile, SourceBytes(tile_bytes));
    const size_t first = range->offset / in_size_;
    const size_t count = range->size / in_size_;
    if (auto all = source_->bytes()) {
      compute_(first, count, all->data() + range->offset, out.data());
      source_->ReleaseRange(range->offset, range->size);
      return {};
    }
    if (in_size_ == out_size_) {  // in place
      KL_RETURN_IF_ERROR(source_->EvaluateTileTo(tile, SourceBytes(tile_bytes), out));
      compute_(first, count, out.data(), out.data());
      return {};
    }
    const auto scratch = std::make_unique_for_overwrite<std::byte[]>(range->size);
    KL_RETURN_IF_ERROR(source_->EvaluateTileTo(tile, SourceBytes(tile_bytes),
                                               std::span(scratch.get(), range->size)));
    compute_(first, count, scratch.get(), out.data());
    return {};
  }
  Result<ConstantPtr> StageInputs() const override {
    if (CanEvaluateRange()) return nullptr;
    KL_ASSIGN_OR_RETURN(ConstantPtr source, Stage(source_));
    return Of(std::move(source));
  }
  void Release() const override { source_->Release(); }
  void ReleaseRange(size_t offset, size_t size) const override {
    source_->ReleaseRange(offset / out_size_ * in_size_, size / out_size_ * in_size_);
  }
  std::string Describe() const override { return name_ + "(" + source_->Describe() + ")"; }

 private:
  // Tiles are divided where the source's are, on whole elements; neither the source's tile nor this
  // one's is larger than asked for.
  size_t SourceBytes(size_t tile_bytes) const {
    return std::max<size_t>(1, tile_bytes / std::max(in_size_, out_size_)) * in_size_;
  }

  std::string name_;
  ConstantPtr source_;
  ElementwiseFn compute_;
  size_t in_size_;
  size_t out_size_;
};

class CastedConstant final : public Elementwise {
 public:
  CastedConstant(const ConstantPtr& x, DType dtype)
      : Elementwise("cast", TensorType{dtype, x->type().shape}, x,
                    [from = x->type().dtype, dtype](size_t, size_t count, const std::byte* in,
                                                    std::byte* out) {
                      DispatchElement(from, [&]<typename From>(From) {
                        DispatchElement(dtype, [&]<typename To>(To) {
                          for (size_t i = 0; i < count; ++i) {
                            From value;
                            std::memcpy(&value, in + i * sizeof(From), sizeof(From));
                            const To converted = ConvertElement<To>(value);
                            std::memcpy(out + i * sizeof(To), &converted, sizeof(To));
                          }
                        });
                      });
                    }) {}
  ConstantPtr Transpose(const std::vector<int>& permutation) const override {
    return Of(Transposed(source(), permutation));
  }
  bool CanTranspose() const override { return true; }
  ConstantPtr Of(ConstantPtr source) const override {
    return std::make_shared<CastedConstant>(source, type().dtype);
  }
};

class ScaledConstant final : public Elementwise {
 public:
  ScaledConstant(const ConstantPtr& x, int axis, std::shared_ptr<const std::vector<float>> scale)
      : Elementwise("scale", x->type(), x, Compute(*x, axis, scale)),
        axis_(axis),
        scale_(std::move(scale)) {}
  ConstantPtr Transpose(const std::vector<int>& permutation) const override {
    const auto place = std::find(permutation.begin(), permutation.end(), axis_);
    return std::make_shared<ScaledConstant>(Transposed(source(), permutation),
                                            static_cast<int>(place - permutation.begin()), scale_);
  }
  bool CanTranspose() const override { return true; }
  ConstantPtr Of(ConstantPtr source) const override {
    return std::make_shared<ScaledConstant>(source, axis_, scale_);
  }

 private:
  static ElementwiseFn Compute(const Constant& x, int axis,
                               std::shared_ptr<const std::vector<float>> scale) {
    int64_t inner = 1;
    for (int i = axis + 1; i < x.type().shape.rank(); ++i) inner *= x.type().shape[i].value();
    return [inner = static_cast<size_t>(inner), scale = std::move(scale)](
               size_t first, size_t count, const std::byte* in, std::byte* out) {
      std::array<float, 1024> values;
      for (size_t i = 0; i < count;) {
        // To the end of the factors where each element has its own, else of the channel.
        const size_t channel = (first + i) / inner % scale->size();
        const size_t left = inner == 1 ? scale->size() - channel : inner - (first + i) % inner;
        const size_t n = std::min({count - i, left, values.size()});
        std::memcpy(values.data(), in + i * sizeof(float), n * sizeof(float));
        const float* factors = scale->data() + channel;
        if (inner == 1) {
          for (size_t k = 0; k < n; ++k) values[k] *= factors[k];
        } else {
          for (size_t k = 0; k < n; ++k) values[k] *= *factors;
        }
        std::memcpy(out + i * sizeof(float), values.data(), n * sizeof(float));
        i += n;
      }
    };
  }

  int axis_;
  std::shared_ptr<const std::vector<float>> scale_;
};

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
  size_t NumTiles(size_t tile_bytes) const override { return source_->NumTiles(tile_bytes); }
  Status EvaluateTile(size_t tile, size_t tile_bytes, const Sink& sink) const override {
    return source_->EvaluateTile(tile, tile_bytes, sink);
  }
  std::optional<Range> TileRange(size_t tile, size_t tile_bytes) const override {
    return source_->TileRange(tile, tile_bytes);
  }
  Status EvaluateTileTo(size_t tile, size_t tile_bytes, std::span<std::byte> out) const override {
    return source_->EvaluateTileTo(tile, tile_bytes, out);
  }
  Result<ConstantPtr> StageInputs() const override {
    if (CanEvaluateRange()) return nullptr;
    KL_ASSIGN_OR_RETURN(const ConstantPtr source, Stage(source_));
    return Reshaped(source, type().shape);
  }
  void Release() const override { source_->Release(); }
  void ReleaseRange(size_t offset, size_t size) const override {
    source_->ReleaseRange(offset, size);
  }
  std::string Describe() const override { return source_->Describe(); }
  const ConstantPtr& source() const { return source_; }

 private:
  ConstantPtr source_;
};

}  // namespace

ConstantPtr Transposed(const ConstantPtr& x, const std::vector<int>& permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return x;
  if (const auto* inner = dynamic_cast<const TransposedConstant*>(x.get())) {
    std::vector<int> composed;
    for (int axis : permutation) {
      composed.push_back(inner->permutation()[static_cast<size_t>(axis)]);
    }
    return Transposed(inner->source(), composed);
  }
  if (const auto* inner = dynamic_cast<const Elementwise*>(x.get())) {
    if (ConstantPtr outer = inner->Transpose(permutation)) return outer;
  }
  Shape shape;
  for (int axis : permutation) shape.Append(x->type().shape[axis]);
  return std::make_shared<TransposedConstant>(x, permutation,
                                              TensorType{x->type().dtype, std::move(shape)});
}

std::vector<int> StoredOrder(const Constant& x) {
  std::vector<int> order(static_cast<size_t>(x.type().shape.rank()));
  std::iota(order.begin(), order.end(), 0);
  if (const auto* transposed = dynamic_cast<const TransposedConstant*>(&x)) {
    for (size_t i = 0; i < order.size(); ++i) {
      order[static_cast<size_t>(transposed->permutation()[i])] = static_cast<int>(i);
    }
  } else if (const auto* outer = dynamic_cast<const Elementwise*>(&x)) {
    if (outer->CanTranspose()) return StoredOrder(*outer->source());
  }
  return order;
}

ConstantPtr Reshaped(const ConstantPtr& x, const Shape& shape) {
  if (x->type().shape == shape) return x;
  return std::make_shared<ReshapedConstant>(x, shape);
}

ConstantPtr Casted(const ConstantPtr& x, DType dtype) {
  if (x->type().dtype == dtype) return x;
  return std::make_shared<CastedConstant>(x, dtype);
}

ConstantPtr CastedUnrounded(const ConstantPtr& x, DType dtype) {
  if (const auto* cast = dynamic_cast<const CastedConstant*>(x.get())) {
    if (IsFloat(x->type().dtype) && IsFloat(cast->source()->type().dtype)) {
      return CastedUnrounded(cast->source(), dtype);
    }
  } else if (const auto* transposed = dynamic_cast<const TransposedConstant*>(x.get())) {
    return Transposed(CastedUnrounded(transposed->source(), dtype), transposed->permutation());
  } else if (const auto* reshaped = dynamic_cast<const ReshapedConstant*>(x.get())) {
    return Reshaped(CastedUnrounded(reshaped->source(), dtype), x->type().shape);
  }
  return Casted(x, dtype);
}

ConstantPtr ScaledAlong(const ConstantPtr& x, int axis, std::vector<float> scale) {
  if (axis < 0) axis += x->type().shape.rank();
  return std::make_shared<ScaledConstant>(
      x, axis, std::make_shared<const std::vector<float>>(std::move(scale)));
}

ConstantPtr ElementwiseConstant(std::string name, TensorType type, ConstantPtr x,
                                ElementwiseFn compute) {
  return std::make_shared<Elementwise>(std::move(name), std::move(type), std::move(x),
                                       std::move(compute));
}

}  // namespace keras_litert::ir
