#include "lake/gaps.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace telltale::lake {
namespace {

constexpr Micros kHour{3'600'000'000};

Micros At(std::int64_t seconds) { return Micros::Seconds(1000 + seconds); }

class GapsTest : public ::testing::Test {
 protected:
  // The change of `missing` that the call brings.
  std::int64_t See(std::uint64_t seq, std::int64_t second) {
    deltas_.clear();
    gaps_.See(seq, kHour, At(second), deltas_);
    return Sum();
  }
  std::int64_t Book(std::int64_t second) {
    deltas_.clear();
    gaps_.Book(At(second), deltas_);
    return Sum();
  }
  std::int64_t Close() {
    deltas_.clear();
    gaps_.Close(deltas_);
    return Sum();
  }
  std::int64_t Sum() const {
    std::int64_t sum = 0;
    for (const MissingDelta& delta : deltas_) {
      EXPECT_EQ(delta.hour, kHour);
      sum += delta.missing;
    }
    return sum;
  }
  BootGaps gaps_;
  std::vector<MissingDelta> deltas_;
};

TEST_F(GapsTest, AGapIsMissingOnlyWhenOlderThanTheLateness) {
  EXPECT_EQ(See(0, 0), 0);
  EXPECT_EQ(See(5, 10), 0);
  EXPECT_EQ(Book(10 + 300), 0);  // exactly that old is not older
  EXPECT_EQ(Book(10 + 301), 4);
  EXPECT_EQ(Book(10 + 9999), 0);  // once
}

TEST_F(GapsTest, AGapThatFillsInTimeIsNeverMissing) {
  See(0, 0);
  See(3, 1);
  EXPECT_EQ(See(1, 2), 0);
  EXPECT_EQ(See(2, 3), 0);
  EXPECT_EQ(Book(1000), 0);
  EXPECT_TRUE(gaps_.gaps().empty());
}

TEST_F(GapsTest, ALateReportTakesBackWhatWasBooked) {
  See(0, 0);
  See(10, 1);
  EXPECT_EQ(Book(1000), 9);
  EXPECT_EQ(See(5, 1001), -1);  // inside
  EXPECT_EQ(See(1, 1002), -1);  // at the edges
  EXPECT_EQ(See(9, 1003), -1);
  EXPECT_EQ(gaps_.gaps().size(), 2u);
  EXPECT_EQ(Book(9999), 0);
}

TEST_F(GapsTest, NumbersBeforeTheFirstSeenAreMissingToo) {
  See(4, 0);
  EXPECT_EQ(Book(1000), 4);
}

TEST_F(GapsTest, ALaterBootClosesTheGapsAtOnceAndNamesTheTail) {
  See(0, 0);
  See(2, 1);
  EXPECT_TRUE(gaps_.ExpectThrough(7, kHour, At(2)));
  EXPECT_EQ(Close(), 1 + 5);
  EXPECT_FALSE(gaps_.ExpectThrough(7, kHour, At(3)));  // the car repeats it
  EXPECT_EQ(Close(), 0);
  EXPECT_EQ(See(7, 4), -1);
}

TEST_F(GapsTest, ABootOfWhichNothingCameIsAllMissing) {
  EXPECT_TRUE(gaps_.ExpectThrough(9, kHour, At(0)));
  EXPECT_EQ(Close(), 10);
}

TEST_F(GapsTest, AnImplausibleJumpIsCountedApartAndNotBooked) {
  See(0, 0);
  See(std::uint64_t{1} << 60, 1);
  EXPECT_EQ(Book(1000), 0);
  EXPECT_EQ(gaps_.implausible(), 1u);
  EXPECT_EQ(See(17, 1001), 0);
  See(~std::uint64_t{0}, 1002);
  EXPECT_FALSE(gaps_.ExpectThrough(~std::uint64_t{0}, kHour, At(1003)));
}

TEST_F(GapsTest, TheNumberOfGapsIsBoundedAndTheOldestIsBookedWhenForgotten) {
  std::int64_t booked = 0;
  for (std::uint64_t i = 0; i <= kGapsPerBootMax + 10; ++i) booked += See(2 * i + 1, 0);
  EXPECT_EQ(gaps_.gaps().size(), kGapsPerBootMax);
  EXPECT_EQ(booked + Book(1000), static_cast<std::int64_t>(kGapsPerBootMax) + 11);
}

TEST_F(GapsTest, AHoleFilledFromWithinStaysBoundedAndItsStateOpensAgain) {
  See(0, 0);
  See(100'000, 0);
  for (std::uint64_t seq = 2; seq < 18'400; seq += 2) See(seq, 0);
  EXPECT_EQ(gaps_.gaps().size(), kGapsPerBootMax);
  std::string bytes;
  gaps_.Encode(bytes);
  ByteReader in(bytes);
  BootGaps again;
  EXPECT_TRUE(BootGaps::Decode(in, again));
}

TEST_F(GapsTest, SurvivesEncodingAndRefusesCutBytes) {
  See(0, 0);
  See(5, 1);
  See(9, 2);
  Book(1000);
  std::string bytes;
  gaps_.Encode(bytes);
  ByteReader in(bytes);
  BootGaps again;
  ASSERT_TRUE(BootGaps::Decode(in, again));
  std::string twice;
  again.Encode(twice);
  EXPECT_EQ(twice, bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    BootGaps out;
    EXPECT_FALSE(BootGaps::Decode(cut, out)) << size;
  }
}

}  // namespace
}  // namespace telltale::lake
