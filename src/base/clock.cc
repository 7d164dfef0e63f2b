#include "base/clock.h"

#include <fmt/format.h>
#include <sys/timex.h>
#include <time.h>

#include <fstream>

namespace telltale {
namespace {

Micros Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return Micros{std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000};
}

}  // namespace

Micros SystemClock::NowUtc() const { return Read(CLOCK_REALTIME); }
Micros SystemClock::NowMonotonic() const { return Read(CLOCK_MONOTONIC); }
Micros SystemClock::SinceBoot() const { return Read(CLOCK_BOOTTIME); }

std::string SystemClock::BootId() const {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

bool SystemClock::IsSynchronised() const {
  timex asked{};  // modes = 0: only asks
  return adjtimex(&asked) != TIME_ERROR && (asked.status & STA_UNSYNC) == 0;
}

std::string FormatUtc(Micros time) {
  std::int64_t seconds = time.value / 1'000'000;
  std::int64_t micros = time.value % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  const time_t whole = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     micros);
}

}  // namespace telltale
