#include "archive/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace keras_litert::archive {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto value = ParseJson(text, "config.json");
  return value ? "no error" : value.error().ToString();
}

TEST(JsonTest, StandardJsonIsWhatNlohmannReads) {
  for (const std::string text :
       {R"({"a": [1, -2, 2.5e3, true, false, null, "x\"\\\u00e9"], "b": {}})", "[]", "3", "\"s\"",
        "null", R"([[], [[null]], {"NaN": "Infinity", "c": "\"NaN"}])"}) {
    const auto value = ParseJson(text, "");
    ASSERT_TRUE(value.has_value()) << value.error().ToString();
    EXPECT_EQ(*value, nlohmann::json::parse(text));
  }
}

TEST(JsonTest, PythonsSpecialNumbersAreNumbers) {
  const auto value =
      ParseJson(R"({"a": NaN, "b": [null, Infinity, -Infinity, -1], "NaN": "-Infinity"})", "");
  ASSERT_TRUE(value.has_value()) << value.error().ToString();
  EXPECT_TRUE(std::isnan((*value)["a"].get<double>()));
  EXPECT_TRUE((*value)["b"][0].is_null());
  EXPECT_EQ((*value)["b"][1].get<double>(), INFINITY);
  EXPECT_EQ((*value)["b"][2].get<double>(), -INFINITY);
  EXPECT_EQ((*value)["b"][3].get<int>(), -1);
  EXPECT_EQ((*value)["NaN"].get<std::string>(), "-Infinity");
}

TEST(JsonTest, DamageIsAnError) {
  EXPECT_EQ(ErrorOf("{\"a\": }"),
            "config.json: archive-16: it is no valid JSON at byte 7\n"
            "  help: Save the model again with Keras.");
  for (const char* text : {"", "{", "[1,]", "nan", "NaNN", "[1] 2", "-", "--Infinity", "\"\xff\"",
                           "\"\\", "{NaN: 1}", "1e999"}) {
    EXPECT_THAT(ErrorOf(text), ::testing::StartsWith("config.json: archive-16: it is no valid"))
        << text;
  }
  EXPECT_EQ(ErrorOf(R"({"a": 1, "a": 2})"),
            "config.json: archive-16: an object has the key `a` twice\n"
            "  help: Save the model again with Keras.");
}

TEST(JsonTest, DepthIsLimited) {
  EXPECT_EQ(ErrorOf(std::string(1000, '[') + std::string(1000, ']')), "no error");
  EXPECT_THAT(ErrorOf(std::string(1001, '[') + std::string(1001, ']')),
              ::testing::HasSubstr("archive-16: it is nested more than 1000 deep"));
  EXPECT_THAT(ErrorOf(std::string(10000000, '[')), ::testing::HasSubstr("nested more than"));
}

}  // namespace
}  // namespace keras_litert::archive
