// What run/ and the log say of an installation: for `telltale status`, /readyz and /metrics. Only
// files are read, so it also works beside a role that hangs and after one that died.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/disk.h"
#include "log/streams.h"

namespace telltale::app {

// Roles write their counters once a second. One that has not for this long hangs, or its disk does.
inline constexpr Micros kCountersAgeMax = Micros::Seconds(30);

struct RoleState {
  std::string name;  // "worker" is the stable release's; the others' are "worker-<8 digits>"
  std::string release = {};  // of a worker: its first 8 digits
  std::string place = {};    // of a worker: stable, previous, candidate
  std::string trouble = {};  // of a worker: why `serve` does not run it
  bool is_required = true;   // false: nothing waits for it
  bool is_wanted = true;     // false: `serve` was told to leave it out
  bool is_up = false;
  std::optional<pid_t> pid;                       // while served
  std::optional<std::string> port;                // while served
  std::optional<Micros> started_at;               // wall clock, while served
  std::optional<Micros> counted_at;               // wall clock; when it last wrote its counters
  std::map<std::string, std::uint64_t> counters;  // as last written, also by one that is gone
};

std::string RoleOf(const RoleState& state);  // "worker" of each release's worker, else its name

struct StreamEnd {
  std::string stream;
  std::uint16_t shard = 0;
  std::uint64_t records = 0;  // durable in this shard of the stream, ticks included
};

struct ConsumerLag {
  std::string consumer;
  std::string stream;
  std::uint16_t shard = 0;
  std::uint64_t records = 0;  // between its saved position and the durable end
};

// As run/gateway.conditions says it (gateway/condition_file.h).
struct RetentionStop {
  std::string stream;
  std::string reader;
  int percent = 0;  // of retention, that the reader is behind
};

struct OperationsState {
  Micros looked_at;          // wall clock
  bool is_serving = false;   // a supervisor holds its lock
  bool has_started = false;  // it said that every role got ready
  std::vector<RoleState> roles;
  std::vector<StreamEnd> ends;
  std::vector<ConsumerLag> lags;
  // Why vehicles wait, while the gateway runs.
  std::uint64_t stalled_shards = 0;  // of the log: their disk is full
  std::optional<RetentionStop> retention_stop;
};

// What cannot be read is left out: a role without counters, a log that is not there yet.
OperationsState LookAtOperations(Disk& disk, const Clock& clock, const std::string& dir,
                                 log::Streams& streams);

// Why it is not ready, one sentence each; empty: it is.
std::vector<std::string> NotReadyCauses(const OperationsState& state);
// What needs a person although work may still be sent here: readers that stopped, whose place has
// expired, or that lag by half of retention. One sentence each, with the remedy.
std::vector<std::string> Warnings(const OperationsState& state);

}  // namespace telltale::app
