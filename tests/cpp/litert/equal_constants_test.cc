#include "litert/equal_constants.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

namespace keras_litert::litert {
namespace {

ir::ConstantPtr Owned(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return ir::OwnedConstant(
      {ir::DType::kFloat32, ir::Shape({ir::Dim(static_cast<int64_t>(values.size()))})},
      std::move(bytes));
}

std::vector<float> Counted(size_t size) {
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

TEST(EqualConstantsTest, EqualBytesHaveTheFirstNumber) {
  EqualConstants constants;
  EXPECT_EQ(constants.NumberOf(Owned(Counted(5000)), 3), 3);
  EXPECT_EQ(constants.NumberOf(Owned(Counted(4999)), 4), 4);
  EXPECT_EQ(constants.NumberOf(Owned(Counted(5000)), 5), 3);
  EXPECT_EQ(constants.NumberOf(Owned(Counted(4999)), 6), 4);
}

TEST(EqualConstantsTest, EveryByteCounts) {
  // More than one step of the comparison.
  constexpr size_t kSize = 600'000;
  for (const size_t changed : {size_t{0}, size_t{777}, kSize / 2 + 1, kSize - 100, kSize - 1}) {
    EqualConstants constants;
    std::vector<float> values = Counted(kSize);
    constants.NumberOf(Owned(values), 1);
    values[changed] = -1;
    EXPECT_EQ(constants.NumberOf(Owned(values), 2), 2) << changed;
    EXPECT_EQ(constants.NumberOf(Owned(values), 3), 2) << changed;
  }
}

TEST(EqualConstantsTest, TheShapeDoesNotCount) {
  EqualConstants constants;
  const ir::ConstantPtr flat = Owned(Counted(600));
  EXPECT_EQ(constants.NumberOf(flat, 1), 1);
  EXPECT_EQ(constants.NumberOf(ir::Reshaped(flat, ir::Shape({ir::Dim(20), ir::Dim(30)})), 2), 1);
}

TEST(EqualConstantsTest, WhatHasToBeComputedIsNotCompared) {
  EqualConstants constants;
  const auto matrix =
      ir::Reshaped(Owned(std::vector<float>(600)), ir::Shape({ir::Dim(20), ir::Dim(30)}));
  EXPECT_EQ(constants.NumberOf(ir::Transposed(matrix, {1, 0}), 1), 1);
  EXPECT_EQ(constants.NumberOf(ir::Transposed(matrix, {1, 0}), 2), 2);
}

}  // namespace
}  // namespace keras_litert::litert
