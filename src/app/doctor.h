// `telltale doctor`: reads what is durable in DIR, never writes, and says what does not fit
// together (docs/doctor.md). May run while DIR is served: what it compares is bounded by one commit
// of each shard, and readers are looked at before the ends they are compared with. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "app/doctor_report.h"
#include "base/config.h"
#include "base/disk.h"

namespace telltale::app {

struct DoctorOptions {
  // A shard with more records than this is read several times, each time for a part of its
  // vehicles: that bounds the memory, about 100 bytes a record at worst.
  std::uint64_t records_per_pass_max = 16'000'000;
  std::function<void(const std::string&)> on_progress = [](const std::string&) {};
};

//   kNotFound     there is no log in `paths`
//   kCorrupt, kUnsupported, kRefused   its durable.map cannot be read; nothing else was looked at
Result<DoctorReport> Examine(Disk& disk, const Paths& paths, const DoctorOptions& options);

}  // namespace telltale::app
