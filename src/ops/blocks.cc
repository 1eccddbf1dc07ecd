// keras.ops.nn: blocks of images as channels or columns, and back.
#include <fmt/core.h>

#include <array>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/convolution.h"
#include "ops/image_color.h"
#include "ops/padding.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

//   SPACE_TO_DEPTH(x), DEPTH_TO_SPACE(x); channels first: between transpositions
template <bool kToDepth>
Argument DepthOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const int64_t block = a.Int(1, "block_size");
  const bool first = ReadImageFormat(b, a, 2);
  if (!x.ok()) return x;
  if (x.rank() != 4 || block < 1 || block > (1 << 12)) {
    return b.Fail("depth-1",
                  fmt::format("{}: blocks of {} in {}", a.function(), block, x.shape().ToString()));
  }
  const Dim channels = x.dim(first ? 1 : 3);
  const Dim height = x.dim(first ? 2 : 1);
  const Dim width = x.dim(first ? 3 : 2);
  auto divides = [](Dim d, int64_t by) { return !d.is_static() || d.value() % by == 0; };
  if (kToDepth ? !divides(height, block) || !divides(width, block)
               : !channels.is_static() || !divides(channels, block * block)) {
    return b.Fail("depth-2", fmt::format("{}: {} does not divide into blocks of {}", a.function(),
                                         x.shape().ToString(), block));
  }
  if (block == 1) return x;
  if (!first) {
    return kToDepth ? lrt::SpaceToDepth(b, x, static_cast<int>(block))
                    : lrt::DepthToSpace(b, x, static_cast<int>(block));
  }
  // Channels first: a channel's block is together, [n, c, block, block, h, w].
  const Dim n = x.dim(0);
  if (kToDepth) {
    const Dim h = b.symbols().FloorDiv(height, block);
    const Dim w = b.symbols().FloorDiv(width, block);
    x = lrt::Reshape(b, x, {b.symbols().Product(n, channels), h, block, w, block});
    x = lrt::Transpose(b, x, {0, 2, 4, 1, 3});
    return lrt::Reshape(b, x, {n, channels * (block * block), h, w});
  }
  const Dim c = channels.value() / (block * block);
  x = lrt::Reshape(b, x, {b.symbols().Product(n, c), block, block, height, width});
  x = lrt::Transpose(b, x, {0, 3, 1, 4, 2});
  return lrt::Reshape(b, x, {n, c, height * block, width * block});
}

// Windows along one axis of images.
struct Slide {
  int64_t kernel = 1;
  int64_t dilation = 1;
  int64_t padding = 0;
  int64_t stride = 1;
  int64_t Count(int64_t size) const {
    const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
  }
  // Of place i of window l.
  int64_t Position(int64_t i, int64_t l) const { return l * stride + i * dilation - padding; }
};
std::optional<std::array<Slide, 2>> ReadSlides(Builder& b, Arguments& a, int position) {
  std::array<Slide, 2> slides;
  bool fits = true;
  auto read = [&](const char* name, int at, int64_t fallback, int64_t least,
                  int64_t Slide::* member) {
    std::vector<int> values =
        a.Ints(at, name).value_or(std::vector<int>{static_cast<int>(fallback)});
    if (values.size() == 1) values.push_back(values[0]);
    fits &= values.size() == 2;
    for (size_t i = 0; i < 2 && fits; ++i) {
      slides[i].*member = values[i];
      fits &= values[i] >= least && values[i] <= (1 << 16);
    }
  };
  read("kernel_size", position, 0, 1, &Slide::kernel);
  read("dilation", position + 1, 1, 1, &Slide::dilation);
  read("padding", position + 2, 0, 0, &Slide::padding);
  read("stride", position + 3, 1, 1, &Slide::stride);
  if (!fits) {
    b.Fail("unfold-1",
           fmt::format("{}: kernel_size, dilation, padding or stride do not fit", a.function()));
    return std::nullopt;
  }
  return slides;
}

// [n, c, h, w] ⇒ [n, c · kh · kw, windows]: the rows, then the columns of all windows are gathered.
Argument UnfoldOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const auto slides = ReadSlides(b, a, 1);
  if (!x.ok() || !slides) return Value();
  if (x.rank() != 4 || !x.dim(2).is_static() || !x.dim(3).is_static() || !x.dim(1).is_static()) {
    return b.Fail("unfold-2",
                  fmt::format("unfold: {} are no images of static size", x.shape().ToString()));
  }
  const auto& [rows, columns] = *slides;
  const int64_t lh = rows.Count(x.dim(2).value());
  const int64_t lw = columns.Count(x.dim(3).value());
  if (lh < 1 || lw < 1 || lh * lw > (1 << 26)) {
    return b.Fail("unfold-3", fmt::format("unfold: {} x {} windows", lh, lw));
  }
  const Dim n = x.dim(0);
  const int64_t channels = x.dim(1).value();
  x = ops::Pad(b, x, {{}, {}, {rows.padding, rows.padding}, {columns.padding, columns.padding}});
  x = lrt::Reshape(b, x, {n * channels, x.dim(2), x.dim(3)});
  auto gather = [&](Value v, int axis, const Slide& slide, int64_t count) {
    std::vector<int32_t> places;
    for (int64_t i = 0; i < slide.kernel; ++i) {
      for (int64_t l = 0; l < count; ++l) {
        places.push_back(static_cast<int32_t>(slide.Position(i, l) + slide.padding));
      }
    }
    return GatherConstant(b, v, axis, places);
  };
  x = gather(gather(x, 1, rows, lh), 2, columns, lw);
  x = lrt::Reshape(b, x, {n * channels, rows.kernel, lh, columns.kernel, lw});
  x = lrt::Transpose(b, x, {0, 1, 3, 2, 4});
  return lrt::Reshape(b, x, {n, channels * rows.kernel * columns.kernel, lh * lw});
}

// The sum of all windows where they lie: y = R X Cᵀ with matrices of zeros and ones along each
// axis.
Argument FoldOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  std::optional<std::vector<int>> size = a.Ints(1, "output_size");
  const auto slides = ReadSlides(b, a, 2);
  if (!x.ok() || !slides || !size) return Value();
  if (size->size() == 1) size->push_back((*size)[0]);
  const auto& [rows, columns] = *slides;
  if (size->size() != 2 || (*size)[0] < 1 || (*size)[1] < 1 || (*size)[0] > (1 << 14) ||
      (*size)[1] > (1 << 14)) {
    return b.Fail("fold-1", "fold: output_size must be two positive numbers");
  }
  const int64_t lh = rows.Count((*size)[0]);
  const int64_t lw = columns.Count((*size)[1]);
  const int64_t window = rows.kernel * columns.kernel;
  if (x.rank() != 3 || lh < 1 || lw < 1 || x.dim(2) != Dim(lh * lw) || !x.dim(1).is_static() ||
      x.dim(1).value() % window != 0 || lh * rows.kernel > (1 << 14) ||
      lw * columns.kernel > (1 << 14)) {
    return b.Fail("fold-2", fmt::format("fold: {} are not {} x {} windows of {} elements",
                                        x.shape().ToString(), lh, lw, window));
  }
  if (!ir::IsFloat(x.dtype())) {
    return b.Fail("fold-3", "fold: integers have no LiteRT kernel", "Cast them to float32.");
  }
  const Dim n = x.dim(0);
  const int64_t channels = x.dim(1).value() / window;
  x = lrt::Reshape(b, x, {n * channels, rows.kernel, columns.kernel, lh, lw});
  x = lrt::Transpose(b, x, {0, 1, 3, 2, 4});
  x = lrt::Reshape(b, x, {n * channels, rows.kernel * lh, columns.kernel * lw});
  auto matrix = [&](const Slide& slide, int64_t count, int64_t extent) {
    const int64_t width = slide.kernel * count;
    std::vector<float> values(static_cast<size_t>(extent * width), 0.0F);
    for (int64_t i = 0; i < slide.kernel; ++i) {
      for (int64_t l = 0; l < count; ++l) {
        const int64_t at = slide.Position(i, l);
        if (at >= 0 && at < extent) values[static_cast<size_t>(at * width + i * count + l)] = 1;
      }
    }
    return lrt::Cast(b, b.Constant(DType::kFloat32, Shape{extent, width}, values), x.dtype());
  };
  x = lrt::FullyConnected(b, x, matrix(columns, lw, (*size)[1]), Builder::Absent());
  x = lrt::BatchMatMul(b, matrix(rows, lh, (*size)[0]), x);
  return lrt::Reshape(b, x, {n, channels, (*size)[0], (*size)[1]});
}

}  // namespace

std::span<const OpEntry> BlockOps() {
  static constexpr OpEntry kOps[] = {
      {"nn.depth_to_space", DepthOp<false>},
      {"nn.fold", FoldOp},
      {"nn.space_to_depth", DepthOp<true>},
      {"nn.unfold", UnfoldOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
