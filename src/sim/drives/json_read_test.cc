#include "sim/drives/json_read.h"

#include <gtest/gtest.h>

namespace telltale::sim {
namespace {

TEST(JsonReadTest, WhatIsNotJsonIsAnErrorAndNotAnException) {
  for (const char* text : {"", "{", "{\"a\":1e999}", "\xff\xfe", "{\"a\":\"\xc3\"}"}) {
    const auto parsed = ParseJson(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
  }
  EXPECT_FALSE(ParseJson(std::string(200'000, '[')).ok());
  EXPECT_FALSE(ParseJson(std::string(65, '[') + std::string(65, ']')).ok());
  EXPECT_TRUE(ParseJson(std::string(64, '[') + std::string(64, ']')).ok());
  EXPECT_TRUE(ParseJson("[\"" + std::string(100, '[') + "\\\"{\"]").ok());
}

TEST(JsonReadTest, MissingMembersAndOtherKindsAreNothing) {
  const auto json = ParseJson(R"({"a":{"b":1.5,"t":true,"s":"x"},"l":[1]})");
  ASSERT_TRUE(json.ok());
  const Json* a = Member(*json, "a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(NumberIn(*a, "b"), 1.5);
  EXPECT_EQ(NumberIn(*a, "t"), std::nullopt);
  EXPECT_EQ(NumberIn(*a, "s"), std::nullopt);
  EXPECT_EQ(TextIn(*a, "s"), "x");
  EXPECT_EQ(TextIn(*a, "b"), "");
  EXPECT_EQ(Inside(*json, {"a", "b", "c"}), nullptr);
  EXPECT_EQ(Inside(*json, {"no", "b"}), nullptr);
  EXPECT_EQ(Member(*Member(*json, "l"), "a"), nullptr);
}

TEST(JsonReadTest, ATypedModelKeepsOnlyHarmlessCharacters) {
  EXPECT_EQ(ModelOf(" KIA Picanto\n,1;x"), "KIA Picanto1x");
  EXPECT_EQ(ModelOf(",,"), "recorded");
  EXPECT_EQ(ModelOf(std::string(100, 'a')).size(), 40u);
}

}  // namespace
}  // namespace telltale::sim
