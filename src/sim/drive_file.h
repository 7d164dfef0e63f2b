// Recorded drives as sources of reports: one reader per format behind one interface.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "sim/report_source.h"

namespace telltale::sim {

// One recorded vehicle.
struct Drive {
  std::string name;                // "nds-1": tells drives apart; goes into the vehicle's VIN
  std::int64_t started_at_us = 0;  // as recorded, UTC
  std::int64_t length_us = 0;      // first to last report
  std::vector<TimedReport> reports;
  std::uint64_t dropped_rows = 0;  // rows of the file that gave no report, see the reader
};

// Plays a drive's reports in order.
class DriveSource final : public ReportSource {
 public:
  explicit DriveSource(const Drive& drive) : drive_(drive) {}
  bool Next(TimedReport& out) override;

 private:
  const Drive& drive_;
  std::size_t next_ = 0;
};

struct DriveFormat {
  const char* name;
  const char* about;
  //   kInvalid  the text is not of this format: names the line
  Result<std::vector<Drive>> (*read)(std::string_view text);
};
const std::vector<DriveFormat>& DriveFormats();

// Reads `path` (unpacks it when it is gzip) with the named format.
//   kInvalid  unknown format (names those there are), or not of this format
//   kCorrupt  broken gzip
Result<std::vector<Drive>> ReadDrives(Disk& disk, const std::string& format,
                                      const std::string& path);

// 17 characters from a drive's name, the same each time.
std::string VinOfDrive(const std::string& name);

Result<std::string> Gunzip(std::string_view packed);

// readers
Result<std::vector<Drive>> ReadNdsCsv(std::string_view text);

}  // namespace telltale::sim
