#include "app/operations_state.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/run_files.h"
#include "app/serve.h"
#include "base/config.h"
#include "log/log.h"

namespace telltale::app {
namespace {

constexpr std::uint64_t kCountersBytesMax = 1u << 20;

// A killed process that its parent has not seen yet still takes signals: it is not alive.
bool IsZombie(pid_t pid) {
  PosixDisk disk;
  // Files of /proc have no size.
  const auto file = disk.Open(fmt::format("/proc/{}/stat", pid), OpenMode::kRead, 0);
  if (!file.ok()) return false;
  std::array<std::uint8_t, 256> buffer{};
  const auto got = (*file)->ReadAt(0, buffer);
  if (!got.ok()) return true;
  // "pid (name) state ...", and a name may hold anything.
  const std::string_view text(reinterpret_cast<const char*>(buffer.data()), *got);
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return false;
  const char state = text[name_end + 2];
  return state == 'Z' || state == 'X';
}

bool IsAlive(pid_t pid) { return (kill(pid, 0) == 0 || errno == EPERM) && !IsZombie(pid); }

std::map<std::string, std::uint64_t> ReadCounters(Disk& disk, const std::string& path) {
  std::map<std::string, std::uint64_t> counters;
  const auto text = ReadWholeFile(disk, path, kCountersBytesMax);
  if (!text.ok()) return counters;
  const auto parsed = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return counters;
  for (const auto& [name, value] : parsed.items()) {
    if (value.is_number_unsigned()) counters[name] = value.get<std::uint64_t>();
  }
  return counters;
}

// `process` names the files that it has in run/.
RoleState LookAtProcess(Disk& disk, const RunFiles& run_files, const std::string& role,
                        const std::string& process, bool is_serving) {
  RoleState state;
  state.name = role;
  const std::string counters = "counters/" + process + ".json";
  state.counters = ReadCounters(disk, run_files.folder() + "/" + counters);
  state.counted_at = run_files.ChangedAt(counters);
  // What a supervisor that was killed left says nothing: its children died with it.
  if (!is_serving) return state;
  state.is_wanted = run_files.IsWanted(role);
  state.pid = run_files.ReadPid(process);
  state.is_up = state.pid && IsAlive(*state.pid);
  state.started_at = run_files.ChangedAt(process + ".pid");
  state.port = run_files.Read(process + ".port");
  while (state.port && state.port->ends_with('\n')) state.port->pop_back();
  return state;
}

// One for each release that `serve` keeps a worker of (docs/operate.md, run/releases.json), the
// stable one first: it is the role. Without that file there is none, and the role does not run.
std::vector<RoleState> LookAtWorkers(Disk& disk, const RunFiles& run_files, bool is_serving) {
  std::vector<RoleState> workers;
  workers.push_back(LookAtProcess(disk, run_files, "worker", "worker", is_serving));
  const auto text = ReadWholeFile(disk, run_files.folder() + "/releases.json", kCountersBytesMax);
  if (!text.ok()) return workers;
  const auto all = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!all.is_object() || !all.contains("releases")) return workers;
  for (const auto& one : all["releases"]) {
    if (!one.is_object()) continue;
    const std::string name = one.value("name", "");
    const bool is_stable = one.value("place", "") == "stable";
    RoleState state = LookAtProcess(disk, run_files, is_stable ? "worker" : name, name, is_serving);
    state.release = one.value("release", "").substr(0, 8);
    state.place = one.value("place", "");
    state.trouble = one.value("reason", "");
    state.is_required = is_stable;
    if (is_stable) {
      workers.front() = std::move(state);
    } else {
      state.is_wanted = run_files.IsWanted("worker");
      workers.push_back(std::move(state));
    }
  }
  return workers;
}

// Records of the partitions that `shard` carries.
std::uint64_t RecordsBelow(const std::vector<Offset>& next, ShardId shard,
                           const log::LogShape& shape) {
  std::uint64_t records = 0;
  for (std::size_t p = shard.value; p < next.size(); p += shape.shards) records += next[p].value;
  return records;
}

void LookAtLog(Disk& disk, const Paths& paths, log::Streams& streams, OperationsState& state) {
  const auto shape = streams.Describe();
  if (!shape.ok() || shape->shards == 0) return;
  const auto consumers = disk.List(paths.positions());  // none yet: no folder
  for (const std::string& stream : shape->streams) {
    const auto ends = streams.Ends(stream);
    if (!ends.ok()) continue;
    for (const log::DurableEnd& end : *ends) {
      state.ends.push_back({stream, end.shard.value, RecordsBelow(end.next, end.shard, *shape)});
      if (!consumers.ok()) continue;
      for (const std::string& consumer : *consumers) {
        const auto position =
            log::LoadPosition(disk, paths.positions(), consumer, stream, end.shard);
        if (!position.ok()) continue;
        state.lags.push_back(
            {consumer, stream, end.shard.value, log::RecordsBehind(end, *position, shape->shards)});
      }
    }
  }
}

void LookAtConditions(const RunFiles& run_files, OperationsState& state) {
  const auto is_gateway_up = [](const RoleState& role) {
    return role.name == "gateway" && role.is_up;
  };
  if (std::none_of(state.roles.begin(), state.roles.end(), is_gateway_up)) return;
  std::istringstream lines(run_files.Read("gateway.conditions").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (what == "stalled_shards") words >> state.stalled_shards;
    if (what != "retention_stop") continue;
    RetentionStop stop;
    if (words >> stop.stream >> stop.reader >> stop.percent) state.retention_stop = stop;
  }
}

std::uint64_t CountOf(const RoleState& role, const std::string& counter) {
  const auto found = role.counters.find(counter);
  return found == role.counters.end() ? 0 : found->second;
}

// Counters that a person has to look after when they are not 0, and what to do.
struct Watched {
  std::string_view role;
  const char* counter;
  std::string_view text;
};
constexpr Watched kWatched[] = {
    {"worker", "shards_expired", "shards stopped: retention removed what they wanted to read next"},
    {"worker", "shards_stopped", "shards stopped in all; its log says where and why"},
    {"worker", "partitions_stopped", "partitions stopped; its log says where and why"},
    {"publisher", "journals_expired", "journals stopped: removed from where they were read"},
    {"publisher", "journals_stopped", "journals stopped in all; its log says where and why"},
    {"lake-feed", "shards_expired",
     "shards stopped: what they wanted to copy next is gone from Kafka"},
    {"lake-feed", "shards_stopped", "shards stopped in all; its log says where and why"},
    {"lake", "lake.shards_expired",
     "shards stopped: retention removed what they wanted to read next"},
    {"lake", "lake.shards_stopped", "shards stopped in all; its log says where and why"},
    {"vault", "shards_expired", "shards stopped: retention removed what they wanted to read next"},
    {"vault", "shards_stopped", "shards stopped in all; its log says where and why"},
};
constexpr std::string_view kSharePrefix = "retention_share_percent.";

}  // namespace

std::string RoleOf(const RoleState& state) { return state.release.empty() ? state.name : "worker"; }

OperationsState LookAtOperations(Disk& disk, const Clock& clock, const std::string& dir,
                                 log::Streams& streams) {
  const Paths paths(dir);
  const RunFiles run_files(paths.run());
  OperationsState state;
  state.is_serving = SupervisorLock::IsHeld(paths.run());
  state.has_started = state.is_serving && run_files.Exists("ready");
  for (const std::string role : kRoles) {
    // Of an installation on Kafka alone; of others not even as one that is left out.
    // Neither is the control plane where another installation keeps it.
    const bool is_rare = role == "lake-feed" || role == "control";
    if (is_rare && !(state.is_serving && run_files.IsWanted(role))) continue;
    if (role != "worker") {
      state.roles.push_back(LookAtProcess(disk, run_files, role, role, state.is_serving));
      continue;
    }
    auto workers = LookAtWorkers(disk, run_files, state.is_serving);
    std::move(workers.begin(), workers.end(), std::back_inserter(state.roles));
  }
  LookAtLog(disk, paths, streams, state);
  LookAtConditions(run_files, state);
  state.looked_at = clock.NowUtc();  // after what it is compared with: no age is negative
  return state;
}

std::vector<std::string> NotReadyCauses(const OperationsState& state) {
  if (!state.is_serving) return {"it is not served: no `telltale serve` holds run/supervisor.lock"};
  std::vector<std::string> causes;
  if (!state.has_started) causes.push_back("starting: not every role got ready yet");
  for (const RoleState& role : state.roles) {
    if (!role.is_wanted || !role.is_required) continue;
    if (!role.is_up) {
      causes.push_back(role.name + " does not run");
      continue;
    }
    // What a process before it wrote is no sign that this one hangs: it has the same time.
    const std::optional<Micros> heard_at = std::max(role.counted_at, role.started_at);
    if (!heard_at || state.looked_at - *heard_at <= kCountersAgeMax) continue;
    causes.push_back(fmt::format("{} runs but has written no counters for {} s", role.name,
                                 (state.looked_at - *heard_at).value / 1'000'000));
  }
  if (state.stalled_shards > 0) {
    causes.push_back(
        fmt::format("the log is stalled: the disk is full for {} of its shards, and vehicles wait; "
                    "free room on the disk of data/log",
                    state.stalled_shards));
  }
  if (const auto& stop = state.retention_stop) {
    causes.push_back(
        fmt::format("vehicles are not read: {} is {} % of retention behind in stream {}; start or "
                    "mend {} (docs/back-pressure.md)",
                    stop->reader, stop->percent, stop->stream, stop->reader));
  }
  return causes;
}

std::vector<std::string> Warnings(const OperationsState& state) {
  constexpr auto kAlarmPercent = static_cast<std::uint64_t>(log::kRetentionAlarmShare * 100);
  std::vector<std::string> warnings;
  for (const RoleState& role : state.roles) {
    if (state.is_serving && !role.is_required && role.is_wanted && !role.is_up) {
      warnings.push_back(fmt::format("{} ({}) does not run{}{} (docs/operate.md, \"Releases\")",
                                     role.name, role.place, role.trouble.empty() ? "" : ": ",
                                     role.trouble));
    }
    if (!role.is_up) continue;
    for (const Watched& watched : kWatched) {
      const std::uint64_t count = watched.role == RoleOf(role) ? CountOf(role, watched.counter) : 0;
      if (count == 0) continue;
      warnings.push_back(fmt::format("{}: {} {} (docs/back-pressure.md, \"A reader that stopped\")",
                                     role.name, count, watched.text));
    }
    for (const auto& [name, percent] : role.counters) {
      if (!name.starts_with(kSharePrefix) || percent < kAlarmPercent) continue;
      const std::string reader = name.substr(kSharePrefix.size());
      const std::size_t dot = std::min(reader.find('.'), reader.size() - 1);
      warnings.push_back(fmt::format(
          "{} is {} % of retention behind in stream {}; at {:.0f} % vehicles are not read",
          reader.substr(dot + 1), percent, reader.substr(0, dot), log::kRetentionStopShare * 100));
    }
  }
  return warnings;
}

}  // namespace telltale::app
