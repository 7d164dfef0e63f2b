// Any bytes as a recording in CSV: no crash, every row a report or a reason, times that never go
// back, and every value within the contract's range. The first byte chooses the reader; a folder's
// tables are cut at \x01.
#include <iterator>

#include "base/check.h"
#include "base/sim_disk.h"
#include "sim/drives/in_range.h"
#include "sim/drives/readers.h"

using namespace telltale;       // NOLINT
using namespace telltale::sim;  // NOLINT

namespace {

using Reader = Result<std::vector<Drive>> (*)(const Source& source);
constexpr Reader kReaders[] = {&ReadCapMetroCsv, &ReadCarObdCsv, &ReadComma2k19, &ReadGoalCsv,
                               &ReadKitCsv,      &ReadNdsCsv,    &ReadTwizyCsv};
constexpr const char* kTables[] = {
    "can_speed.csv", "can_steering_angle.csv", "can_radar.csv",       "imu_accelerometer.csv",
    "imu_gyro.csv",  "gnss_live_ublox.csv",    "can_wheel_speed.csv", "gnss_live_qcom.csv"};

void WriteTables(Disk& disk, std::string_view text) {
  CHECK(disk.MakeFolders("f", 0700).ok());
  for (const char* table : kTables) {
    const std::size_t end = text.find('\x01');
    CHECK(WriteFileDurably(disk, std::string("f/") + table, text.substr(0, end)).ok());
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

void CheckDrive(const Drive& drive) {
  CHECK(drive.counts.rows == drive.reports.size() + drive.counts.dropped_rows());
  std::int64_t last_us = 0;
  for (const TimedReport& moment : drive.reports) {
    CHECK(moment.at_us >= last_us);
    CHECK(moment.boot == (&moment == drive.reports.data()));
    last_us = moment.at_us;
    telltale::v1::Report report = moment.report;
    RowCounts counts;
    ClearOutOfRange(report, counts);
    CHECK(counts.values_dropped[static_cast<std::size_t>(ValueDrop::kOutOfRange)] == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Reader reader = kReaders[data[0] % std::size(kReaders)];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  SimDisk disk;
  if (reader == &ReadComma2k19) WriteTables(disk, text);
  const auto drives = reader({disk, "f", "f", "2017-07-05_trip", text});
  if (!drives.ok()) {
    // A table of a folder may look like gzip that is broken.
    const Code code = drives.error().code;
    CHECK(code == Code::kInvalid || code == Code::kCorrupt);
    return 0;
  }
  for (const Drive& drive : *drives) CheckDrive(drive);
  return 0;
}
