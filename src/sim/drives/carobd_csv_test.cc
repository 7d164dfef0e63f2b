#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

constexpr const char* kColumns[] = {"ENGINE_RUN_TINE ()",
                                    "ENGINE_RPM ()",
                                    "VEHICLE_SPEED ()",
                                    "ENGINE_LOAD ()",
                                    "COOLANT_TEMPERATURE ()",
                                    "LONG_TERM_FUEL_TRIM_BANK_1 ()",
                                    "SHORT_TERM_FUEL_TRIM_BANK_1 ()",
                                    "FUEL_AIR_COMMANDED_EQUIV_RATIO ()",
                                    "CONTROL_MODULE_VOLTAGE ()",
                                    "WARM_UPS_SINCE_CODES_CLEARED ()"};

// Rows of run time, rpm and voltage; the other cells never change.
struct Cells {
  const char* run_time;
  const char* rpm;
  const char* volts;
};

Drive Read(const std::vector<Cells>& rows, const std::string& tail = "") {
  std::string text;
  for (const char* column : kColumns) text += (text.empty() ? "" : ",") + std::string(column);
  text += "\r\n";
  for (const Cells& cells : rows) {
    text += std::string(cells.run_time) + ", " + cells.rpm +
            ", 0.0, 0.0, 81.0, -4.6875, 1.5, 0.0, " + cells.volts + ", 255.0,\r\n";
  }
  auto drives = ReadCarObdCsv(SourceOf(text + tail, "drive"));
  EXPECT_TRUE(drives.ok()) << (drives.ok() ? "" : drives.error().message);
  return drives.ok() ? drives->front() : Drive();
}

TEST(CarObdCsvTest, TheFirstRowHasAllAndALaterOneWhatWasReadSince) {
  const Drive drive = Read({{"0", "0", "12.285"},
                            {"0", "0", "12.285"},
                            {"0", "0", "9.882"},
                            {"1", "1363.25", "9.882"},
                            {"1", "1363.25", "11.914"}});
  ASSERT_EQ(drive.reports.size(), 4u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 1u);
  const auto& reports = drive.reports;
  EXPECT_EQ(reports[0].report.warmups_since_clear(), 255u);
  EXPECT_FLOAT_EQ(reports[0].report.control_module_v(), 12.285f);
  EXPECT_FLOAT_EQ(reports[1].report.control_module_v(), 9.882f);
  EXPECT_FALSE(reports[1].report.has_engine_speed_rpm());
  // Polled by PID: from 42 (volts) on over 04-07 (load, coolant, trims) to 0C (rpm) and 1F.
  EXPECT_FLOAT_EQ(reports[2].report.engine_speed_rpm(), 1363.25f);
  EXPECT_FLOAT_EQ(reports[2].report.coolant_temperature_c(), 81);
  EXPECT_FLOAT_EQ(reports[2].report.short_fuel_trim_b1_percent(), 1.5f);
  EXPECT_FALSE(reports[2].report.has_control_module_v());
  EXPECT_FLOAT_EQ(reports[3].report.control_module_v(), 11.914f);
  EXPECT_FALSE(reports[3].report.has_engine_speed_rpm());
  EXPECT_TRUE(AddsUp(drive));
}

TEST(CarObdCsvTest, RowsOfOneSecondAreSpreadUpToTheNextAndTheStartLiesBefore) {
  const Drive drive = Read({{"0", "0", "12.4"},
                            {"0", "0", "12.3"},
                            {"1", "900", "12.5"},
                            {"1", "910", "12.5"},
                            {"3", "920", "12.5"},
                            {"3", "930", "12.5"}});
  ASSERT_EQ(drive.reports.size(), 6u);
  std::vector<std::int64_t> steps;
  for (std::size_t i = 1; i < 6; ++i) {
    steps.push_back(drive.reports[i].at_us - drive.reports[i - 1].at_us);
  }
  // The pace while the engine runs: three steps from 1 s to 3 s.
  EXPECT_EQ(steps, (std::vector<std::int64_t>{666'666, 666'666, 1'000'000, 1'000'000, 666'666}));
  EXPECT_FALSE(drive.is_dated);
}

TEST(CarObdCsvTest, TheRatioThatIsAlwaysZeroIsLeftOut) {
  const Drive drive = Read({{"0", "0", "12.4"}});
  EXPECT_FALSE(drive.reports[0].report.has_commanded_lambda());
  EXPECT_EQ(Dropped(drive, ValueDrop::kSentinel), 1u);
}

TEST(CarObdCsvTest, ACutRowGivesWhatItHas) {
  const Drive drive = Read({{"0", "0", "12.4"}, {"1", "900", "12.4"}}, "3, 950, 0.0, ");
  ASSERT_EQ(drive.reports.size(), 3u);
  EXPECT_EQ(drive.reports[2].report.engine_speed_rpm(), 950);
  EXPECT_FALSE(drive.reports[2].report.has_control_module_v());
  EXPECT_TRUE(AddsUp(drive));
}

TEST(CarObdCsvTest, TheRecordedDriveKeepsTheDipOfTheCrankAndTheRateOfThePolling) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/carobd/drive5.csv.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "carobd-csv", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.counts.rows, 627u);
  EXPECT_TRUE(AddsUp(drive));
  float lowest_v = 99;
  std::size_t volts = 0;
  std::size_t rpms = 0;
  std::map<std::int64_t, std::size_t> at;
  for (const TimedReport& moment : drive.reports) {
    ++at[moment.at_us];
    if (moment.report.has_engine_speed_rpm()) ++rpms;
    if (!moment.report.has_control_module_v()) continue;
    ++volts;
    lowest_v = std::min(lowest_v, moment.report.control_module_v());
  }
  EXPECT_FLOAT_EQ(lowest_v, 9.882f);
  EXPECT_EQ(at.size(), drive.reports.size());  // no two at one time
  // 304 s in rounds of 1.86 s.
  EXPECT_NEAR(static_cast<double>(volts), 165, 10);
  EXPECT_NEAR(static_cast<double>(rpms), 165, 10);
}

}  // namespace
}  // namespace telltale::sim
