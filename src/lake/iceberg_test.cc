#include "lake/iceberg.h"

#include <gtest/gtest.h>

namespace telltale::lake {
namespace {

// Appendix B of the Iceberg specification gives "iceberg"; the others are MurmurHash3's own.
TEST(IcebergTest, HashesAsTheSpecificationSays) {
  EXPECT_EQ(Murmur3(AsBytes("iceberg")), 1210000089u);
  EXPECT_EQ(Murmur3(AsBytes("")), 0u);
  // The specification's bytes 00 01 02 03 hash to -188683207.
  EXPECT_EQ(static_cast<std::int32_t>(Murmur3(AsBytes(std::string_view("\x00\x01\x02\x03", 4)))),
            -188683207);
  // Its uuid f79c3e09-677c-4bbd-a479-3f349cb785e7 hashes to 1488055340.
  EXPECT_EQ(Murmur3(AsBytes(std::string_view(
                "\xf7\x9c\x3e\x09\x67\x7c\x4b\xbd\xa4\x79\x3f\x34\x9c\xb7\x85\xe7", 16))),
            1488055340u);
}

TEST(IcebergTest, BucketsAreTheHashWithoutItsSign) {
  EXPECT_EQ(BucketOf("iceberg", 4), 1210000089 % 4);
  for (const char* text : {"a", "b", "00000000000000000000000000000000", "\xff"}) {
    const std::int32_t bucket = BucketOf(text, kVehicleBuckets);
    EXPECT_GE(bucket, 0);
    EXPECT_LT(bucket, kVehicleBuckets);
  }
}

TEST(IcebergTest, DaysAndHoursRoundDownOnBothSidesOf1970) {
  EXPECT_EQ(DayOf(Micros{0}), 0);
  EXPECT_EQ(DayOf(Micros{86'400'000'000 - 1}), 0);
  EXPECT_EQ(DayOf(Micros{86'400'000'000}), 1);
  EXPECT_EQ(DayOf(Micros{-1}), -1);
  EXPECT_EQ(HourOf(Micros{3'600'000'001}).value, 3'600'000'000);
  EXPECT_EQ(HourOf(Micros{-1}).value, -3'600'000'000);
  EXPECT_EQ(DayName(20'416), "2025-11-24");
}

}  // namespace
}  // namespace telltale::lake
