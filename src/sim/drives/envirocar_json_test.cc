#include <gtest/gtest.h>

#include <filesystem>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/json_read.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

std::string Track(const std::string& points) {
  return R"({"type":"FeatureCollection","properties":{"sensor":{"type":"car","properties":)"
         R"({"manufacturer":"KIA","model":"Picanto;","fuelType":"gasoline"}}},"features":[)" +
         points + "]}";
}
std::string Point(const std::string& time, const std::string& phenomena) {
  return R"({"geometry":{"type":"Point","coordinates":[7.8,51.6]},"properties":{"time":")" + time +
         R"(","phenomenons":{)" + phenomena + "}}}";
}

TEST(EnvirocarJsonTest, TakesAValueOnlyInTheUnitThatBelongsToIt) {
  const auto drives = ReadEnvirocarJson(SourceOf(Track(
      Point("2020-02-28T11:54:34Z",
            R"("Speed":{"value":17.999999463,"unit":"km/h"},"GPS Speed":{"value":10,"unit":"mph"},)"
            R"("MAF":{"value":5,"unit":"l/s"},"Rpm":{"value":"x","unit":"u/min"},)"
            R"("Calculated MAF":{"value":5,"unit":"g/s"},"GPS Accuracy":{"value":4,"unit":"%"},)"
            R"("GPS Bearing":{"value":507.8,"unit":"deg"},"GPS HDOP":{"value":1,"unit":"x"})"))));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  ASSERT_EQ(drive.reports.size(), 1u);
  EXPECT_EQ(drive.model, "KIA Picanto");
  EXPECT_STREQ(drive.vehicle_class, "passenger_car");
  EXPECT_STREQ(drive.fuel, "gasoline");
  EXPECT_EQ(drive.started_at_us, *UtcMicrosOf("2020-02-28T11:54:34Z"));
  const telltale::v1::Report& report = drive.reports[0].report;
  EXPECT_FLOAT_EQ(report.obd_speed_kmh(), 17.999999463f);
  EXPECT_DOUBLE_EQ(report.longitude_deg(), 7.8);
  EXPECT_DOUBLE_EQ(report.latitude_deg(), 51.6);
  EXPECT_FALSE(report.has_speed_kmh());
  EXPECT_FALSE(report.has_mass_air_flow_gps());
  EXPECT_FALSE(report.has_horizontal_accuracy_m());
  EXPECT_FALSE(report.has_heading_deg());
  EXPECT_EQ(Dropped(drive, ValueDrop::kInvalid), 4u);
  EXPECT_EQ(Dropped(drive, ValueDrop::kMalformed), 1u);
  EXPECT_EQ(Dropped(drive, ValueDrop::kOutOfRange), 1u);
}

TEST(EnvirocarJsonTest, TakesAMassThatWasMeasured) {
  const auto drives = ReadEnvirocarJson(
      SourceOf(Track(Point("2020-02-28T11:54:34Z", R"("MAF":{"value":5,"unit":"g/s"})"))));
  ASSERT_TRUE(drives.ok());
  EXPECT_EQ(drives->front().reports[0].report.mass_air_flow_gps(), 5);
}

TEST(EnvirocarJsonTest, CountsPointsThatCannotBeUsed) {
  const auto drives = ReadEnvirocarJson(SourceOf(
      Track(Point("2020-02-28T11:54:34Z", "") + "," + Point("2020-02-28T11:54:30Z", "") + "," +
            Point("yesterday", "") + ",7," + R"({"properties":{"time":"2020-02-28T11:54:40Z"}})")));
  ASSERT_TRUE(drives.ok());
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.reports.size(), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNoTime), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kMalformed), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 1u);
  EXPECT_TRUE(AddsUp(drive));
}

TEST(EnvirocarJsonTest, RefusesAnotherKindOfFile) {
  for (const char* text : {"", "[]", "{\"type\":\"FeatureCollection\"}", "{\"features\":[]}"}) {
    EXPECT_EQ(ReadEnvirocarJson(SourceOf(text)).error().code, Code::kInvalid) << text;
  }
}

TEST(EnvirocarJsonTest, TheRecordedTracksGiveEveryPoint) {
  PosixDisk disk;
  const std::string folder = DataFolder() + "/envirocar";
  if (!disk.Exists(folder)) GTEST_SKIP() << "recorded drives are not here";
  std::size_t points = 0;
  std::size_t bearings_out_of_range = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".gz") continue;
    const auto drives = ReadDrives(disk, "envirocar-json", entry.path());
    ASSERT_TRUE(drives.ok()) << drives.error().message;
    const Drive& drive = drives->front();
    EXPECT_EQ(drive.counts.dropped_rows(), 0u) << drive.name;
    EXPECT_NE(drive.model.find(drive.name.find("Citaro") != drive.name.npos ? "Citaro" : "Picanto"),
              std::string::npos);
    points += drive.reports.size();
    bearings_out_of_range += Dropped(drive, ValueDrop::kOutOfRange);
  }
  EXPECT_EQ(points, 1445u);
  EXPECT_EQ(bearings_out_of_range, 2u);
}

// Why "Calculated MAF" and Consumption are no measurements: both follow from other values.
TEST(EnvirocarJsonTest, TheRecordedAirMassIsComputedFromSpeedDensity) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/envirocar/2020-03-04T110106_Picanto_960ea3.json.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto packed = ReadWholeFile(disk, path, 1u << 20);
  ASSERT_TRUE(packed.ok());
  const auto track = ParseJson(*Gunzip(*packed));
  ASSERT_TRUE(track.ok());
  int compared = 0;
  for (const Json& feature : *Member(*track, "features")) {
    const Json& values = *Inside(feature, {"properties", "phenomenons"});
    const auto of = [&values](const char* name) {
      return NumberIn(*Member(values, name), "value").value();
    };
    const double fills_per_s = of("Rpm") / 120;
    const double mol_per_l = of("Intake Pressure") / (8.314 * (of("Intake Temperature") + 273.15));
    const double expected = fills_per_s * 0.85 * 1.086 * mol_per_l * 28.97;
    // The app interpolates each value by itself: points amid a change of load differ.
    if (std::abs(of("Calculated MAF") - expected) < 0.02 * expected) ++compared;
    EXPECT_NEAR(of("Consumption"), of("Calculated MAF") * 0.32872, 0.001);
  }
  EXPECT_GT(compared, 110);
}

}  // namespace
}  // namespace telltale::sim
