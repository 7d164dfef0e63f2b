#include "safety/run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "base/config.h"
#include "base/kept_config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "log/retention.h"
#include "safety/journal_retention.h"
#include "safety/release.h"
#include "safety/shard_worker.h"
#include "seal/seal.h"

namespace telltale::safety {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry{100};
constexpr milliseconds kWaitMax{100};
constexpr milliseconds kCountersPace{1000};
constexpr int kTurnsPerRetention = 60;  // of kCountersPace
constexpr std::int64_t kHourUs = 3'600 * 1'000'000ll;
// On a full disk, as the log does it.
constexpr milliseconds kFullPauseMin = log::kStallPauseMin;
constexpr milliseconds kFullPauseMax = log::kStallPauseMax;

// What the threads share; all of it outlives them.
struct Shared {
  PosixDisk disk;
  SystemClock clock;
  Counters counters;
  std::unique_ptr<log::Streams> streams;
  std::unique_ptr<log::Log> journal;
  std::unique_ptr<log::WakeServer> wake;
  std::atomic<bool> failed{false};
  std::vector<std::atomic<std::int64_t>> marked_at_us;  // by shard, monotonic
};

// A stream that is broken, newer than this worker, or was removed before it was read, stays so: its
// shard stops and the others go on. Anything else, a failed disk say, may come back with the next
// start.
bool StopsOneShard(const Error& error) {
  return error.code == Code::kCorrupt || error.code == Code::kUnsupported || log::IsExpired(error);
}

// Says why the shard reads no more; ends the process unless that is the others' way to go on.
void StopShard(std::uint16_t shard, const Error& error, Shared& shared) {
  if (StopsOneShard(error)) {
    spdlog::error("shard {} stopped, the others go on: {}", shard, error.ToString());
    shared.counters.Get("shards_stopped").Add();
    if (log::IsExpired(error)) shared.counters.Get("shards_expired").Add();
    return;
  }
  spdlog::error("shard {} stopped: {}", shard, error.ToString());
  shared.failed = true;
  RequestStop();
}

// Waits for room on the disk, longer each time.
class FullDisk {
 public:
  FullDisk(std::uint16_t shard, Counters& counters)
      : shard_(shard), waits_(counters.Get("disk_full_waits")) {}

  void Wait(const Error& error) {
    if (pause_ == kFullPauseMin) {
      waits_.Add();
      spdlog::error("shard {}: {}; it waits until the disk has room", shard_, error.ToString());
    }
    WaitForStop(pause_);
    pause_ = std::min(2 * pause_, kFullPauseMax);
  }
  void End() {
    if (std::exchange(pause_, kFullPauseMin) == kFullPauseMin) return;
    spdlog::info("shard {}: the disk has room again", shard_);
  }

 private:
  const std::uint16_t shard_;
  Counter& waits_;
  milliseconds pause_ = kFullPauseMin;
};

// The log may be younger than this worker.
bool OpenWhenThere(ShardWorker& worker, std::uint16_t shard, Shared& shared) {
  while (!StopRequested()) {
    const Status opened = worker.Open();
    if (opened.ok()) return true;
    if (opened.error().code != Code::kNotFound) {
      StopShard(shard, opened.error(), shared);
      return false;
    }
    WaitForStop(kRetry);
  }
  return false;
}

void RunShard(const ShardOptions& options, const Engine& engine, const std::string& log_socket,
              Shared& shared) {
  const std::uint16_t shard = options.head.shard;
  const auto has_marked = [&] { shared.marked_at_us[shard] = shared.clock.NowMonotonic().value; };
  has_marked();
  ShardWorker worker(options, engine, *shared.streams, shared.journal->shard(ShardId{shard}),
                     shared.disk, shared.clock, shared.counters);
  if (!OpenWhenThere(worker, shard, shared)) return;
  log::WakeClient wake(log_socket);
  FullDisk full_disk(shard, shared.counters);
  while (!StopRequested()) {
    const auto turn = worker.RunOnce();
    if (!turn.ok() && turn.error().code == Code::kOverloaded) {
      full_disk.Wait(turn.error());
      continue;
    }
    if (!turn.ok()) {
      shared.wake->WakeAll();
      return StopShard(shard, turn.error(), shared);
    }
    full_disk.End();
    if (turn->wrote) {
      has_marked();
      shared.wake->WakeAll();
    }
    if (turn->read) continue;
    const milliseconds pause = turn->wrote ? kWaitMax : milliseconds{kMarkPaceUs / 1000};
    if (!worker.WaitForMore(pause)) wake.Wait(pause);
  }
  const Status saved = worker.SaveSnapshot();
  if (!saved.ok()) spdlog::warn("shard {}: {}", shard, saved.error().ToString());
  shared.wake->WakeAll();
}

void KeepJournalShort(const std::string& dir, Micros keep_for, Shared& shared) {
  const auto removed = RetainJournal(shared.disk, dir, keep_for, shared.clock.NowUtc());
  if (!removed.ok()) return spdlog::warn("journal: {}", removed.error().ToString());
  if (*removed > 0) spdlog::info("journal: {} segments older than retention removed", *removed);
  shared.counters.Get("journal_segments_removed_total").Add(*removed);
}

// Of the shard that is longest without a mark: so a shard that hangs is seen.
void ExportMarkAge(Shared& shared) {
  const std::int64_t now_us = shared.clock.NowMonotonic().value;
  std::int64_t age_us = 0;
  for (const auto& at_us : shared.marked_at_us) age_us = std::max(age_us, now_us - at_us.load());
  Counter& gauge = shared.counters.Get("mark_age_seconds");
  gauge.Add(static_cast<std::uint64_t>(age_us / 1'000'000) - gauge.value());
}

Status Run(const WorkerOptions& options) {
  const Paths paths(options.dir);
  Shared shared;
  Disk& disk = shared.disk;
  const std::string name = "worker-" + options.release.substr(0, 8);
  ASSIGN_OR_RETURN(const Config config, Config::Load(shared.disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging(name, config.logging_format, config.logging_level));
  ASSIGN_OR_RETURN(Release release, LoadRelease(shared.disk, paths, options.release));
  const auto rules = static_cast<std::uint16_t>(release.rules.rules.size());
  const Engine engine(std::move(release.rules), options.release);
  ASSIGN_OR_RETURN(const std::string control_public,
                   seal::LoadKey(disk, paths.keys() + "/control.pub"));

  ASSIGN_OR_RETURN(shared.streams, options.open_streams(disk, config, paths));

  const std::string worker_dir = paths.worker() + "/" + options.release;
  RETURN_IF_ERROR(disk.MakeFolders(worker_dir));
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/counters"));
  log::LogOptions journal{.dir = paths.journal() + "/" + options.release,
                          .streams = {"journal"},
                          .partitions = config.log_partitions,
                          .shards = config.log_shards,
                          .segment_bytes = 16u << 20,
                          .ticks = false};
  RETURN_IF_ERROR(disk.MakeFolders(journal.dir));
  ASSIGN_OR_RETURN(shared.journal, log::Log::Open(shared.disk, journal));
  ASSIGN_OR_RETURN(shared.wake, log::WakeServer::Start(paths.run() + "/" + name + ".sock"));

  shared.marked_at_us = std::vector<std::atomic<std::int64_t>>(config.log_shards);
  for (auto& at_us : shared.marked_at_us) at_us = shared.clock.NowMonotonic().value;
  std::vector<std::thread> threads;
  for (std::uint16_t shard = 0; shard < config.log_shards; ++shard) {
    ShardOptions shard_options{
        .snapshot_path = worker_dir + "/shard-" + std::to_string(shard) + ".snapshot",
        .positions_dir = paths.positions(),
        .consumer = name,
        .environment = config.environment_name,
        .head = {.release = options.release,
                 .shard = shard,
                 .shards = config.log_shards,
                 .partitions = config.log_partitions,
                 .rules = rules},
        .erasure_list = paths.erasure_list(),
        .configs = {.folder = KeptConfigFolder(paths), .control_public = control_public}};
    threads.emplace_back([shard_options = std::move(shard_options), &engine, &paths, &shared] {
      RunShard(shard_options, engine, paths.log_socket(), shared);
    });
  }
  spdlog::info("{} rules on {} shards", rules, config.log_shards);
  const auto publish_counters = [&] {
    ExportMarkAge(shared);
    const Status written = WriteCounters(paths.run() + "/counters", name, shared.counters);
    if (!written.ok()) spdlog::warn("counters: {}", written.error().ToString());
  };
  const Micros keep_for{config.log_retention_hours * kHourUs};
  for (int turn = 1; !WaitForStop(kCountersPace); ++turn) {
    publish_counters();
    if (turn % kTurnsPerRetention == 0) KeepJournalShort(journal.dir, keep_for, shared);
  }
  for (std::thread& thread : threads) thread.join();
  publish_counters();
  if (shared.failed) return Error{Code::kUnavailable, "a shard failed; see above"};
  return Ok();
}

}  // namespace

int RunWorker(const WorkerOptions& options) {
  StartLogging("worker");
  const Status status = Run(options);
  if (status.ok()) return 0;
  spdlog::error("{}", status.error().ToString());
  return 1;
}

}  // namespace telltale::safety
