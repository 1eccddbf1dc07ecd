// Permuting the axes of an array that lies in memory, a box at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace keras_litert::ir {

// The copy y[i_0, …] = x[…] where axis k of y is axis permutation[k] of x, both row-major. Axes
// that stay neighbours are merged first, so that every permutation becomes the shortest one that
// does the same: HWIO → OHWI is the transposition of a matrix [H·W·I, O].
class Transposition {
 public:
  // `sizes` are x's. `element_size` is 1, 2, 4 or 8.
  Transposition(const std::vector<int64_t>& sizes, const std::vector<int>& permutation,
                size_t element_size);

  // Part of y: for each of its (merged) axes the first index and the number of them.
  struct Box {
    std::vector<int64_t> begin;
    std::vector<int64_t> extent;
  };
  Box All() const;
  int64_t NumElements(const Box& box) const;

  // Copies the box's elements to `to`, in y's order without gaps.
  void Copy(const Box& box, const std::byte* x, std::byte* to) const;

  // Divides y into boxes of about `elements` elements so that a box reads long pieces of x, close
  // to each other, and consists of long runs of y (64 KB where that is possible; shorter rows of y
  // are whole). Boxes are numbered in the order of x.
  size_t NumTiles(int64_t elements) const;
  Box Tile(size_t index, int64_t elements) const;
  // Boxes that together are the elements [first, first + count) of y, in order.
  std::vector<Box> Boxes(int64_t first, int64_t count) const;

  // The box's first element, in y, and whether the others follow it without gaps.
  int64_t FirstElement(const Box& box) const;
  bool IsContiguous(const Box& box) const;
  // Calls f(first element in y, first element in the box, count) for each contiguous run.
  void ForEachRun(const Box& box, const std::function<void(int64_t, int64_t, int64_t)>& f) const;
  // As ForEachRun, of x: calls f(first element, count) for each contiguous piece that the box
  // reads.
  void ForEachSourceRun(const Box& box, const std::function<void(int64_t, int64_t)>& f) const;
  // True if no later tile reads between the pieces of x that `box`, a tile, reads.
  bool IsLastOfItsSpan(const Box& box) const;
  // How many elements of x lie between the first piece that `box`, a tile, reads and the first that
  // a tile of its span reads.
  int64_t OffsetInSpan(const Box& box) const;

 private:
  std::vector<int64_t> TileExtents(int64_t elements) const;
  std::optional<size_t> AxisOfSpan(const Box& box) const;
  void AppendBoxes(size_t axis, int64_t first, int64_t count, Box prefix,
                   std::vector<Box>* boxes) const;

  size_t element_size_;
  // Of y's merged axes:
  std::vector<int64_t> sizes_;
  std::vector<int64_t> out_strides_;
  std::vector<int64_t> in_strides_;
  std::vector<size_t> source_order_;  // axes, x's outermost first
};

}  // namespace keras_litert::ir
