#include "base/logging.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace telltale {
namespace {

constexpr std::int64_t kMoment = 1'764'000'000'123'456;

std::string LineOf(LogForm form, std::string_view message) {
  std::string out;
  AppendLogLine(out, form, {kMoment, "warn", "gateway", message});
  return out;
}

TEST(LoggingTest, LogfmtHasTimeLevelRoleAndMessage) {
  EXPECT_EQ(LineOf(LogForm::kLogfmt, "gateway: disk \"full\""),
            R"(ts=2025-11-24T16:00:00.123Z level=warn role=gateway msg="disk \"full\"")");
}

TEST(LoggingTest, JsonParsesBackWhateverTheMessageHolds) {
  const std::string all = [] {
    std::string text;
    for (int c = 1; c < 128; ++c) text.push_back(static_cast<char>(c));
    return text + "\xc3\xa9 \xf0\x9f\x9a\x97";
  }();
  const auto parsed = nlohmann::json::parse(LineOf(LogForm::kJson, all));
  EXPECT_EQ(parsed["msg"], all);
  EXPECT_EQ(parsed["ts"], "2025-11-24T16:00:00.123Z");
  EXPECT_EQ(parsed["level"], "warn");
  EXPECT_EQ(parsed["role"], "gateway");
}

TEST(LoggingTest, AMessageFromAPeerCannotForgeALine) {
  for (const LogForm form : {LogForm::kLogfmt, LogForm::kJson}) {
    const std::string line =
        LineOf(form, "a\nts=2030-01-01T00:00:00Z level=error\r\x1b[31m\xff\xc0\xaf");
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find('\xff'), std::string::npos);
    EXPECT_NE(line.find("\\ufffd"), std::string::npos);
  }
}

TEST(LoggingTest, BytesCutInTheMiddleOfACharacterAreReplaced) {
  for (const char* cut : {"\xc3", "\xe2\x82", "\xf0\x9f\x9a", "\xed\xa0\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_TRUE(nlohmann::json::accept(LineOf(LogForm::kJson, cut))) << cut;
  }
}

TEST(LoggingTest, OnlyTheFormatsAndLevelsOfTheReferenceAreTaken) {
  EXPECT_EQ(ConfigureLogging("x", "xml", "info").error().code, Code::kInvalid);
  EXPECT_EQ(ConfigureLogging("x", "json", "loud").error().code, Code::kInvalid);
}

}  // namespace
}  // namespace telltale
