#include "safety/run.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <thread>

#include "base/config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "safety/release.h"
#include "safety/shard_worker.h"

namespace telltale::safety {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry{100};
constexpr milliseconds kWaitMax{100};

// What the threads share; all of it outlives them.
struct Shared {
  PosixDisk disk;
  SystemClock clock;
  Counters counters;
  std::unique_ptr<log::Log> journal;
  std::unique_ptr<log::WakeServer> wake;
  std::atomic<bool> failed{false};
};

// A stream that is broken, or newer than this worker, stays so: its shard stops and the others go
// on. Anything else, a failed disk say, may come back with the next start.
bool StopsOneShard(const Error& error) {
  return error.code == Code::kCorrupt || error.code == Code::kUnsupported;
}

// The log may be younger than this worker.
bool OpenWhenThere(ShardWorker& worker, std::uint16_t shard, Shared& shared) {
  while (!StopRequested()) {
    const Status opened = worker.Open();
    if (opened.ok()) return true;
    if (opened.error().code != Code::kNotFound) {
      spdlog::error("shard {}: {}", shard, opened.error().ToString());
      if (StopsOneShard(opened.error())) return false;
      shared.failed = true;
      RequestStop();
      return false;
    }
    WaitForStop(kRetry);
  }
  return false;
}

void RunShard(const ShardOptions& options, const Engine& engine, const std::string& log_socket,
              Shared& shared) {
  const std::uint16_t shard = options.head.shard;
  ShardWorker worker(options, engine, shared.journal->shard(ShardId{shard}), shared.disk,
                     shared.clock, shared.counters);
  if (!OpenWhenThere(worker, shard, shared)) return;
  log::WakeClient wake(log_socket);
  while (!StopRequested()) {
    const auto turn = worker.RunOnce();
    if (!turn.ok()) {
      spdlog::error("shard {} stopped: {}", shard, turn.error().ToString());
      shared.wake->WakeAll();
      if (StopsOneShard(turn.error())) return;
      shared.failed = true;
      RequestStop();
      return;
    }
    if (turn->wrote) shared.wake->WakeAll();
    if (!turn->read) wake.Wait(turn->wrote ? kWaitMax : milliseconds{kMarkPaceUs / 1000});
  }
  const Status saved = worker.SaveSnapshot();
  if (!saved.ok()) spdlog::warn("shard {}: {}", shard, saved.error().ToString());
  shared.wake->WakeAll();
}

Status Run(const WorkerOptions& options) {
  const Paths paths(options.dir);
  Shared shared;
  Disk& disk = shared.disk;
  ASSIGN_OR_RETURN(const Config config, Config::Load(shared.disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging("worker", config.logging_format, config.logging_level));
  ASSIGN_OR_RETURN(Release release, LoadRelease(shared.disk, paths, options.release));
  const auto rules = static_cast<std::uint16_t>(release.rules.rules.size());
  const Engine engine(std::move(release.rules));

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
  const std::string name = "worker-" + options.release.substr(0, 8);
  ASSIGN_OR_RETURN(shared.wake, log::WakeServer::Start(paths.run() + "/" + name + ".sock"));

  std::vector<std::thread> threads;
  for (std::uint16_t shard = 0; shard < config.log_shards; ++shard) {
    ShardOptions shard_options{
        .log_dir = paths.log(),
        .snapshot_path = worker_dir + "/shard-" + std::to_string(shard) + ".snapshot",
        .positions_dir = paths.positions(),
        .consumer = name,
        .environment = config.environment_name,
        .head = {.release = options.release,
                 .shard = shard,
                 .shards = config.log_shards,
                 .partitions = config.log_partitions,
                 .rules = rules}};
    threads.emplace_back([shard_options = std::move(shard_options), &engine, &paths, &shared] {
      RunShard(shard_options, engine, paths.log_socket(), shared);
    });
  }
  spdlog::info("{} rules on {} shards", rules, config.log_shards);
  const auto publish_counters = [&] {
    const Status written = WriteCounters(paths.run() + "/counters", "worker", shared.counters);
    if (!written.ok()) spdlog::warn("counters: {}", written.error().ToString());
  };
  while (!WaitForStop(milliseconds{1000})) publish_counters();
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
