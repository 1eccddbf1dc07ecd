// Every way to evaluate a constant gives the same bytes: whole, by range, by tile, staged.
#include <gtest/gtest.h>

#include <numeric>

#include "ir/constant.h"

namespace keras_litert::ir {
namespace {

std::vector<std::byte> Whole(const ConstantPtr& x) {
  auto bytes = EvaluateBytes(*x);
  EXPECT_TRUE(bytes.has_value());
  return *bytes;
}

std::vector<std::byte> ByTiles(const ConstantPtr& x, size_t tile_bytes) {
  std::vector<std::byte> bytes(x->byte_size());
  std::vector<int> written(x->byte_size(), 0);
  for (size_t i = 0; i < x->NumTiles(tile_bytes); ++i) {
    Status status = x->EvaluateTile(i, tile_bytes, [&](std::span<const Constant::Run> runs) {
      for (const auto& [offset, run] : runs) {
        EXPECT_LE(offset + run.size(), bytes.size());
        std::copy(run.begin(), run.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
        for (size_t k = 0; k < run.size(); ++k) ++written[offset + k];
      }
      return Status();
    });
    EXPECT_TRUE(status.has_value());
  }
  EXPECT_EQ(std::count(written.begin(), written.end(), 1), static_cast<ptrdiff_t>(written.size()))
      << "each byte is written once";
  return bytes;
}

// Tiles that are one run, written to where they lie; others from their runs.
std::vector<std::byte> ByTilesInPlace(const ConstantPtr& x, size_t tile_bytes) {
  std::vector<std::byte> bytes(x->byte_size());
  for (size_t i = 0; i < x->NumTiles(tile_bytes); ++i) {
    const auto range = x->TileRange(i, tile_bytes);
    size_t runs_seen = 0;
    Status status = x->EvaluateTile(i, tile_bytes, [&](std::span<const Constant::Run> runs) {
      runs_seen = runs.size();
      for (const auto& [offset, run] : runs) {
        if (range) {
          EXPECT_EQ(range->offset, offset);
          EXPECT_EQ(range->size, run.size());
        } else {
          std::copy(run.begin(), run.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
        }
      }
      return Status();
    });
    EXPECT_TRUE(status.has_value());
    if (!range) continue;
    EXPECT_EQ(runs_seen, 1U);
    EXPECT_LE(range->offset + range->size, bytes.size());
    status = x->EvaluateTileTo(i, tile_bytes, std::span(bytes).subspan(range->offset, range->size));
    EXPECT_TRUE(status.has_value());
  }
  return bytes;
}

std::vector<std::byte> ByRanges(const ConstantPtr& x, size_t elements) {
  const size_t step = elements * SizeOf(x->type().dtype);
  std::vector<std::byte> bytes(x->byte_size());
  for (size_t offset = 0; offset < bytes.size(); offset += step) {
    const size_t n = std::min(step, bytes.size() - offset);
    EXPECT_TRUE(x->EvaluateRange(offset, std::span(bytes).subspan(offset, n)).has_value());
  }
  return bytes;
}

void ExpectConsistent(const ConstantPtr& x, const std::vector<std::byte>& expected) {
  SCOPED_TRACE(x->Describe() + " " + x->type().ToString());
  EXPECT_EQ(Whole(x), expected);
  for (size_t tile_bytes : {16, 64, 4096, 1 << 20}) {
    SCOPED_TRACE(tile_bytes);
    EXPECT_EQ(ByTiles(x, tile_bytes), expected);
    EXPECT_EQ(ByTilesInPlace(x, tile_bytes), expected);
  }
  for (size_t elements : {1, 7, 100}) EXPECT_EQ(ByRanges(x, elements), expected);
}

template <typename T>
std::vector<T> Iota(int64_t n) {
  std::vector<T> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(i % 251) - static_cast<T>(3);
  return values;
}

template <typename T>
std::vector<std::byte> Bytes(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The definition of a transpose, one element at a time.
template <typename T>
std::vector<T> Permute(const std::vector<T>& x, const std::vector<int64_t>& sizes,
                       const std::vector<int>& permutation) {
  std::vector<T> y(x.size());
  std::vector<int64_t> index(sizes.size());
  for (size_t flat = 0; flat < x.size(); ++flat) {
    auto rest = static_cast<int64_t>(flat);
    for (size_t i = sizes.size(); i-- > 0;) {
      index[i] = rest % sizes[i];
      rest /= sizes[i];
    }
    int64_t target = 0;
    for (int axis : permutation)
      target = target * sizes[static_cast<size_t>(axis)] + index[static_cast<size_t>(axis)];
    y[static_cast<size_t>(target)] = x[flat];
  }
  return y;
}

template <typename T>
void CheckTransposes(DType dtype) {
  const std::vector<std::vector<int64_t>> shapes = {
      {5},       {1, 1},        {70, 65},       {3, 700},    {700, 3},
      {2, 3, 4}, {2, 1, 3, 37}, {3, 3, 20, 33}, {300, 2, 5}, {0, 4}};
  for (const auto& sizes : shapes) {
    std::vector<int> permutation(sizes.size());
    std::iota(permutation.begin(), permutation.end(), 0);
    const Shape shape = Shape::Of(sizes);
    const std::vector<T> values = Iota<T>(shape.NumElements());
    const ConstantPtr x = MakeConstant<T>(dtype, shape, values);
    do {
      ExpectConsistent(Transposed(x, permutation), Bytes(Permute(values, sizes, permutation)));
    } while (std::next_permutation(permutation.begin(), permutation.end()));
  }
}

TEST(ConstantTileTest, TransposesOfEveryElementSize) {
  CheckTransposes<int8_t>(DType::kInt8);
  CheckTransposes<int16_t>(DType::kInt16);
  CheckTransposes<float>(DType::kFloat32);
  CheckTransposes<int64_t>(DType::kInt64);
}

TEST(ConstantTileTest, ASourceNeedNotBeAligned) {
  const std::vector<float> values = Iota<float>(35 * 40);
  auto bytes = std::make_shared<std::vector<std::byte>>(values.size() * sizeof(float) + 1);
  std::memcpy(bytes->data() + 1, values.data(), values.size() * sizeof(float));
  const ConstantPtr x =
      ViewConstant({DType::kFloat32, {35, 40}}, std::span(*bytes).subspan(1), bytes);
  ExpectConsistent(Transposed(x, {1, 0}), Bytes(Permute(values, {35, 40}, {1, 0})));
  ExpectConsistent(Casted(x, DType::kFloat64),
                   Bytes(std::vector<double>(values.begin(), values.end())));
}

// transpose(scale(cast(x))): each step by its definition.
TEST(ConstantTileTest, ChainsOverViewsAndReaders) {
  const std::vector<int64_t> sizes = {6, 50, 9};
  const std::vector<int16_t> stored = Iota<int16_t>(6 * 50 * 9);
  std::vector<float> scale(50);
  for (size_t i = 0; i < scale.size(); ++i) scale[i] = 0.5F * static_cast<float>(i) - 3;
  std::vector<float> scaled(stored.begin(), stored.end());
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= scale[i / 9 % 50];

  const ConstantPtr view = MakeConstant<int16_t>(DType::kInt16, Shape::Of(sizes), stored);
  const ConstantPtr reader = ReaderConstant(
      view->type(), [view](std::span<std::byte> out) { return view->Evaluate(out); });
  for (const ConstantPtr& x : {view, reader}) {
    std::vector<int> permutation = {0, 1, 2};
    do {
      const ConstantPtr y =
          Transposed(ScaledAlong(Casted(x, DType::kFloat32), 1, scale), permutation);
      const std::vector<std::byte> expected = Bytes(Permute(scaled, sizes, permutation));
      ExpectConsistent(y, expected);
      auto staged = Stage(y);
      ASSERT_TRUE(staged.has_value());
      EXPECT_TRUE((*staged)->CanEvaluateRange());
      EXPECT_EQ((*staged)->type(), y->type());
      ExpectConsistent(*staged, expected);
      const ConstantPtr flat =
          Casted(Reshaped(y, {static_cast<int64_t>(scaled.size())}), DType::kFloat32);
      ExpectConsistent(flat, expected);
      EXPECT_EQ((*Stage(flat))->type(), flat->type());
    } while (std::next_permutation(permutation.begin(), permutation.end()));
  }
}

// Two in a byte, also where a tile's runs begin and end in the middle of one.
TEST(ConstantTileTest, PackedPairsOfTransposes) {
  const std::vector<std::vector<int64_t>> shapes = {{6, 4}, {5, 7}, {3, 1}, {33, 31}};
  for (const std::vector<int64_t>& sizes : shapes) {
    const std::vector<int8_t> values = Iota<int8_t>(sizes[0] * sizes[1]);
    const std::vector<int8_t> y = Permute(values, sizes, {1, 0});
    std::vector<std::byte> expected((y.size() + 1) / 2);
    for (size_t i = 0; i < y.size(); ++i) {
      const auto nibble = static_cast<unsigned>(y[i] & 15);
      expected[i / 2] |= static_cast<std::byte>(i % 2 == 0 ? nibble : nibble << 4);
    }
    const TensorType type{DType::kInt4, Shape::Of(sizes)};
    const ConstantPtr view = OwnedConstant(type, Bytes(values));
    ExpectConsistent(PackedInt4(Transposed(view, {1, 0})), expected);
    const ConstantPtr reader = ReaderConstant(type, [&](std::span<std::byte> out) {
      std::copy_n(Bytes(values).begin(), out.size(), out.begin());
      return Status();
    });
    EXPECT_EQ(Whole(PackedInt4(Transposed(reader, {1, 0}))), expected);
    const Result<ConstantPtr> staged = Stage(PackedInt4(Transposed(reader, {1, 0})));
    ASSERT_TRUE(staged.has_value());
    ExpectConsistent(*staged, expected);
  }
}

TEST(ConstantTileTest, LargeTilesOfTransposesAreOneRun) {
  const ConstantPtr x = ViewConstant({DType::kInt8, {1000, 2000}}, {}, nullptr);
  const ConstantPtr scaled = Casted(Transposed(x, {1, 0}), DType::kFloat32);
  for (size_t i = 0; i < scaled->NumTiles(1 << 20); ++i) {
    EXPECT_TRUE(scaled->TileRange(i, 1 << 20).has_value());
  }
  const ConstantPtr tall = ViewConstant({DType::kInt8, {200000, 64}}, {}, nullptr);
  EXPECT_FALSE(Transposed(tall, {1, 0})->TileRange(0, 1 << 20).has_value()) << "of long rows";
}

TEST(ConstantTileTest, StoredOrderUndoesTheTransposition) {
  const ConstantPtr x = MakeConstant<float>(DType::kFloat32, {2, 3, 4}, Iota<float>(24));
  std::vector<int> permutation = {0, 1, 2};
  do {
    const ConstantPtr y = ScaledAlong(Transposed(x, permutation), 1, std::vector<float>(4, 2.0F));
    const ConstantPtr stored = Transposed(y, StoredOrder(*y));
    EXPECT_EQ(stored->type(), x->type());
    EXPECT_EQ(stored->Describe(), "scale(owned)");
  } while (std::next_permutation(permutation.begin(), permutation.end()));
  EXPECT_EQ(StoredOrder(*x), (std::vector<int>{0, 1, 2}));
}

TEST(ConstantTileTest, TransformsOfAReaderAreRangedOnlyWhenStaged) {
  const ConstantPtr reader =
      ReaderConstant({DType::kFloat32, {4, 5}}, [](std::span<std::byte> out) -> Status {
        std::fill(out.begin(), out.end(), std::byte{0});
        return {};
      });
  EXPECT_FALSE(Transposed(reader, {1, 0})->CanEvaluateRange());
  EXPECT_EQ(Transposed(reader, {1, 0})->NumTiles(16), 1U);
}

TEST(ConstantTileTest, TransposesComposeAndSinkBelowElementwiseTransforms) {
  const ConstantPtr x = ViewConstant({DType::kInt8, {2, 3, 4}}, {}, nullptr);
  EXPECT_EQ(Transposed(Transposed(x, {1, 2, 0}), {2, 0, 1}), x);
  EXPECT_EQ(Transposed(Casted(x, DType::kFloat32), {2, 0, 1})->Describe(), "cast(transpose(view))");
}

}  // namespace
}  // namespace keras_litert::ir
