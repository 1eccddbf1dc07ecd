// Two numbers in a byte, as files store int4: element 2k in the low half of byte k, 2k + 1 in the
// high half. The last byte of an odd number of elements has zeros in its high half.
#include <algorithm>
#include <memory>

#include "ir/constant.h"

namespace keras_litert::ir {
namespace {

void Pack(std::span<const std::byte> in, std::byte* out) {
  constexpr std::byte kLow{0x0F};
  for (size_t i = 0; i + 1 < in.size(); i += 2) *out++ = (in[i] & kLow) | (in[i + 1] << 4);
  if (in.size() % 2 != 0) *out = in.back() & kLow;
}

class PackedConstant final : public Constant {
 public:
  explicit PackedConstant(ConstantPtr source)
      : Constant(TensorType{DType::kUInt8, {(source->num_elements() + 1) / 2}}),
        source_(std::move(source)) {}

  Status Evaluate(std::span<std::byte> out) const override {
    if (CanEvaluateRange()) return EvaluateRange(0, out);
    KL_ASSIGN_OR_RETURN(const std::vector<std::byte> in, EvaluateBytes(*source_));
    Pack(in, out.data());
    return {};
  }
  bool CanEvaluateRange() const override { return source_->CanEvaluateRange(); }
  Status EvaluateRange(size_t offset, std::span<std::byte> out) const override {
    if (!CanEvaluateRange()) return Constant::EvaluateRange(offset, out);
    constexpr size_t kPiece = 64 << 10;  // bytes of the result
    std::vector<std::byte> in;
    for (size_t done = 0; done < out.size(); done += kPiece) {
      const size_t first = 2 * (offset + done);
      in.resize(std::min(2 * std::min(kPiece, out.size() - done), source_->byte_size() - first));
      KL_RETURN_IF_ERROR(source_->EvaluateRange(first, in));
      Pack(in, out.data() + done);
    }
    return {};
  }

  size_t NumTiles(size_t tile_bytes) const override {
    return CanEvaluateRange() ? source_->NumTiles(tile_bytes) : 1;
  }
  // The source's tiles. A byte that two of its runs share belongs to the run of its low half, which
  // asks the source for the other one.
  Status EvaluateTile(size_t tile, size_t tile_bytes, const Sink& sink) const override {
    if (!CanEvaluateRange()) return Constant::EvaluateTile(tile, tile_bytes, sink);
    return source_->EvaluateTile(tile, tile_bytes, [&](std::span<const Run> in) -> Status {
      size_t most = 0;
      for (const Run& run : in) most += run.bytes.size() / 2 + 1;
      const auto scratch = std::make_unique_for_overwrite<std::byte[]>(most);
      std::byte* to = scratch.get();
      std::vector<Run> out;
      for (const Run& run : in) {
        const size_t skipped = run.offset % 2;
        if (run.bytes.size() <= skipped) continue;
        const std::span<const std::byte> own = run.bytes.subspan(skipped);
        const size_t end = run.offset + run.bytes.size();
        const size_t count = (own.size() + 1) / 2;
        Pack(own, to);
        if (own.size() % 2 != 0 && end < source_->byte_size()) {
          std::byte next{};
          KL_RETURN_IF_ERROR(source_->EvaluateRange(end, {&next, 1}));
          to[count - 1] |= next << 4;
        }
        out.push_back({(run.offset + skipped) / 2, {to, count}});
        to += count;
      }
      return sink(out);
    });
  }
  // Tiles share bytes.
  std::optional<Range> TileRange(size_t tile, size_t tile_bytes) const override {
    if (CanEvaluateRange()) return std::nullopt;
    return Constant::TileRange(tile, tile_bytes);
  }
  Result<ConstantPtr> StageInputs() const override {
    if (CanEvaluateRange()) return nullptr;
    KL_ASSIGN_OR_RETURN(const ConstantPtr source, Stage(source_));
    return PackedInt4(source);
  }
  void Release() const override { source_->Release(); }
  void ReleaseRange(size_t offset, size_t size) const override {
    source_->ReleaseRange(2 * offset, 2 * size);
  }
  std::string Describe() const override { return "pack(" + source_->Describe() + ")"; }

 private:
  ConstantPtr source_;  // a byte for each element
};

}  // namespace

ConstantPtr PackedInt4(const ConstantPtr& x) {
  return std::make_shared<PackedConstant>(x);
}

}  // namespace keras_litert::ir
