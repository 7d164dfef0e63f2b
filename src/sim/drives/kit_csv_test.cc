#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

constexpr const char* kHead =
    "Time,Engine Coolant Temperature [\xc3\x82\xc2\xb0"
    "C],Intake Manifold Absolute Pressure [kPa],Engine RPM [RPM],Vehicle Speed Sensor [km/h],"
    "Intake Air Temperature [\xc3\x82\xc2\xb0"
    "C],Air Flow Rate from Mass Flow Sensor [g/s],Absolute Throttle Position [%],Ambient Air "
    "Temperature [\xc3\x82\xc2\xb0"
    "C],Accelerator Pedal Position D [%],Accelerator Pedal Position E [%]\n";
// The first round of polling.
constexpr const char* kFirstRound =
    "07:16:30.444,31,,,,,,,,,\n"
    "07:16:30.535,31,96.0,,,,,,,,\n"
    "07:16:30.625,31,96.0,0.0,,,,,,,\n"
    "07:16:30.716,31,96.0,0.0,0.0,,,,,,\n"
    "07:16:30.814,31,96.0,0.0,0.0,22.0,,,,,\n"
    "07:16:30.895,31,96.0,0.0,0.0,22.0,0.91,,,,\n"
    "07:16:30.987,31,96.0,0.0,0.0,22.0,0.91,89.0,,,\n"
    "07:16:31.075,31,96.0,0.0,0.0,22.0,0.91,89.0,21.0,,\n"
    "07:16:31.167,31,96.0,0.0,0.0,22.0,0.91,89.0,21.0,14.1,\n"
    "07:16:31.257,31,96.0,0.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n";

Drive Read(const std::string& rows, const std::string& name = "2017-07-05_Seat_Leon_RT_S_Stau") {
  auto drives = ReadKitCsv(SourceOf(kHead + rows, name));
  EXPECT_TRUE(drives.ok()) << (drives.ok() ? "" : drives.error().message);
  return drives.ok() ? drives->front() : Drive();
}

TEST(KitCsvTest, ARowSendsOnlyThePidWhoseTurnItIs) {
  const Drive drive = Read(std::string(kFirstRound) +
                           "07:16:31.345,31,96.0,0.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n"
                           "07:16:31.435,31,97.0,0.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n");
  ASSERT_EQ(drive.reports.size(), 10u);  // of twelve rows; those of the pedal sensors give none
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 2u);
  const telltale::v1::Report& throttle = drive.reports[6].report;
  EXPECT_EQ(throttle.throttle_percent(), 89);
  EXPECT_FALSE(throttle.has_coolant_temperature_c());
  // Read again and equal: still a measurement.
  EXPECT_EQ(drive.reports[8].report.coolant_temperature_c(), 31);
  EXPECT_EQ(drive.reports[9].report.intake_manifold_pressure_kpa(), 97);
  EXPECT_FALSE(drive.reports[9].report.has_coolant_temperature_c());
  EXPECT_TRUE(AddsUp(drive));
}

TEST(KitCsvTest, AChangeElsewhereMovesTheTurn) {
  const Drive drive = Read(std::string(kFirstRound) +
                           "07:16:31.345,31,96.0,850.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n"
                           "07:16:31.435,31,96.0,850.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n");
  ASSERT_EQ(drive.reports.size(), 10u);
  EXPECT_EQ(drive.reports[8].report.engine_speed_rpm(), 850);
  EXPECT_FALSE(drive.reports[8].report.has_coolant_temperature_c());
  EXPECT_TRUE(drive.reports[9].report.has_obd_speed_kmh());
}

TEST(KitCsvTest, TimesAreGermanAndTheDateIsInTheName) {
  EXPECT_EQ(Read(kFirstRound).started_at_us, UtcMicrosOf("2017-07-05T05:16:30.444Z"));
  EXPECT_EQ(Read(kFirstRound, "2017-12-05_x").started_at_us,
            UtcMicrosOf("2017-12-05T06:16:30.444Z"));
  EXPECT_EQ(Read(kFirstRound, "2017-03-25_x").started_at_us,
            UtcMicrosOf("2017-03-25T06:16:30.444Z"));
  EXPECT_EQ(Read(kFirstRound, "2017-03-26_x").started_at_us,
            UtcMicrosOf("2017-03-26T05:16:30.444Z"));
  EXPECT_EQ(Read(kFirstRound, "2017-10-29_x").started_at_us,
            UtcMicrosOf("2017-10-29T06:16:30.444Z"));
  EXPECT_EQ(ReadKitCsv(SourceOf(std::string(kHead) + kFirstRound, "trip")).error().code,
            Code::kInvalid);
}

TEST(KitCsvTest, ABackwardStepIsDroppedAndTheTurnGoesOn) {
  const Drive drive = Read(std::string(kFirstRound) +
                           "07:16:31.215,31,96.0,0.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n"
                           "07:16:31.100,31,97.0,0.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n"
                           "07:16:31.345,31,97.0,800.0,0.0,22.0,0.91,89.0,21.0,14.1,14.5\n");
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 1u);
  EXPECT_EQ(drive.reports.back().report.engine_speed_rpm(), 800);
}

TEST(KitCsvTest, TheRecordedTripHasOneBackwardStepAndEveryRowItsReason) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/kit-obd2/2017-07-11_Seat_Leon_KA_S_Normal.csv.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "kit-csv", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.counts.rows, 41050u);
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 8210u);
  EXPECT_EQ(Dropped(drive, ValueDrop::kMalformed), 0u);
  EXPECT_TRUE(AddsUp(drive));
}

}  // namespace
}  // namespace telltale::sim
