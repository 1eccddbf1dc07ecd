#include "ir/constant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace keras_litert::ir {
namespace {

using ::testing::ElementsAre;

// The definition of a transpose, one element at a time.
std::vector<int32_t> NaiveTranspose(const std::vector<int32_t>& x,
                                    const std::vector<int64_t>& sizes,
                                    const std::vector<int>& permutation) {
  const int rank = static_cast<int>(sizes.size());
  std::vector<int32_t> y(x.size());
  for (size_t flat = 0; flat < x.size(); ++flat) {
    std::vector<int64_t> index(rank);
    auto rest = static_cast<int64_t>(flat);
    for (int i = rank - 1; i >= 0; --i) {
      index[i] = rest % sizes[i];
      rest /= sizes[i];
    }
    int64_t target = 0;
    for (int i = 0; i < rank; ++i) target = target * sizes[permutation[i]] + index[permutation[i]];
    y[static_cast<size_t>(target)] = x[flat];
  }
  return y;
}

TEST(ConstantTest, TransposeMatchesItsDefinitionForEveryPermutation) {
  const std::vector<std::vector<int64_t>> shapes = {
      {7}, {3, 5}, {70, 65}, {2, 3, 4}, {2, 1, 3, 37}, {3, 3, 40, 33}, {2, 3, 1, 2, 5}};
  for (const auto& sizes : shapes) {
    std::vector<int> permutation(sizes.size());
    std::iota(permutation.begin(), permutation.end(), 0);
    const Shape shape = Shape::Of(sizes);
    std::vector<int32_t> values(static_cast<size_t>(shape.NumElements()));
    std::iota(values.begin(), values.end(), 1);
    const ConstantPtr x = MakeConstant(DType::kInt32, shape, values);
    do {
      auto y = EvaluateAs<int32_t>(Transposed(x, permutation));
      ASSERT_TRUE(y.has_value());
      ASSERT_EQ(*y, NaiveTranspose(values, sizes, permutation)) << shape.ToString();
    } while (std::next_permutation(permutation.begin(), permutation.end()));
  }
}

TEST(ConstantTest, CastTruncatesTowardsZeroAndBoolMeansNotZero) {
  const ConstantPtr x = MakeConstant(DType::kFloat32, {4}, std::vector<float>{-1.7F, 0, 2.9F, 300});
  EXPECT_THAT(*EvaluateAs<int32_t>(Casted(x, DType::kInt32)), ElementsAre(-1, 0, 2, 300));
  EXPECT_THAT(*EvaluateAs<int32_t>(Casted(x, DType::kBool)), ElementsAre(1, 0, 1, 1));
}

TEST(ConstantTest, HalfRoundsToNearestEven) {
  const ConstantPtr x =
      MakeConstant(DType::kFloat32, {6},
                   std::vector<float>{1.0F, 1.00048828125F, 65504.0F, 65520.0F, 6e-8F, -0.1F});
  EXPECT_THAT(*EvaluateAs<float>(Casted(x, DType::kFloat16)),
              ElementsAre(1.0F, 1.0F, 65504.0F, std::numeric_limits<float>::infinity(),
                          5.960464477539063e-08F, -0.0999755859375F));
}

TEST(ConstantTest, ScaleAlongTouchesOneAxis) {
  const ConstantPtr x =
      MakeConstant(DType::kFloat32, {2, 2, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(*EvaluateAs<float>(ScaledAlong(x, 1, {10, 100})),
              ElementsAre(10, 20, 300, 400, 50, 60, 700, 800));
}

}  // namespace
}  // namespace keras_litert::ir
