#include "quantize/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keras_litert::quantize {
namespace {

using enum ir::BuiltinOperator;
using testing::HasSubstr;

std::string ErrorsOf(const QuantizeOptions& options) {
  const Result<RecipeBook> book = RecipeBook::Make(options);
  return book ? "" : book.error().ToString();
}

TEST(RecipeTest, NamesAndAliasesAreTheSame) {
  for (const QuantizeRecipe& recipe : QuantizeRecipes()) {
    Result<RecipeBook> book = RecipeBook::Make({std::string(recipe.name), {}});
    ASSERT_TRUE(book.has_value());
    EXPECT_EQ(Name(book->For("dense", FULLY_CONNECTED)), recipe.name);
    if (recipe.alias.empty()) continue;
    book = RecipeBook::Make({std::string(recipe.alias), {}});
    ASSERT_TRUE(book.has_value());
    EXPECT_EQ(Name(book->For("dense", FULLY_CONNECTED)), recipe.name);
  }
}

TEST(RecipeTest, TheLastRuleThatMatchesCounts) {
  Result<RecipeBook> book = RecipeBook::Make({"float16",
                                              {{"encoder/*", "", "dynamic_int8"},
                                               {"", "CONV_2D", "float32"},
                                               {"encoder/conv_?", "CONV_2D", "weight_only_int8"}}});
  ASSERT_TRUE(book.has_value());
  EXPECT_EQ(book->For("head", FULLY_CONNECTED), Recipe::kFloat16);
  EXPECT_EQ(book->For("encoder/block/dense", FULLY_CONNECTED), Recipe::kDynamicInt8);
  EXPECT_EQ(book->For("encoder/conv", CONV_2D), Recipe::kFloat32);
  EXPECT_EQ(book->For("encoder/conv_1", CONV_2D), Recipe::kWeightOnlyInt8);
  EXPECT_TRUE(book->Unmatched({}).empty());
}

TEST(RecipeTest, EveryMistypedNameIsReportedWithItsNearestMatch) {
  const std::string errors =
      ErrorsOf({"dynamic_int9", {{"", "FULLY_CONECTED", "float61"}, {"", "", "best"}}});
  EXPECT_THAT(errors, HasSubstr("quantize-1: unknown quantization recipe 'dynamic_int9'"));
  EXPECT_THAT(errors, HasSubstr("Did you mean 'dynamic_int8'?"));
  EXPECT_THAT(errors, HasSubstr("quantize-2: LiteRT has no operator 'FULLY_CONECTED'"));
  EXPECT_THAT(errors, HasSubstr("Did you mean 'FULLY_CONNECTED'?"));
  EXPECT_THAT(errors, HasSubstr("Did you mean 'float16'?"));
  EXPECT_THAT(errors, HasSubstr("unknown quantization recipe 'best'"));
  EXPECT_THAT(errors, HasSubstr("Known are float32, float16, dynamic_wi8_afp32, dynamic_int8"));
}

TEST(RecipeTest, RulesThatMatchNothingAreErrors) {
  Result<RecipeBook> book = RecipeBook::Make({"", {{"dense_9", "CONV_2D", "float16"}}});
  ASSERT_TRUE(book.has_value());
  book->For("dense_1", FULLY_CONNECTED);
  const std::vector<Diagnostic> errors = book->Unmatched({"", "dense_1", "softmax"});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message,
            "the rule for layer 'dense_9', operator CONV_2D matches no operator with weights");
  EXPECT_EQ(errors[0].hint, "Did you mean 'dense_1'?");
}

TEST(RecipeTest, Patterns) {
  EXPECT_TRUE(Matches("", ""));
  EXPECT_TRUE(Matches("*", "a/b"));
  EXPECT_TRUE(Matches("a*c*e", "abcde"));
  EXPECT_TRUE(Matches("*/dense_?", "x/y/dense_3"));
  EXPECT_FALSE(Matches("dense", "dense_1"));
  EXPECT_FALSE(Matches("dense_?", "dense_"));
  EXPECT_FALSE(Matches("a*c", "abcd"));
  EXPECT_FALSE(Matches("?", ""));
}

}  // namespace
}  // namespace keras_litert::quantize
