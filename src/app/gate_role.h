// The gate's observer as a process: `telltale role gate`.
#pragma once

#include "base/role.h"
#include "log/streams.h"

namespace telltale::app {

// Observes the rollout that the newest config record names, and sleeps while there is none. Runs
// until asked to stop (base/stop.h; WatchForStop() is the caller's). Needs no private key. Exit
// code: 0 after a stop, 1 when it cannot start.
int RunGateRole(const RoleOptions& options, log::OpenStreams open_streams);

}  // namespace telltale::app
