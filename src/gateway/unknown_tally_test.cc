#include "gateway/unknown_tally.h"

#include <gtest/gtest.h>

namespace telltale::gateway {
namespace {

using contract::UnknownField;
using Why = UnknownField::Why;

UnknownField FieldOf(std::uint32_t number, std::uint32_t bytes) {
  UnknownField field;
  field.number = number;
  field.wire_type = 2;
  field.bytes = bytes;
  return field;
}

TEST(UnknownTallyTest, SizesAreToldByPowersOfTwoOnly) {
  UnknownTally tally;
  for (const auto& [bytes, at_most] :
       std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 1}, {1, 1}, {5, 8}, {8, 8}}) {
    const UnknownField field = FieldOf(900 + bytes, bytes);
    tally.Add("1.0.0", {&field, 1}, Micros{1}, 1);
    const auto counts = tally.counts();
    EXPECT_TRUE(counts.contains({"", 900 + bytes, 2, Why::kUndeclared, at_most, "1.0.0"})) << bytes;
  }
}

TEST(UnknownTallyTest, TheFileGivesBackWhatWasCountedAndCountingGoesOn) {
  UnknownTally tally;
  UnknownField nested = FieldOf(77, 3);
  nested.path = "140.";
  nested.why = Why::kWireType;
  tally.Add("2.1.0", {&nested, 1}, Micros{50}, 3);
  tally.Add("2.1.0", {&nested, 1}, Micros{70}, 4);
  const auto read = UnknownTally::FromJson(UnknownTally::ToJson(tally.counts()));
  ASSERT_TRUE(read.ok());

  UnknownTally next;
  next.Add(*read);
  next.Add("2.1.0", {&nested, 1}, Micros{60}, 5);
  const auto counts = next.counts();
  ASSERT_EQ(counts.size(), 1u);
  const UnknownCount& count = counts.at({"140.", 77, 2, Why::kWireType, 4, "2.1.0"});
  EXPECT_EQ(count.count, 3u);
  EXPECT_EQ(count.first_seen, Micros{50});
  EXPECT_EQ(count.last_seen, Micros{70});
  EXPECT_EQ(count.contract_number, 4u);
}

TEST(UnknownTallyTest, AFloodOfNumbersIsBoundedAndStillCounted) {
  UnknownTally tally;
  for (std::uint32_t number = 1; number <= UnknownTally::kUnknownKeysMax + 500; ++number) {
    const UnknownField field = FieldOf(number, 1);
    tally.Add("1.0.0", {&field, 1}, Micros{1}, 1);
  }
  const auto counts = tally.counts();
  EXPECT_EQ(counts.size(), UnknownTally::kUnknownKeysMax + 1);
  EXPECT_EQ(counts.at(UnknownKey{}).count, 500u);
}

TEST(UnknownTallyTest, AFileThatIsNoneIsCorruptAndANewerOneUnsupported) {
  for (const char* text : {"", "{}", "[]", R"({"version":1})", R"({"version":1,"fields":[{}]})",
                           R"({"version":1,"fields":[{"path":3}]})"}) {
    EXPECT_EQ(UnknownTally::FromJson(text).error().code, Code::kCorrupt) << text;
  }
  EXPECT_EQ(UnknownTally::FromJson(R"({"version":2,"fields":[]})").error().code,
            Code::kUnsupported);
}

}  // namespace
}  // namespace telltale::gateway
