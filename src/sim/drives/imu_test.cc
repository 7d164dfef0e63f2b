#include "sim/drives/imu.h"

#include <gtest/gtest.h>

namespace telltale::sim {
namespace {

// A sensor on its side (x up), at rest but for what is given.
std::vector<ImuSample> OnItsSide(std::size_t seconds) {
  std::vector<ImuSample> samples;
  for (std::size_t i = 0; i < seconds * 10; ++i) {
    samples.push_back({.at_us = static_cast<std::int64_t>(i) * 100'000,
                       .acceleration_mps2 = {9.81, 0, 0},
                       .rate_dps = {0, 0, 0}});
  }
  return samples;
}

TEST(ImuTest, UpIsWhereGravitySays) {
  auto samples = OnItsSide(10);
  samples[5].acceleration_mps2[0] += 1;
  samples[5].rate_dps = {3, 50, -50};
  const auto mount = ImuMount::Of(samples);
  ASSERT_TRUE(mount);
  EXPECT_DOUBLE_EQ(mount->YawRateDps(samples[5]), 3);
  EXPECT_NEAR(mount->VerticalMps2(samples[5]), 1, 1e-9);
  EXPECT_NEAR(mount->VerticalMps2(samples[6]), 0, 1e-9);
  EXPECT_GT(mount->moved_at_us(), samples.back().at_us);
}

TEST(ImuTest, FromTheMomentItIsTakenInHandItSaysNothing) {
  auto turned = OnItsSide(10);
  turned[75].rate_dps[1] = -120;
  EXPECT_EQ(ImuMount::Of(turned)->moved_at_us(), 7'000'000);
  auto tilted = OnItsSide(10);
  for (std::size_t i = 80; i < 90; ++i) tilted[i].acceleration_mps2 = {6.9, 6.9, 0};
  EXPECT_EQ(ImuMount::Of(tilted)->moved_at_us(), 8'000'000);
}

TEST(ImuTest, WithoutGravityThereIsNoUp) {
  EXPECT_FALSE(ImuMount::Of({}));
  auto falling = OnItsSide(2);
  for (ImuSample& sample : falling) sample.acceleration_mps2 = {1, 0, 0};
  EXPECT_FALSE(ImuMount::Of(falling));
}

TEST(ImuTest, RowsThatAreNotValidAreCountedNotRead) {
  RowCounts counts;
  const auto samples = ReadImuTable(
      "t_epoch,imu_valid,acc_x_mps2,acc_y_mps2,acc_z_mps2,gyro_x_dps,gyro_y_dps,gyro_z_dps\n"
      "1627274471.6714,1,10.125,0.375,-0.625,13.75,0.75,1.00\n"
      "1627274680.3210,0,-64.000,-64.000,-64.000,0.00,0.00,0.00\n"
      "1627274680.33,1,1,1,1\n"
      "soon,1,1,1,1,1,1,1\n",
      counts);
  ASSERT_TRUE(samples.ok());
  ASSERT_EQ(samples->size(), 1u);
  EXPECT_EQ(samples->front().at_us, 1627274471'671'400);
  EXPECT_EQ(counts.rows, 3u);
  EXPECT_EQ(counts.dropped[static_cast<std::size_t>(RowDrop::kNothing)], 1u);
  EXPECT_EQ(counts.dropped[static_cast<std::size_t>(RowDrop::kMalformed)], 1u);
  EXPECT_EQ(counts.dropped[static_cast<std::size_t>(RowDrop::kNoTime)], 1u);
  EXPECT_EQ(counts.values_dropped[static_cast<std::size_t>(ValueDrop::kInvalid)], 6u);
  EXPECT_FALSE(ReadImuTable("a,b\n", counts).ok());
}

}  // namespace
}  // namespace telltale::sim
