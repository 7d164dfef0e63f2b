// The gateway as a process.
#pragma once

#include "base/role.h"
#include "log/streams.h"

namespace telltale::gateway {

// Runs until asked to stop (base/stop.h; WatchForStop() is the caller's). Writes run/gateway.port
// once cars may come in and run/counters/gateway.json every second. Returns the exit code: 0 after
// a stop, 1 when it cannot start or the log failed (the message on stderr says what to do).
int RunGatewayRole(const RoleOptions& options, log::OpenStreams open_streams);

}  // namespace telltale::gateway
