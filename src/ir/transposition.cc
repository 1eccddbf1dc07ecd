#include "ir/transposition.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace keras_litert::ir {
namespace {

// One loop of a copy: `extent` steps of `in` and `out` bytes.
struct Loop {
  int64_t extent;
  int64_t in;
  int64_t out;
};

// y[c][r] = x[r][c], where rows of x lie `in_stride` bytes apart and those of y `out_stride`.
// Neither is aligned.
//
// Blocks that are one cache line of y high and a few lines of x wide are first copied as they are:
// then many lines of x are on their way at once, and each line of either side is touched once
// although strides of a power of two let few lines of a column share the cache. Blocks are visited
// in squares of kTile so that both sides' pages stay within reach of the address translation cache.
template <typename T>
struct Block {
  static constexpr int64_t kRows = 64 / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t kColumns = 4 * kRows;
  alignas(64) std::array<std::array<T, kColumns>, kRows> x;

  void Read(const std::byte* from, int64_t in_stride, int64_t columns) {
    const size_t size = static_cast<size_t>(columns) * sizeof(T);
    if (columns == kColumns) {  // of a size that the compiler knows
      for (size_t i = 0; i < kRows; ++i, from += in_stride) {
        std::memcpy(x[i].data(), from, kColumns * sizeof(T));
      }
      return;
    }
    for (size_t i = 0; i < kRows; ++i, from += in_stride) std::memcpy(x[i].data(), from, size);
  }

  void WriteTransposed(std::byte* y, int64_t out_stride, int64_t columns) const {
    size_t j = 0;
    const auto end = static_cast<size_t>(columns);
#ifdef __GNUC__
    if constexpr (sizeof(T) == 4) {
      for (; j + 4 <= end; j += 4, y += 4 * out_stride) {
        for (size_t i = 0; i < kRows; i += 4) TransposeFour(i, j, y + i * sizeof(T), out_stride);
      }
    }
#endif
    for (; j < end; ++j, y += out_stride) {
      std::array<T, kRows> line;
      for (size_t i = 0; i < kRows; ++i) line[i] = x[i][j];
      std::memcpy(y, line.data(), sizeof(line));
    }
  }

#ifdef __GNUC__
  // The elements [i, i + 4) × [j, j + 4), of 4 bytes each.
  void TransposeFour(size_t i, size_t j, std::byte* y, int64_t out_stride) const {
    using Four [[gnu::vector_size(16)]] = uint32_t;
    std::array<Four, 4> in;
    for (size_t k = 0; k < 4; ++k) std::memcpy(&in[k], &x[i + k][j], sizeof(Four));
    const Four low01 = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5);
    const Four low23 = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7);
    const Four high23 = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
    const std::array<Four, 4> out = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                                     __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                                     __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                                     __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
    for (const Four& four : out) {
      std::memcpy(y, &four, sizeof(Four));
      y += out_stride;
    }
  }
#endif
};

template <typename T>
void TransposeMatrix(const std::byte* x, int64_t in_stride, std::byte* y, int64_t out_stride,
                     int64_t rows, int64_t columns) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  constexpr int64_t kTile = 256;
  constexpr int64_t kRows = Block<T>::kRows;
  constexpr int64_t kColumns = Block<T>::kColumns;
  Block<T> block;
  for (int64_t r0 = 0; r0 < rows; r0 += kTile) {
    const int64_t r1 = std::min(rows, r0 + kTile);
    for (int64_t c0 = 0; c0 < columns; c0 += kTile) {
      const int64_t c1 = std::min(columns, c0 + kTile);
      int64_t r = r0;
      for (; r + kRows <= r1; r += kRows) {
        for (int64_t c = c0; c < c1; c += kColumns) {
          const int64_t n = std::min(kColumns, c1 - c);
          block.Read(x + r * in_stride + c * kSize, in_stride, n);
          block.WriteTransposed(y + c * out_stride + r * kSize, out_stride, n);
        }
      }
      for (int64_t c = c0; r < r1 && c < c1; ++c) {
        for (int64_t i = r; i < r1; ++i) {
          std::memcpy(y + c * out_stride + i * kSize, x + i * in_stride + c * kSize, sizeof(T));
        }
      }
    }
  }
}

template <typename T>
void CopyLoops(std::vector<Loop> loops, const std::byte* x, std::byte* y) {
  // The two innermost loops become one kernel, the others an odometer.
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  Loop last{1, kSize, kSize};
  if (!loops.empty()) {
    last = loops.back();
    loops.pop_back();
  }
  Loop columns{1, kSize, kSize};  // contiguous in x
  const bool rows_are_contiguous = last.in == kSize;
  if (!rows_are_contiguous) {
    auto found =
        std::find_if(loops.begin(), loops.end(), [](const Loop& l) { return l.in == kSize; });
    if (found != loops.end()) {
      columns = *found;
      loops.erase(found);
    }
  }
  std::vector<int64_t> index(loops.size(), 0);
  for (;;) {
    if (rows_are_contiguous) {
      std::memcpy(y, x, static_cast<size_t>(last.extent * kSize));
    } else {
      TransposeMatrix<T>(x, last.in, y, columns.out, last.extent, columns.extent);
    }
    size_t i = loops.size();
    for (; i > 0; --i) {
      const Loop& loop = loops[i - 1];
      x += loop.in;
      y += loop.out;
      if (++index[i - 1] < loop.extent) break;
      x -= loop.in * loop.extent;
      y -= loop.out * loop.extent;
      index[i - 1] = 0;
    }
    if (i == 0) return;
  }
}

}  // namespace

Transposition::Transposition(const std::vector<int64_t>& sizes, const std::vector<int>& permutation,
                             size_t element_size)
    : element_size_(element_size) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  for (int axis : permutation) {
    const int64_t size = sizes[static_cast<size_t>(axis)];
    const int64_t stride = strides[static_cast<size_t>(axis)];
    if (size == 1) continue;
    if (!sizes_.empty() && in_strides_.back() == stride * size) {  // neighbours in x and y
      sizes_.back() *= size;
      in_strides_.back() = stride;
    } else {
      sizes_.push_back(size);
      in_strides_.push_back(stride);
    }
  }
  out_strides_.assign(sizes_.size(), 1);
  for (size_t i = sizes_.size(); i-- > 1;) out_strides_[i - 1] = out_strides_[i] * sizes_[i];
  source_order_.resize(sizes_.size());
  std::iota(source_order_.begin(), source_order_.end(), size_t{0});
  std::sort(source_order_.begin(), source_order_.end(),
            [&](size_t a, size_t b) { return in_strides_[a] > in_strides_[b]; });
}

Transposition::Box Transposition::All() const {
  return {std::vector<int64_t>(sizes_.size(), 0), sizes_};
}

int64_t Transposition::NumElements(const Box& box) const {
  int64_t elements = 1;
  for (int64_t extent : box.extent) elements *= extent;
  return elements;
}

void Transposition::Copy(const Box& box, const std::byte* x, std::byte* to) const {
  const auto size = static_cast<int64_t>(element_size_);
  int64_t out = NumElements(box) * size;
  if (out == 0) return;
  std::vector<Loop> loops;
  for (size_t i = 0; i < sizes_.size(); ++i) {
    const int64_t in = in_strides_[i] * size;
    x += box.begin[i] * in;
    out /= box.extent[i];
    if (box.extent[i] == 1) continue;
    if (!loops.empty() && loops.back().in == in * box.extent[i]) {
      loops.back() = {loops.back().extent * box.extent[i], in, out};
    } else {
      loops.push_back({box.extent[i], in, out});
    }
  }
  switch (element_size_) {
    case 1:
      CopyLoops<uint8_t>(std::move(loops), x, to);
      break;
    case 2:
      CopyLoops<uint16_t>(std::move(loops), x, to);
      break;
    case 4:
      CopyLoops<uint32_t>(std::move(loops), x, to);
      break;
    default:
      CopyLoops<uint64_t>(std::move(loops), x, to);
      break;
  }
}

std::vector<int64_t> Transposition::TileExtents(int64_t elements) const {
  // Measured on ext4 for [25088, 4096] float32, 411 MB, by processor time: runs of 4 KB 0.62 s, 16
  // KB 0.46 s, 32 KB 0.39 s; the bytes as they are: 0.26 s. Rows up to this size are whole, so that
  // a tile is one run.
  constexpr size_t kRunBytes = 64 << 10;
  std::vector<int64_t> extents(sizes_.size(), 1);
  // 1. Runs of y long enough to be worth a write each.
  auto wanted_run = std::min<int64_t>(elements, static_cast<int64_t>(kRunBytes / element_size_));
  // The pages of x between the first and the last piece of a run stay in memory until the last tile
  // that reads them.
  constexpr int64_t kSpan = 64 << 20;  // bytes
  constexpr int64_t kLeastRun = 512;   // elements
  if (!sizes_.empty()) {
    const int64_t apart =
        std::max<int64_t>(in_strides_.back() * static_cast<int64_t>(element_size_), 1);
    wanted_run = std::min(wanted_run, std::max(kSpan / apart, kLeastRun));
  }
  int64_t total = 1;
  for (size_t i = sizes_.size(); i-- > 0 && total < wanted_run;) {
    extents[i] = std::min(sizes_[i], (wanted_run + total - 1) / total);
    total *= extents[i];
    if (extents[i] < sizes_[i]) break;
  }
  // 2. What is left of the tile goes to x's innermost axes.
  for (size_t i = sizes_.size(); i-- > 0;) {
    const size_t axis = source_order_[i];
    total /= extents[axis];
    extents[axis] = std::clamp<int64_t>(elements / total, extents[axis], sizes_[axis]);
    total *= extents[axis];
    if (extents[axis] < sizes_[axis]) break;
  }
  return extents;
}

size_t Transposition::NumTiles(int64_t elements) const {
  const std::vector<int64_t> extents = TileExtents(std::max<int64_t>(elements, 1));
  int64_t tiles = 1;
  for (size_t i = 0; i < sizes_.size(); ++i) tiles *= (sizes_[i] + extents[i] - 1) / extents[i];
  return static_cast<size_t>(tiles);
}

Transposition::Box Transposition::Tile(size_t index, int64_t elements) const {
  Box box{std::vector<int64_t>(sizes_.size(), 0), TileExtents(std::max<int64_t>(elements, 1))};
  auto rest = static_cast<int64_t>(index);
  for (size_t i = sizes_.size(); i-- > 0;) {
    const size_t axis = source_order_[i];
    const int64_t count = (sizes_[axis] + box.extent[axis] - 1) / box.extent[axis];
    box.begin[axis] = rest % count * box.extent[axis];
    rest /= count;
  }
  for (size_t i = 0; i < sizes_.size(); ++i) {
    box.extent[i] = std::min(box.extent[i], sizes_[i] - box.begin[i]);
  }
  return box;
}

std::vector<Transposition::Box> Transposition::Boxes(int64_t first, int64_t count) const {
  std::vector<Box> boxes;
  if (count > 0) AppendBoxes(0, first, count, All(), &boxes);
  return boxes;
}

// `prefix` is decided for the axes before `axis`; [first, first + count) counts within what is
// left.
void Transposition::AppendBoxes(size_t axis, int64_t first, int64_t count, Box prefix,
                                std::vector<Box>* boxes) const {
  if (axis == sizes_.size()) {
    boxes->push_back(std::move(prefix));
    return;
  }
  const int64_t row = out_strides_[axis];
  auto one_row = [&](int64_t index, int64_t begin, int64_t n) {
    Box box = prefix;
    box.begin[axis] = index;
    box.extent[axis] = 1;
    AppendBoxes(axis + 1, begin, n, std::move(box), boxes);
  };
  const int64_t in_first_row = first % row;
  if (in_first_row != 0) {
    const int64_t n = std::min(count, row - in_first_row);
    one_row(first / row, in_first_row, n);
    first += n;
    count -= n;
  }
  if (count >= row) {
    Box box = prefix;
    box.begin[axis] = first / row;
    box.extent[axis] = count / row;
    first += box.extent[axis] * row;
    count -= box.extent[axis] * row;
    boxes->push_back(std::move(box));
  }
  if (count > 0) one_row(first / row, 0, count);
}

int64_t Transposition::FirstElement(const Box& box) const {
  int64_t first = 0;
  for (size_t i = 0; i < sizes_.size(); ++i) first += box.begin[i] * out_strides_[i];
  return first;
}

bool Transposition::IsContiguous(const Box& box) const {
  bool in_part = true;  // axes so far have one index each
  for (size_t i = 0; i < sizes_.size(); ++i) {
    if (!in_part && box.extent[i] != sizes_[i]) return false;
    in_part = in_part && box.extent[i] == 1;
  }
  return true;
}

void Transposition::ForEachRun(const Box& box,
                               const std::function<void(int64_t, int64_t, int64_t)>& f) const {
  const int64_t total = NumElements(box);
  if (total == 0) return;
  // The run covers the trailing whole axes and the last one that is not whole.
  size_t outer = sizes_.size();
  int64_t run = 1;
  while (outer > 0) {
    --outer;
    run *= box.extent[outer];
    if (box.extent[outer] != sizes_[outer]) break;
  }
  std::vector<int64_t> index(outer, 0);
  for (int64_t done = 0; done < total; done += run) {
    int64_t offset = 0;
    for (size_t i = 0; i < sizes_.size(); ++i) {
      offset += (box.begin[i] + (i < outer ? index[i] : 0)) * out_strides_[i];
    }
    f(offset, done, run);
    for (size_t i = outer; i-- > 0;) {
      if (++index[i] < box.extent[i]) break;
      index[i] = 0;
    }
  }
}

void Transposition::ForEachSourceRun(const Box& box,
                                     const std::function<void(int64_t, int64_t)>& f) const {
  if (NumElements(box) == 0) return;
  size_t outer = source_order_.size();
  int64_t run = 1;
  while (outer > 0) {
    const size_t axis = source_order_[--outer];
    run *= box.extent[axis];
    if (box.extent[axis] != sizes_[axis]) break;
  }
  std::vector<int64_t> index(outer, 0);
  for (;;) {
    int64_t offset = 0;
    for (size_t i = 0; i < source_order_.size(); ++i) {
      const size_t axis = source_order_[i];
      offset += (box.begin[axis] + (i < outer ? index[i] : 0)) * in_strides_[axis];
    }
    f(offset, run);
    size_t i = outer;
    for (; i > 0; --i) {
      if (++index[i - 1] < box.extent[source_order_[i - 1]]) break;
      index[i - 1] = 0;
    }
    if (i == 0) return;
  }
}

// Tiles of one span differ along x's innermost axis that they cover in part.
std::optional<size_t> Transposition::AxisOfSpan(const Box& box) const {
  for (size_t i = source_order_.size(); i-- > 0;) {
    const size_t axis = source_order_[i];
    if (box.extent[axis] < sizes_[axis]) return axis;
  }
  return std::nullopt;
}

bool Transposition::IsLastOfItsSpan(const Box& box) const {
  const std::optional<size_t> axis = AxisOfSpan(box);
  return !axis || box.begin[*axis] + box.extent[*axis] == sizes_[*axis];
}

int64_t Transposition::OffsetInSpan(const Box& box) const {
  const std::optional<size_t> axis = AxisOfSpan(box);
  return axis ? box.begin[*axis] * in_strides_[*axis] : 0;
}

}  // namespace keras_litert::ir
