// How long and how far vehicles drove, whatever a release says.
#include "gate/exposure.h"

#include "gate/observer_testing.h"

namespace telltale::gate {
namespace {

using testing::CarOf;

class ExposureTest : public ::testing::Test {
 protected:
  void Drive(std::uint64_t seq, std::int64_t event_s, std::optional<double> speed_kmh) {
    tally_.Take({.vehicle = kCar,
                 .boot = {1, 7},
                 .seq = seq,
                 .event_at = Micros::Seconds(event_s),
                 .log_time = Micros::Seconds(event_s),
                 .firmware = "1.0",
                 .speed_kmh = speed_kmh},
                [this](PartitionId, const VehicleRef&) { return warm_since_; });
  }
  const VehicleExposure& car() const { return tally_.vehicles().at(kCar); }

  const VehicleRef kCar = CarOf(0, 1);
  std::optional<Micros> warm_since_ = Micros{0};
  ExposureTally tally_;
};

TEST_F(ExposureTest, TimeAndDistanceAreThoseBetweenReports) {
  Drive(0, 100, 36);
  Drive(1, 110, 72);
  Drive(2, 112, 0);
  Drive(3, 120, 0);
  EXPECT_EQ(car().driving_us, 12'000'000);
  EXPECT_EQ(car().millimetres, 100'000 + 40'000);
}

TEST_F(ExposureTest, AGapCountsNoMoreThanItsLimit) {
  Drive(0, 100, 36);
  Drive(1, 5'000, 36);
  EXPECT_EQ(car().driving_us, kReportGapMax.value);
}

TEST_F(ExposureTest, RepeatsAndLateReportsDriveNowhere) {
  Drive(0, 100, 36);
  Drive(3, 110, 36);
  Drive(3, 110, 36);
  Drive(1, 104, 36);
  Drive(2, 107, 36);
  EXPECT_EQ(car().driving_us, 10'000'000);
}

TEST_F(ExposureTest, NothingCountsBeforeTheCandidateIsWarm) {
  warm_since_ = std::nullopt;
  Drive(0, 100, 36);
  Drive(1, 110, 36);
  EXPECT_FALSE(car().has_input);
  EXPECT_EQ(car().driving_us, 0);
  warm_since_ = Micros::Seconds(120);
  Drive(2, 115, 36);
  EXPECT_EQ(car().driving_us, 0);
  Drive(3, 120, 36);
  EXPECT_TRUE(car().has_input);
  EXPECT_EQ(car().driving_us, 5'000'000);
}

TEST_F(ExposureTest, OneLateOrWrongClockSoaksNothing) {
  warm_since_ = Micros::Seconds(200'000);
  const auto take = [this](std::uint64_t seq, std::int64_t event_s, std::int64_t log_s) {
    tally_.Take({.vehicle = kCar,
                 .boot = {1, 7},
                 .seq = seq,
                 .event_at = Micros::Seconds(event_s),
                 .log_time = Micros::Seconds(log_s)},
                [this](PartitionId, const VehicleRef&) { return warm_since_; });
  };
  take(0, 27'200, 200'005);
  EXPECT_GT(tally_.event_from(), tally_.event_to()) << "uploaded two days late";
  take(1, 200'010, 200'010);
  take(2, 400'000, 200'020);
  EXPECT_EQ(tally_.event_from(), Micros::Seconds(200'010));
  EXPECT_EQ(tally_.event_to(), Micros::Seconds(200'020)) << "a clock that runs ahead";
}

TEST_F(ExposureTest, ItGoesThroughBytesAndCutBytesAreRefused) {
  Drive(0, 100, 36);
  Drive(1, 110, 72);
  std::string state;
  tally_.Encode(state);
  ByteReader in(state);
  std::string same;
  testing::Must(ExposureTally::Decode(in)).Encode(same);
  EXPECT_EQ(same, state);
  for (std::size_t size = 0; size < state.size(); ++size) {
    ByteReader cut(std::string_view(state).substr(0, size));
    EXPECT_FALSE(ExposureTally::Decode(cut).ok()) << size;
  }
}

}  // namespace
}  // namespace telltale::gate
