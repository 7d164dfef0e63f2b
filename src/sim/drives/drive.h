// sim/drives/ - recordings of real vehicles as sources of reports: one reader per format, each a
// file of its own, behind one interface.
//   in      a file, or for some formats a folder, of a recording
//   out     drives: reports in the contract's units, and what gave none, by reason
//   owns    nothing
//   thread  any; nothing is shared
//   not here: sending (sim/fleet.h); what a field means (contract/telltale/v1/telemetry.proto)
//
// A reader sets only what was measured: a value that the recording repeats because nothing newer
// was there is not sent again, a value that stands for "unknown" is left out, and nothing is made
// up. What it changes or leaves out is said at the top of its source file.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "sim/report_source.h"

namespace telltale::sim {

// Why a row (a line, a message, a frame) of a source gave no report of its own. A closed list:
// docs/sim.md says of each what it means.
enum class RowDrop : std::uint8_t {
  kDuplicate,  // the same vehicle and time as an earlier row, or the same row again
  kBackwards,  // its time is before that of the vehicle's last row
  kNoTime,     // no time that can be read
  kMalformed,  // too few cells, not a number, cut: the row's bytes are not of this format
  kNothing,    // well-formed, but no value that the contract has a field for, or none that is new
  kForeign,    // of something else: another kind of message, another device, the recorder itself
  kMerged,     // joined with rows before it into one report; of a signal that came twice, the last
  kEnd_,
};
// Why a value of a row that did give a report (or of one that is kNothing) was left out.
enum class ValueDrop : std::uint8_t {
  kSentinel,        // a number that the source uses for "unknown"
  kCarriedForward,  // repeated from an earlier row, not measured again
  kOutOfRange,      // cannot be, by the contract's range
  kMalformed,       // not a number
  kInvalid,         // the source itself says so (a validity flag, a fix that is stale or missing)
  kEnd_,
};
// As reports and docs show them: "source_duplicates", "value_sentinels".
std::string_view RowDropName(RowDrop drop);
std::string_view ValueDropName(ValueDrop drop);

// What became of a drive's rows: rows == reports + the sum of `dropped`.
struct RowCounts {
  std::uint64_t rows = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(RowDrop::kEnd_)> dropped{};
  std::array<std::uint64_t, static_cast<std::size_t>(ValueDrop::kEnd_)> values_dropped{};

  // Counts rows that give no report: in `rows` too.
  void Drop(RowDrop drop, std::uint64_t count = 1) {
    rows += count;
    dropped[static_cast<std::size_t>(drop)] += count;
  }
  void DropValue(ValueDrop drop, std::uint64_t count = 1) {
    values_dropped[static_cast<std::size_t>(drop)] += count;
  }
  std::uint64_t dropped_rows() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : dropped) sum += count;
    return sum;
  }
};

// One recorded vehicle.
struct Drive {
  std::string name;                // "nds-1": tells drives apart; goes into the vehicle's VIN
  std::string model = "recorded";  // as the source names it, for the vehicle list
  const char* vehicle_class = "passenger_car";  // base/vehicle_class.h
  const char* fuel = "unknown";                 // gasoline, diesel, electric, unknown
  std::int64_t started_at_us = 0;               // as recorded, UTC
  bool is_dated = true;              // false: the source has no date; started_at_us means nothing
  std::int64_t length_us = 0;        // first to last report
  std::vector<TimedReport> reports;  // at_us from 0, never going back; the first has `boot` set
  RowCounts counts;
};

// What a reader is given: the unpacked text of the file that was named, and a way to the files
// beside it (a DBC file, a second table of the same recording).
struct Source {
  Disk& disk;
  std::string path;    // as given; of a folder when the format takes one
  std::string folder;  // where the file lies, or the folder itself
  std::string name;    // the file's name without .gz and without its last suffix
  std::string text;    // empty for a folder

  // The unpacked text of a file in `folder`; also finds it as NAME.gz. kNotFound, kCorrupt.
  Result<std::string> Beside(const std::string& file) const;
};

struct DriveFormat {
  const char* name;
  const char* about;    // one line: what it is, rate, unit traps
  const char* example;  // name of a file (or folder) of this format, as in the data's folder
  bool takes_folder;
  //   kInvalid   the text is not of this format: names the line
  //   kNotFound  a file that belongs beside it is missing: names it
  Result<std::vector<Drive>> (*read)(const Source& source);
};
// By name.
const std::vector<DriveFormat>& DriveFormats();

// Reads `path` (unpacks it when it is gzip) with the named format.
//   kInvalid  unknown format (names those there are), or not of this format
//   kCorrupt  broken gzip
Result<std::vector<Drive>> ReadDrives(Disk& disk, const std::string& format,
                                      const std::string& path);

// Plays a drive's reports in order.
class DriveSource final : public ReportSource {
 public:
  explicit DriveSource(const Drive& drive) : drive_(drive) {}
  bool Next(TimedReport& out) override;

 private:
  const Drive& drive_;
  std::size_t next_ = 0;
};

// 17 characters from a drive's name, the same each time.
std::string VinOfDrive(const std::string& name);

Result<std::string> Gunzip(std::string_view packed);

}  // namespace telltale::sim
