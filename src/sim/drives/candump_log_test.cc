#include "sim/drives/candump_log.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::sim {
namespace {

TEST(CandumpLogTest, ReadsShortAndLongIds) {
  const auto frame = ParseCandumpLine("(1627274455.012500) can1 7E8#03412F8C");
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->at_us, 1627274455'012'500);
  EXPECT_EQ(frame->channel, "can1");
  EXPECT_EQ(frame->id, 0x7E8u);
  EXPECT_FALSE(frame->is_extended);
  ASSERT_EQ(frame->size, 4);
  EXPECT_EQ(frame->data[3], 0x8C);
  const auto extended = ParseCandumpLine("(46408.58) can0 18FEF100#F7000004000000FF ");
  ASSERT_TRUE(extended);
  EXPECT_EQ(extended->at_us, 46408'580'000);
  EXPECT_EQ(extended->id, 0x18FEF100u);
  EXPECT_TRUE(extended->is_extended);
  EXPECT_EQ(extended->size, 8);
  EXPECT_EQ(ParseCandumpLine("(1) can0 001#")->size, 0);
}

TEST(CandumpLogTest, RefusesWhatIsNoFrame) {
  for (const std::string line :
       {"", "(1.0) can0", "1.0 can0 001#00", "(1.0)can0 001#00", "(x) can0 001#00",
        "(1.0) can0 1#00", "(1.0) can0 8FF#00", "(1.0) can0 FFFFFFFF#00", "(1.0) can0 001#0",
        "(1.0) can0 001#0G", "(1.0) can0 001#R", "(1.0) can0 001##100",
        "(1.0) can0 001#000000000000000000", "(-1.0) can0 001#00", "(1e3) can0 001#00",
        "(99999999999.0) can0 001#00", "(1.) can0 001#00", "(1.0) can0 0x1#00"}) {
    EXPECT_FALSE(ParseCandumpLine(line)) << line;
  }
}

}  // namespace
}  // namespace telltale::sim
