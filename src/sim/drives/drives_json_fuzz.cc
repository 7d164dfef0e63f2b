// Whatever a JSON recording says, its reader answers without an exception, counts every row, keeps
// time from going back and stays in the contract's ranges. The first byte chooses the reader.
#include "base/check.h"
#include "sim/drives/in_range.h"
#include "sim/drives/readers.h"

namespace {

using telltale::sim::Drive;

void CheckDrive(const Drive& drive) {
  CHECK(drive.counts.rows == drive.reports.size() + drive.counts.dropped_rows());
  std::int64_t last_us = 0;
  for (const telltale::sim::TimedReport& moment : drive.reports) {
    CHECK(moment.at_us >= last_us && moment.at_us <= drive.length_us);
    last_us = moment.at_us;
    telltale::v1::Report report = moment.report;
    telltale::sim::RowCounts counts;
    telltale::sim::ClearOutOfRange(report, counts);
    CHECK(report.ByteSizeLong() == moment.report.ByteSizeLong());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::sim;
  constexpr decltype(&ReadOpenXcJson) kReaders[] = {&ReadEnvirocarJson, &ReadOpenXcJson,
                                                    &ReadNycEventJson, &ReadWydotJson};
  if (size == 0) return 0;
  static telltale::PosixDisk disk;
  const Source source{disk, "none/log", "none", "log",
                      std::string(reinterpret_cast<const char*>(data + 1), size - 1)};
  const auto drives = kReaders[data[0] % std::size(kReaders)](source);
  if (!drives.ok()) return 0;
  for (const Drive& drive : *drives) CheckDrive(drive);
  return 0;
}
