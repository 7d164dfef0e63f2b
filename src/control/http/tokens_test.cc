#include "control/http/tokens.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "control/http/yaml_json.h"

namespace telltale::control {
namespace {

const std::string kPath = "/d/data/control/tokens.json";

class TokensTest : public ::testing::Test {
 protected:
  TokensTest() { CHECK(disk_.MakeFolders("/d/data/control", 0750).ok()); }
  SimDisk disk_;
  SeededRandom random_{7};
};

TEST_F(TokensTest, ATokenIsToldOnceAndKeptNowhere) {
  const auto ann = NewToken(disk_, random_, kPath, "ann", Micros{5});
  ASSERT_TRUE(ann.ok()) << ann.error().ToString();
  EXPECT_EQ(ann->size(), 43u);
  const auto text = ReadWholeFile(disk_, kPath);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->find(*ann), std::string::npos);
  const auto bob = NewToken(disk_, random_, kPath, "bob", Micros{6});
  ASSERT_TRUE(bob.ok());
  EXPECT_EQ(NewToken(disk_, random_, kPath, "ann", Micros{7}).error().code, Code::kExists);
  TokenBook book;
  book.Set(*ReadTokens(disk_, kPath));
  EXPECT_EQ(book.SubjectOf(*ann), "token:ann");
  EXPECT_EQ(book.SubjectOf(*bob), "token:bob");
  EXPECT_EQ(book.SubjectOf(*bob + "x"), "");
  EXPECT_EQ(book.SubjectOf(TokenDigest(*ann)), "") << "who has read the file has no token";
  EXPECT_EQ(book.SubjectOf(""), "");
  ASSERT_TRUE(RevokeToken(disk_, kPath, "ann").ok());
  EXPECT_EQ(RevokeToken(disk_, kPath, "ann").error().code, Code::kNotFound);
  book.Set(*ReadTokens(disk_, kPath));
  EXPECT_EQ(book.SubjectOf(*ann), "");
  EXPECT_EQ(book.SubjectOf(*bob), "token:bob");
}

TEST_F(TokensTest, ANameIsOneThatARoleBindingCanHave) {
  for (const char* name : {"", "-a", "A", "a b", "a\n", "ä"}) {
    EXPECT_EQ(NewToken(disk_, random_, kPath, name, Micros{}).error().code, Code::kInvalid) << name;
  }
  EXPECT_TRUE(NewToken(disk_, random_, kPath, std::string(63, 'a'), Micros{}).ok());
  EXPECT_FALSE(IsTokenName(std::string(64, 'a')));
}

TEST_F(TokensTest, ADamagedFileOrANewerOneIsNotRead) {
  EXPECT_TRUE(ReadTokens(disk_, kPath)->empty()) << "none yet";
  const std::string digest(64, 'a');
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string(R"({"format":1})"),
        std::string(R"({"format":1,"tokens":[1]})"),
        R"({"format":1,"tokens":[{"name":"A","sha256":")" + digest + R"(","created_at_us":1}]})",
        std::string(R"({"format":1,"tokens":[{"name":"a","sha256":"b","created_at_us":1}]})")}) {
    ASSERT_TRUE(WriteFileDurably(disk_, kPath, text).ok());
    EXPECT_EQ(ReadTokens(disk_, kPath).error().code, Code::kCorrupt) << text;
  }
  ASSERT_TRUE(WriteFileDurably(disk_, kPath, R"({"format":2,"tokens":[]})").ok());
  EXPECT_EQ(ReadTokens(disk_, kPath).error().code, Code::kUnsupported);
}

TEST(YamlJsonTest, AScalarIsWhatYamlMeansByIt) {
  const auto read = JsonOfYaml(
      "a: 1\nb: '1'\nc: true\nd: \"true\"\ne:\nf: 2026-01-31T12:00:00Z\ng: [x, -2.5, ~]\n"
      "h: {i: 18446744073709551615}\nj: 0x10\nk: 12ab\nl: ''\n");
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(*read, nlohmann::json::parse(R"({"a":1,"b":"1","c":true,"d":"true","e":null,
      "f":"2026-01-31T12:00:00Z","g":["x",-2.5,null],"h":{"i":18446744073709551615},
      "j":"0x10","k":"12ab","l":""})"));
}

TEST(YamlJsonTest, WhatIsNoOneDocumentIsRefusedWithItsLine) {
  const auto bad = JsonOfYaml("a: 1\nb: [\n");
  ASSERT_FALSE(bad.ok());
  EXPECT_TRUE(bad.error().message.starts_with("line ")) << bad.error().message;
  EXPECT_EQ(JsonOfYaml("a: 1\na: 2\n").error().message, "line 2: a comes twice");
  EXPECT_FALSE(JsonOfYaml("a: 1\n---\nb: 2\n").ok());
  EXPECT_FALSE(JsonOfYaml("? [a]\n: b\n").ok());
  EXPECT_FALSE(JsonOfYaml(std::string(50, '[') + std::string(50, ']')).ok());
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int n = 1; n < 8; ++n) {
    bomb += "a" + std::to_string(n) + ": &a" + std::to_string(n) + " [";
    for (int k = 0; k < 10; ++k)
      bomb += std::string(k > 0 ? "," : "") + "*a" + std::to_string(n - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(JsonOfYaml(bomb).error().code, Code::kTooBig);
}

}  // namespace
}  // namespace telltale::control
