#include "quantize/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keras_litert::quantize {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Recipes(const Part& part) {
  std::vector<std::string> names;
  for (const Choice& choice : part.choices) names.push_back(choice.recipe);
  return names;
}

TEST(SearchTest, OnlyChoicesThatAreWorthTheirBytesAreLeft) {
  std::vector<Part> parts{{"a",
                           "",
                           {{"exact", 400, 0},
                            {"worse than small", 120, 9},  // more bytes and more noise than "small"
                            {"small", 100, 8},
                            // 1 of noise for 100 bytes, then 7 for 200: above the line of the rest
                            {"dear", 200, 7},
                            {"middle", 220, 2}}}};
  EXPECT_THAT(MakePath(parts), ElementsAre(0, 0));
  EXPECT_THAT(Recipes(parts[0]), ElementsAre("small", "middle", "exact"));
}

TEST(SearchTest, MostNoiseForAByteComesFirst) {
  std::vector<Part> parts{
      {"dull", "", {{"small", 100, 1}, {"exact", 400, 0}}},                        // 1/300
      {"keen", "", {{"small", 100, 50}, {"middle", 200, 10}, {"exact", 300, 0}}},  // 0.4, 0.1
      {"tiny", "", {{"small", 10, 2}, {"exact", 20, 0}}},                          // 0.2
  };
  EXPECT_THAT(MakePath(parts), ElementsAre(1, 2, 1, 0));
}

TEST(SearchTest, APartWithoutAChoiceHasNoStep) {
  std::vector<Part> parts{{"a", "", {{"float16", 10, 0}}}, {"b", "", {{"x", 5, 0}, {"y", 9, 0}}}};
  EXPECT_THAT(MakePath(parts), IsEmpty());
  EXPECT_THAT(Recipes(parts[1]), ElementsAre("x"));
}

TEST(SearchTest, TheMostFrequentRecipeNeedsNoRules) {
  const std::vector<Part> parts{{"a", "CONV_2D", {{"int8", 1, 0}, {"float16", 2, 0}}},
                                {"b", "CONV_2D", {{"int8", 1, 0}, {"float16", 2, 0}}},
                                {"c", "CONV_2D", {{"int8", 1, 0}, {"float16", 2, 0}}}};
  const QuantizeOptions options = MakeRecipe(parts, std::vector<size_t>{0, 1, 0}, "");
  EXPECT_EQ(options.recipe, "int8");
  ASSERT_EQ(options.rules.size(), 1U);
  EXPECT_EQ(options.rules[0].layer, "b");
  EXPECT_EQ(options.rules[0].op, "CONV_2D");
  EXPECT_EQ(options.rules[0].recipe, "float16");
  EXPECT_EQ(MakeRecipe(parts, std::vector<size_t>{0, 0, 0}, "float32").rules.size(), 3U);
}

// Its rule is for any layer: it must come first, and every other part needs its own behind it.
TEST(SearchTest, ALayerWithoutANameDoesNotSpeakForOthers) {
  const std::vector<Part> parts{{"a", "CONV_2D", {{"int8", 1, 0}}},
                                {"", "CONV_2D", {{"float16", 2, 0}}},
                                {"c", "CONV_2D", {{"int8", 1, 0}}}};
  const QuantizeOptions options = MakeRecipe(parts, std::vector<size_t>{0, 0, 0}, "");
  ASSERT_EQ(options.rules.size(), 3U);
  EXPECT_EQ(options.rules[0].layer, "");
  EXPECT_EQ(options.rules[1].layer, "a");
  EXPECT_EQ(options.rules[1].recipe, "int8");
}

}  // namespace
}  // namespace keras_litert::quantize
