// The copy as a process.
#pragma once

#include "base/role.h"
#include "log/streams.h"

namespace telltale::feed {

// Runs until asked to stop (base/stop.h; WatchForStop() is the caller's). Owns the log in
// paths.log() and wakes who waits there; removes from it what is older than retention and was read
// by everybody. Counters in run/counters/lake-feed.json. Returns the exit code: 0 after a stop, 1
// when it cannot start or go on (the message on stderr says what to do).
int RunLakeFeedRole(const RoleOptions& options, log::OpenStreams open_streams);

}  // namespace telltale::feed
