// Runs a release over what the log still has of `safety`, apart from everything: a folder of its
// own with a copy of the records, the release's own engine, a journal that nobody publishes.
// Main thread; WatchForStop() must have been called.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/cmd_rehearse_compare.h"
#include "base/disk.h"
#include "control/release_build.h"

namespace telltale::app {

struct RehearsalOptions {
  std::string dir;
  Micros from;     // log time of the first alerts that are compared
  Micros warm_up;  // log time read before that
  std::function<void(const std::string&)> progress;  // a line for people
};

struct RehearsalRun {
  RehearsedAlerts published;
  RehearsedAlerts rehearsed;
  Micros from;  // later than asked for when the log does not reach back so far
  Micros to;    // log time of the newest record read
  std::uint64_t records = 0;
  std::uint64_t vehicles = 0;
};

// Leaves nothing behind; what a run that was killed left is removed by the next.
//   kNotFound     no installation, nothing published yet, or the engine is not at hand
//   kUnavailable  another rehearsal runs here; the engine ended or came to a halt; asked to stop
Result<RehearsalRun> Rehearse(Disk& disk, const RehearsalOptions& options,
                              const control::ReleaseContent& content);

}  // namespace telltale::app
