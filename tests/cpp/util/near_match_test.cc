#include "util/near_match.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace keras_litert {
namespace {

std::string Match(std::string_view word, std::vector<std::string_view> candidates) {
  return NearMatch(word, candidates).value_or("(none)");
}

const std::vector<std::string_view> kLayers = {
    "Add",  "Conv1D", "Conv2D", "Conv2DTranspose", "Dense", "Dot", "Dropout", "LayerNormalization",
    "LSTM", "GRU",    "ReLU",   "ZeroPadding2D",   "PReLU"};

TEST(NearMatch, FindsOneEdit) {
  EXPECT_EQ(Match("Dens", kLayers), "Dense");    // deletion
  EXPECT_EQ(Match("Densee", kLayers), "Dense");  // insertion
  EXPECT_EQ(Match("Danse", kLayers), "Dense");   // substitution
  EXPECT_EQ(Match("Desne", kLayers), "Dense");   // swap of neighbours
}

TEST(NearMatch, SwapCostsOneEditNotTwo) {
  // "ab" for "ba" is within the one edit that names of this length are allowed.
  EXPECT_EQ(Match("GUR", {"GRU"}), "GRU");
  EXPECT_EQ(Match("URG", {"GRU"}), "(none)");
}

TEST(NearMatch, CaseAndUnderscoreAreCheap) {
  EXPECT_EQ(Match("lstm", kLayers), "LSTM");
  EXPECT_EQ(Match("static_batch", {"static-batch", "dump-after"}), "static-batch");
  EXPECT_EQ(Match("zero_padding2d", kLayers), "ZeroPadding2D");
}

TEST(NearMatch, TakesTheNearest) {
  EXPECT_EQ(Match("Conv2d", kLayers), "Conv2D");
  EXPECT_EQ(Match("Conv1d", kLayers), "Conv1D");
  EXPECT_EQ(Match("relu", kLayers), "ReLU");
}

TEST(NearMatch, FirstOfEquallyNear) {
  EXPECT_EQ(Match("cat", {"bat", "rat"}), "bat");
}

TEST(NearMatch, AllowsMoreEditsInLongNames) {
  EXPECT_EQ(Match("LayerNormalisation", kLayers), "LayerNormalization");
  EXPECT_EQ(Match("LayerNormalizatin", kLayers), "LayerNormalization");
  EXPECT_EQ(Match("LayerNorm", kLayers), "LayerNormalization");  // contained
}

TEST(NearMatch, OnlyContainingCandidate) {
  EXPECT_EQ(Match("batch", {"static-batch", "dump-after"}), "static-batch");
  EXPECT_EQ(Match("batch", {"static-batch", "dynamic-batch"}), "(none)");
  EXPECT_EQ(Match("bat", {"static-batch", "dump-after"}), "(none)");
}

TEST(NearMatch, SuggestsNothingForUnrelatedNames) {
  EXPECT_EQ(Match("MyFancyLayer", kLayers), "(none)");
  EXPECT_EQ(Match("xyz", {"Add", "Dot"}), "(none)");
  EXPECT_EQ(Match("x", {"y"}), "(none)");
  EXPECT_EQ(Match("", kLayers), "(none)");
  EXPECT_EQ(Match("Dense", {}), "(none)");
  EXPECT_EQ(Match("Dense", {""}), "(none)");
}

TEST(NearMatch, EqualNameMatches) {
  EXPECT_EQ(Match("Dense", kLayers), "Dense");
}

TEST(NearMatch, VeryLongNamesMatchNothing) {
  const std::string long_name(100'000, 'a');
  EXPECT_EQ(Match(long_name, {long_name}), "(none)");
  EXPECT_EQ(Match("aaaaaaa", {long_name}), "(none)");
  const std::string longest(128, 'a');
  EXPECT_EQ(Match(longest, {longest}), longest);
}

}  // namespace
}  // namespace keras_litert
