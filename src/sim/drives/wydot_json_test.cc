#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

std::string Line(const std::string& of, const std::string& time, int serial,
                 const std::string& core) {
  return R"({"metadata":{"bsmSource":")" + of +
         R"(","payloadType":"us.dot.its.jpo.ode.model.OdeBsmPayload","recordGeneratedAt":")" +
         time + R"(","serialId":{"serialNumber":)" + std::to_string(serial) +
         R"(}},"payload":{"data":{"coreData":{)" + core + "}}}}\n";
}

constexpr char kCore[] =
    R"("id":"A","position":{"latitude":40.5,"longitude":-105.03,"elevation":1489.0},)"
    R"("accelSet":{"accelLat":0.00,"accelLong":0.43,"accelVert":0.00,"accelYaw":2.5},)"
    R"("accuracy":{"semiMajor":9.30,"semiMinor":12.05},"transmission":"NEUTRAL",)"
    R"("speed":0.40,"heading":267.4)";

TEST(WydotJsonTest, OwnMessagesAreSortedByTimeAndTheirUnitsHonoured) {
  const auto drives =
      ReadWydotJson(SourceOf(Line("EV", "2018-05-01T15:55:55.494Z", 3, kCore) +
                             Line("EV", "2018-05-01T15:54:55.494Z", 1, R"("id":"B","speed":1)") +
                             Line("EV", "2018-05-01T15:55:25.494Z", 2, kCore) +
                             Line("EV", "2018-05-01T15:55:25.494Z", 2, kCore)));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  ASSERT_EQ(drives->size(), 1u);  // the temporary id rotates, the unit does not
  const Drive& drive = drives->front();
  ASSERT_EQ(drive.reports.size(), 3u);
  EXPECT_EQ(drive.started_at_us, *UtcMicrosOf("2018-05-01T15:54:55.494Z"));
  EXPECT_EQ(drive.reports[2].at_us, 60'000'000);
  EXPECT_EQ(Dropped(drive, RowDrop::kDuplicate), 1u);
  const telltale::v1::Report& report = drive.reports[1].report;
  EXPECT_FLOAT_EQ(report.speed_kmh(), 1.44f);
  EXPECT_FLOAT_EQ(report.acceleration_longitudinal_mps2(), 0.43f);
  EXPECT_FLOAT_EQ(report.yaw_rate_dps(), -2.5f);
  EXPECT_FLOAT_EQ(report.heading_deg(), 267.4f);
  EXPECT_FALSE(report.has_acceleration_lateral_mps2());
  EXPECT_FALSE(report.has_acceleration_vertical_mps2());
  EXPECT_FALSE(report.has_horizontal_accuracy_m());
  EXPECT_FALSE(report.has_gear_selection());
  EXPECT_FALSE(drive.reports[2].report.has_heading_deg());  // held by the receiver
  EXPECT_EQ(Dropped(drive, ValueDrop::kCarriedForward), 1u);
  EXPECT_TRUE(AddsUp(drive));
}

TEST(WydotJsonTest, OtherVehiclesAndOtherMessagesAreForeign) {
  const auto drives = ReadWydotJson(
      SourceOf(Line("RV", "2018-05-01T15:55:55.494Z", 3, kCore) +
               R"({"metadata":{"payloadType":"us.dot.its.jpo.ode.model.OdeDriverAlertPayload"}})"
               "\n" +
               Line("EV", "soon", 3, kCore) + "rubbish\n"));
  ASSERT_TRUE(drives.ok());
  const Drive& drive = drives->front();
  EXPECT_TRUE(drive.reports.empty());
  EXPECT_EQ(Dropped(drive, RowDrop::kForeign), 2u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNoTime), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kMalformed), 1u);
}

TEST(WydotJsonTest, RefusesAnotherKindOfFile) {
  EXPECT_EQ(ReadWydotJson(SourceOf("{\"a\":1}\n")).error().code, Code::kInvalid);
}

TEST(WydotJsonTest, TheRecordedLogsGiveTheUnitsOwnMessagesAndCountTheRest) {
  PosixDisk disk;
  const std::string folder = DataFolder() + "/wydot-ode/";
  if (!disk.Exists(folder)) GTEST_SKIP() << "recorded drives are not here";
  const auto own = ReadDrives(disk, "wydot-json", folder + "bsmTx.json.gz");
  ASSERT_TRUE(own.ok()) << own.error().message;
  ASSERT_EQ(own->front().reports.size(), 16u);
  EXPECT_EQ(own->front().counts.dropped_rows(), 0u);
  EXPECT_EQ(own->front().length_us, 2'730'095'000);  // 15:10:25.399 to 15:55:55.494
  for (const auto& [file, lines] :
       {std::pair<const char*, std::uint64_t>{"driverAlert.json.gz", 50},
        {"dnMsg.json.gz", 1},
        {"rxMsg_TIM_GeneratedBy_RSU.json.gz", 243}}) {
    const auto foreign = ReadDrives(disk, "wydot-json", folder + file);
    ASSERT_TRUE(foreign.ok()) << foreign.error().message;
    ASSERT_EQ(foreign->size(), 1u);
    EXPECT_TRUE(foreign->front().reports.empty());
    EXPECT_EQ(Dropped(foreign->front(), RowDrop::kForeign), lines) << file;
  }
}

}  // namespace
}  // namespace telltale::sim
