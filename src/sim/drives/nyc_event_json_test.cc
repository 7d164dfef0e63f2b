#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

std::string Bsm(const std::string& id, int sequence, double t_s, double x,
                const std::string& more) {
  return "{\"eventMsgSeqNum\":" + std::to_string(sequence) +
         R"(,"bsmRecord":{"bsmMsg":{"coreData":{"id":")" + id + R"(","T_s":)" +
         std::to_string(t_s) + ",\"X_m\":" + std::to_string(x) + ",\"Y_m\":0" + more +
         R"(},"partII":[{"partII-Id":2,"partII-Value":{"classification":25}}]}}})";
}
std::string Event(const std::string& type, const std::string& records) {
  return R"({"eventHeader":{"eventType":")" + type +
         R"(","hostVehID":"H","targetVehID":"T","triggerHVSeqNum":6},"bsmList":[)" + records + "]}";
}

constexpr char kMotion[] =
    R"(,"angle":127,"transmission":"forwardGears","speed_mps":10,"heading_deg":56.7,)"
    R"("accelSet":{"long_mpss":0.36,"lat_mpss":-0.06,"vert_mpss":-0.259,"yaw_dps":-2.26})";

TEST(NycEventJsonTest, HostAndTargetAreTwoUndatedDrivesAndTheTriggerIsTheWarning) {
  const auto drives = ReadNycEventJson(SourceOf(
      Event("fcw", Bsm("H", 5, -0.034, -1.7, kMotion) + "," + Bsm("T", 3, -0.015, 20, "") + "," +
                       Bsm("H", 6, 0.166, 0, kMotion) + "," + Bsm("H", 7, 0.266, 1.7, kMotion)),
      "event"));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  ASSERT_EQ(drives->size(), 2u);
  const Drive& host = drives->front();
  EXPECT_EQ(host.name, "nyc-event-host");
  EXPECT_EQ((*drives)[1].name, "nyc-event-target");
  EXPECT_EQ(Dropped((*drives)[1], RowDrop::kNothing), 1u);
  EXPECT_FALSE(host.is_dated);
  EXPECT_STREQ(host.vehicle_class, "truck");
  ASSERT_EQ(host.reports.size(), 3u);
  EXPECT_EQ(host.reports[1].at_us, 200'000);
  const telltale::v1::Report& report = host.reports[1].report;
  EXPECT_TRUE(report.is_fcw_warning());
  EXPECT_FALSE(host.reports[0].report.has_is_fcw_warning());
  EXPECT_FALSE(host.reports[2].report.has_is_fcw_warning());
  EXPECT_FLOAT_EQ(report.speed_kmh(), 36.0f);
  EXPECT_FLOAT_EQ(report.acceleration_longitudinal_mps2(), 0.36f);
  EXPECT_FLOAT_EQ(report.acceleration_lateral_mps2(), 0.06f);
  EXPECT_FLOAT_EQ(report.yaw_rate_dps(), 2.26f);
  EXPECT_FALSE(report.has_acceleration_vertical_mps2());
  EXPECT_FALSE(report.has_steering_wheel_angle_deg());
  EXPECT_FALSE(report.has_latitude_deg());
  EXPECT_EQ(Dropped(host, ValueDrop::kSentinel), 6u);
}

TEST(NycEventJsonTest, ASpeedLimitWarningIsNoCollisionWarning) {
  const auto drives = ReadNycEventJson(SourceOf(Event("spdcomp", Bsm("H", 6, 0.166, 0, kMotion))));
  ASSERT_TRUE(drives.ok());
  EXPECT_FALSE(drives->front().reports[0].report.has_is_fcw_warning());
}

TEST(NycEventJsonTest, ARecordAtTheTimeAndPlaceOfTheLastIsADuplicateAndOneWithoutTimeIsDropped) {
  const auto drives = ReadNycEventJson(SourceOf(
      Event("fcw", Bsm("H", 1, -4.315, -48.1, kMotion) + "," + Bsm("H", 2, -4.315, -48.1, kMotion) +
                       R"(,7,{"bsmRecord":{"bsmMsg":{"coreData":{"id":"H"}}}})")));
  ASSERT_TRUE(drives.ok());
  const Drive& host = drives->front();
  EXPECT_EQ(host.reports.size(), 1u);
  EXPECT_EQ(Dropped(host, RowDrop::kDuplicate), 1u);
  EXPECT_EQ(Dropped(host, RowDrop::kMalformed), 1u);
  EXPECT_EQ(Dropped(host, RowDrop::kNoTime), 1u);
  EXPECT_TRUE(AddsUp(host));
}

TEST(NycEventJsonTest, RefusesAnotherKindOfFile) {
  EXPECT_EQ(ReadNycEventJson(SourceOf("{\"bsmList\":[]}")).error().code, Code::kInvalid);
  EXPECT_EQ(ReadNycEventJson(SourceOf("<x>")).error().code, Code::kInvalid);
}

TEST(NycEventJsonTest, TheRecordedCollisionWarningHasOneWarningAndATargetWhoseSpeedIsStuck) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/nyc-cv-events/nycdot-fcw-event.json.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "nyc-event-json", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  ASSERT_EQ(drives->size(), 2u);
  const Drive& host = (*drives)[0];
  const Drive& target = (*drives)[1];
  EXPECT_EQ(host.counts.rows, 161u);
  EXPECT_EQ(Dropped(host, RowDrop::kDuplicate), 2u);
  EXPECT_STREQ(host.vehicle_class, "truck");
  std::vector<std::int64_t> warnings;
  for (const TimedReport& moment : host.reports) {
    EXPECT_GT(moment.report.speed_kmh(), 75);
    EXPECT_LT(moment.report.speed_kmh(), 81);
    if (moment.report.is_fcw_warning()) warnings.push_back(moment.at_us);
  }
  EXPECT_EQ(warnings, std::vector<std::int64_t>{6'800'000});  // from -6.634 s to 0.166 s
  EXPECT_EQ(target.counts.rows, 161u);
  EXPECT_EQ(Dropped(target, RowDrop::kDuplicate), 1u);
  EXPECT_STREQ(target.vehicle_class, "passenger_car");
  EXPECT_EQ(Dropped(target, ValueDrop::kInvalid), 160u);
  for (const TimedReport& moment : target.reports) EXPECT_FALSE(moment.report.has_speed_kmh());
}

TEST(NycEventJsonTest, TheRecordedSpeedLimitWarningIsOneDrive) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/nyc-cv-events/nycdot-spdcomp-event.json.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "nyc-event-json", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  ASSERT_EQ(drives->size(), 1u);
  EXPECT_EQ(drives->front().reports.size(), 29u);
  EXPECT_EQ(drives->front().counts.dropped_rows(), 0u);
}

}  // namespace
}  // namespace telltale::sim
