#include "sim/drives/timeline.h"

#include <time.h>

#include <string>
#include <utility>

#include "sim/drives/in_range.h"

namespace telltale::sim {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// ".250": takes the digits off `rest`; a lone point is none.
std::optional<std::int64_t> TakeFraction(std::string_view& rest) {
  if (!rest.starts_with('.')) return 0;
  rest.remove_prefix(1);
  if (rest.empty() || !IsDigit(rest.front())) return std::nullopt;
  std::int64_t micros = 0;
  std::int64_t unit = kSecondUs / 10;
  while (!rest.empty() && IsDigit(rest.front())) {
    micros += unit * (rest.front() - '0');
    unit /= 10;
    rest.remove_prefix(1);
  }
  return micros;
}

// "Z", "+02:00" or "-0500": east of Greenwich is positive.
std::optional<std::int64_t> OffsetSeconds(std::string_view zone) {
  if (zone == "Z") return 0;
  if (zone.size() != 5 && zone.size() != 6) return std::nullopt;
  if (zone[0] != '+' && zone[0] != '-') return std::nullopt;
  std::string digits;
  for (const char c : zone.substr(1)) {
    if (IsDigit(c)) digits += c;
  }
  if (digits.size() != 4) return std::nullopt;
  const int hours = (digits[0] - '0') * 10 + (digits[1] - '0');
  const int minutes = (digits[2] - '0') * 10 + (digits[3] - '0');
  const std::int64_t seconds = hours * 3600 + minutes * 60;
  return zone[0] == '-' ? -seconds : seconds;
}

}  // namespace

std::optional<std::int64_t> UtcMicrosOf(std::string_view iso8601) {
  tm parts{};
  const std::string copy(iso8601);
  const char* end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (end == nullptr) return std::nullopt;
  std::string_view rest =
      std::string_view(copy).substr(static_cast<std::size_t>(end - copy.data()));
  const auto fraction = TakeFraction(rest);
  const auto offset = OffsetSeconds(rest);
  if (!fraction || !offset) return std::nullopt;
  return (std::int64_t{timegm(&parts)} - *offset) * kSecondUs + *fraction;
}

bool AddReport(Drive& drive, std::int64_t at_us, telltale::v1::Report report) {
  if (drive.reports.empty()) drive.started_at_us = at_us;
  TimedReport moment;
  moment.at_us = at_us - drive.started_at_us;
  if (!drive.reports.empty() && moment.at_us < drive.reports.back().at_us) {
    drive.counts.Drop(RowDrop::kBackwards);
    return false;
  }
  ++drive.counts.rows;
  ClearOutOfRange(report, drive.counts);
  moment.boot = drive.reports.empty();
  moment.report = std::move(report);
  drive.length_us = moment.at_us;
  drive.reports.push_back(std::move(moment));
  return true;
}

}  // namespace telltale::sim
