#include "feed/role.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "feed/copy.h"
#include "log/retention.h"

namespace telltale::feed {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry{500};
constexpr milliseconds kWaitMax{100};
constexpr milliseconds kTurn{1'000};
constexpr int kTurnsPerRetention = 60;

// A stream that is broken or whose records are gone stays so: its shard stops, the others go on.
bool StopsOneShard(const Error& error) {
  return error.code == Code::kCorrupt || error.code == Code::kUnsupported || log::IsExpired(error);
}

class Process {
 public:
  Process(const RoleOptions& options, log::OpenStreams open_streams)
      : paths_(options.dir), open_streams_(open_streams) {}

  Status Run();

 private:
  Status Start(const Config& config);
  void RunShard(ShardId shard);
  bool OpenWhenThere(ShardCopy& copy, ShardId shard);
  void CopyShard(ShardCopy& copy, ShardId shard);
  void StopShard(ShardId shard, const Error& error);
  void Retain(const Config& config);
  void WriteCounts();

  const Paths paths_;
  const log::OpenStreams open_streams_;
  PosixDisk posix_disk_;
  Disk& disk_ = posix_disk_;
  Counters counters_;
  std::unique_ptr<log::Streams> source_;
  std::vector<std::string> streams_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<log::WakeServer> wake_;
  std::atomic<std::int64_t> log_time_us_{0};
  std::atomic<bool> has_failed_{false};
};

Status Process::Start(const Config& config) {
  RETURN_IF_ERROR(disk_.MakeFolders(paths_.run() + "/counters", 0750));
  ASSIGN_OR_RETURN(source_, open_streams_(disk_, config, paths_));
  // `init` made the copy; it says which streams there are.
  ASSIGN_OR_RETURN(const log::LogShape shape, log::DescribeLog(disk_, paths_.log()));
  streams_ = shape.streams;
  log::LogOptions options;
  options.dir = paths_.log();
  options.streams = streams_;
  options.partitions = config.log_partitions;
  options.shards = config.log_shards;
  options.segment_bytes = config.log_segment_bytes;
  options.unsynced_bytes_max = config.log_unsynced_bytes_max;
  ASSIGN_OR_RETURN(log_, log::Log::Open(disk_, options));
  RETURN_IF_ERROR(disk_.MakeFolders(ParentFolder(paths_.log_socket())));
  ASSIGN_OR_RETURN(wake_, log::WakeServer::Start(paths_.log_socket()));
  return Ok();
}

Status Process::Run() {
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk_, paths_.config()));
  RETURN_IF_ERROR(ConfigureLogging("lake-feed", config.logging_format, config.logging_level));
  RETURN_IF_ERROR(Start(config));
  std::vector<std::thread> threads;
  for (std::uint16_t shard = 0; shard < log_->shards(); ++shard) {
    threads.emplace_back([this, shard] { RunShard(ShardId{shard}); });
  }
  for (int turn = 1; !WaitForStop(kTurn); ++turn) {
    WriteCounts();
    if (turn % kTurnsPerRetention == 0) Retain(config);
  }
  for (std::thread& thread : threads) thread.join();
  WriteCounts();
  if (has_failed_) return Error{Code::kUnavailable, "a shard failed; see above"};
  return Ok();
}

void Process::RunShard(ShardId shard) {
  ShardCopy copy({*source_, *log_, disk_, counters_}, shard, streams_, paths_.positions());
  if (OpenWhenThere(copy, shard)) CopyShard(copy, shard);
  wake_->WakeAll();
}

// The topics are made by the gateway, which may start later.
bool Process::OpenWhenThere(ShardCopy& copy, ShardId shard) {
  while (!StopRequested()) {
    const Status opened = copy.Open();
    if (opened.ok()) return true;
    if (opened.error().code != Code::kNotFound && opened.error().code != Code::kUnavailable) {
      StopShard(shard, opened.error());
      return false;
    }
    spdlog::debug("lake-feed: shard {}: {}; tried again", shard.value, opened.error().ToString());
    WaitForStop(kRetry);
  }
  return false;
}

void Process::CopyShard(ShardCopy& copy, ShardId shard) {
  bool is_full = false;
  while (!StopRequested()) {
    const auto more = copy.Step();
    if (!more.ok() && more.error().code == Code::kOverloaded) {
      if (!is_full) spdlog::error("lake-feed: shard {}: {}", shard.value, more.error().ToString());
      is_full = true;
      WaitForStop(kRetry);
      continue;
    }
    if (!more.ok()) return StopShard(shard, more.error());
    if (is_full) spdlog::info("lake-feed: shard {}: the disk has room again", shard.value);
    is_full = false;
    std::int64_t newest = log_time_us_;
    while (newest < copy.log_time().value &&
           !log_time_us_.compare_exchange_weak(newest, copy.log_time().value)) {
    }
    if (*more) {
      wake_->WakeAll();
    } else {
      copy.WaitForMore(kWaitMax);
    }
  }
}

void Process::StopShard(ShardId shard, const Error& error) {
  const bool others_go_on = StopsOneShard(error);
  spdlog::error("lake-feed: shard {} stopped{}: {}", shard.value,
                others_go_on ? ", the others go on" : "", error.ToString());
  if (others_go_on) {
    counters_.Get("shards_stopped").Add();
    if (log::IsExpired(error)) counters_.Get("shards_expired").Add();
    return;
  }
  has_failed_ = true;
  RequestStop();
}

// By log time: no clock that jumps can take away what was not read.
void Process::Retain(const Config& config) {
  const auto hours = [](std::uint32_t n) { return Micros::Seconds(std::int64_t{n} * 3600); };
  const auto required = [this](const char* role) {
    return IsRoleServed(disk_, paths_.run(), role) ? std::vector<std::string>{role}
                                                   : std::vector<std::string>{};
  };
  const log::RetentionOptions options{
      paths_.positions(),
      {{"safety", hours(config.log_retention_hours), 0, {}},
       {"telemetry", hours(config.log_retention_hours), 0, required("lake")},
       {"sealed", hours(config.log_sealed_retention_hours), 0, required("vault")}}};
  const auto report = log::Retain(disk_, paths_.log(), options, Micros{log_time_us_});
  if (!report.ok()) spdlog::warn("lake-feed: retention: {}", report.error().ToString());
}

void Process::WriteCounts() {
  const Status written = WriteCounters(paths_.run() + "/counters", "lake-feed", counters_);
  if (!written.ok()) spdlog::warn("lake-feed: counters: {}", written.error().ToString());
}

}  // namespace

int RunLakeFeedRole(const RoleOptions& options, log::OpenStreams open_streams) {
  StartLogging("lake-feed");
  const Status done = Process(options, open_streams).Run();
  if (done.ok()) return 0;
  spdlog::error("lake-feed: {}", done.error().ToString());
  return 1;
}

}  // namespace telltale::feed
