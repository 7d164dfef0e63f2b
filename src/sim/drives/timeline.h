// What readers share when they put rows in order: text to time, and a drive that grows by reports.
#pragma once

#include <optional>
#include <string_view>

#include "sim/drives/drive.h"

namespace telltale::sim {

// Microseconds UTC of "2019-05-23T20:54:11Z", also with a fraction of a second and with an offset
// such as "-05:00" instead of the Z. nullopt: not of this form.
std::optional<std::int64_t> UtcMicrosOf(std::string_view iso8601);

// Puts a report at `at_us` (UTC, or since any moment when the drive is not dated) behind the
// drive's last, which it may equal. Counts the row. False: it lies before the last report; the row
// is counted as kBackwards and dropped. Values out of the contract's range are taken off the report
// (in_range.h).
bool AddReport(Drive& drive, std::int64_t at_us, telltale::v1::Report report);

}  // namespace telltale::sim
