#include "quantize/tensor_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace keras_litert::quantize {
namespace {

using ir::DType;
using testing::HasSubstr;

TEST(TensorRangesTest, ConstantsAreReadOthersMustHaveBeenObserved) {
  ir::Module module;
  const ir::Tensor* seen = module.main().AddInput({DType::kFloat32, {2}}, "seen");
  const ir::Tensor* unseen = module.main().AddInput({DType::kFloat32, {2}}, "unseen");
  const ir::Tensor* constant =
      module.main().AddConstant(ir::MakeConstant<float>(DType::kFloat32, {3}, {2, -7, 3}));
  const Ranges observed{{seen, {.all = {-4, 5}, .kept = {-1, 1}}}};
  const TensorRanges ranges(observed);
  EXPECT_EQ(ranges.RangeOfTensor(seen)->min, -4);
  EXPECT_EQ(ranges.ObservedOf(seen)->kept.max, 1);
  EXPECT_EQ(ranges.RangeOfTensor(constant)->min, -7);
  EXPECT_EQ(ranges.ObservedOf(constant)->kept.max, 3);
  EXPECT_FALSE(ranges.RangeOfTensor(unseen).has_value());
  EXPECT_EQ(ranges.WhyNot(seen, "an input"), "");
  EXPECT_EQ(ranges.WhyNot(unseen, "an input"), "an input was not observed");
}

TEST(TensorRangesTest, MasksAndWhatIsNotFiniteLeaveNoSteps) {
  ir::Module module;
  const ir::Tensor* x = module.main().AddInput({DType::kFloat32, {2}}, "x");
  Ranges observed;
  const TensorRanges ranges(observed);
  const auto why = [&](float min, float max) {
    observed[x].all = {min, max};
    EXPECT_EQ(TensorRanges::HasSteps({min, max}), ranges.WhyNot(x, "it").empty());
    return ranges.WhyNot(x, "it");
  };
  EXPECT_EQ(why(-1e6F, 1e6F), "");
  EXPECT_THAT(why(-1e9F, 1), HasSubstr("it reaches 1.0e+09"));
  EXPECT_THAT(why(0, 2e6F), HasSubstr("it reaches 2.0e+06"));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(why(0, kInfinity), HasSubstr("no finite numbers"));
  EXPECT_THAT(why(std::numeric_limits<float>::quiet_NaN(), 1), HasSubstr("no finite numbers"));
}

}  // namespace
}  // namespace keras_litert::quantize
