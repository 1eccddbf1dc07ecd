#include "quantize/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace keras_litert::quantize {
namespace {

using testing::ElementsAre;

std::vector<std::string> Recipes(const Part& part) {
  std::vector<std::string> names;
  for (const Choice& choice : part.choices) names.push_back(choice.recipe);
  return names;
}

TEST(SearchTest, OnlyChoicesThatNoneBeatsAreLeft) {
  std::vector<Part> parts{{"a",
                           "",
                           {{"exact", 400, 0},
                            {"worse than small", 120, 9},  // more bytes and more noise than "small"
                            {"small", 100, 8},
                            {"middle", 220, 2},
                            {"as large as middle", 220, 3}}}};
  EXPECT_EQ(ParetoFront(parts, 100).size(), 3U);
  EXPECT_THAT(Recipes(parts[0]), ElementsAre("small", "middle", "exact"));
}

// All 12 combinations, by hand: (bytes, noise) of `keen` plus those of `dull` plus those of `tiny`.
TEST(SearchTest, CombinationsThatNoneBeatsAreInOrder) {
  std::vector<Part> parts{
      {"dull", "", {{"small", 100, 1}, {"exact", 400, 0}}},
      {"keen", "", {{"small", 100, 50}, {"middle", 200, 10}, {"exact", 300, 0}}},
      {"tiny", "", {{"small", 10, 2}, {"exact", 20, 0}}},
  };
  const std::vector<Combination> front = ParetoFront(parts, 100);
  std::vector<std::pair<int64_t, double>> found;
  for (const Combination& one : front) found.emplace_back(one.bytes, one.noise);
  using P = std::pair<int64_t, double>;
  EXPECT_THAT(found, ElementsAre(P(210, 53), P(220, 51), P(310, 13), P(320, 11), P(410, 3),
                                 P(420, 1), P(720, 0)));
  EXPECT_THAT(front[3].choices, ElementsAre(0, 1, 1));
  EXPECT_THAT(front.back().choices, ElementsAre(1, 2, 1));
}

// Of 2²⁰ combinations that none beats, some; what each is said to be is what it is.
TEST(SearchTest, AFrontOfManyCombinationsIsThinned) {
  std::vector<Part> parts;
  for (int i = 0; i < 20; ++i) {
    parts.push_back({"", "", {{"small", 0, std::ldexp(1.0, i)}, {"exact", 1 << i, 0}}});
  }
  const std::vector<Combination> front = ParetoFront(parts, 50);
  ASSERT_EQ(front.size(), 50U);
  EXPECT_EQ(front.front().bytes, 0);
  EXPECT_EQ(front.back().noise, 0);
  for (size_t i = 0; i < front.size(); ++i) {
    int64_t bytes = 0;
    double noise = 0;
    for (size_t part = 0; part < parts.size(); ++part) {
      bytes += parts[part].choices[front[i].choices[part]].bytes;
      noise += parts[part].choices[front[i].choices[part]].noise;
    }
    EXPECT_EQ(front[i].bytes, bytes);
    EXPECT_EQ(front[i].noise, noise);
    if (i == 0) continue;
    EXPECT_GT(front[i].bytes, front[i - 1].bytes);
    EXPECT_LT(front[i].noise, front[i - 1].noise);
  }
}

TEST(SearchTest, PartsWithOneChoiceMakeOneCombination) {
  std::vector<Part> parts{{"a", "", {{"float16", 10, 0}}}, {"b", "", {{"x", 5, 0}, {"y", 9, 0}}}};
  EXPECT_EQ(ParetoFront(parts, 100).size(), 1U);
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
