#include "gateway/retention_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/role.h"

namespace telltale::gateway {
namespace {

constexpr std::string_view kWorkerPrefix = "worker-";

// A gauge in a counter that only one thread at a time writes.
void Set(Counter& gauge, std::uint64_t value) { gauge.Add(value - gauge.value()); }

int PercentOf(double share) { return static_cast<int>(std::min(share, 1e6) * 100 + 1e-9); }

}  // namespace

RetentionKeeper::RetentionKeeper(Options options, Parts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      passes_(parts_.counters.Get("retention_passes")),
      failures_(parts_.counters.Get("retention_failures")),
      clock_doubts_(parts_.counters.Get("retention_clock_doubts")),
      retired_(parts_.counters.Get("retention_readers_retired")),
      alarms_(parts_.counters.Get("retention_alarms")),
      stops_(parts_.counters.Get("retention_stops")),
      stopped_(parts_.counters.Get("retention_stopped")) {}

void RetentionKeeper::Start() {
  thread_ = std::thread([this] {
    while (true) {
      Pass();
      MutexLock lock(mutex_);
      if (!is_ending_) wake_.WaitFor(mutex_, held_ ? kRetentionEveryStopped : kRetentionEvery);
      if (is_ending_) return;
    }
  });
}

void RetentionKeeper::Stop() {
  {
    MutexLock lock(mutex_);
    is_ending_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

std::optional<Conditions::RetentionStop> RetentionKeeper::held() const {
  MutexLock lock(mutex_);
  return held_;
}

void RetentionKeeper::Pass() {
  MutexLock one_at_a_time(pass_mutex_);
  passes_.Add();
  RetireWorkers();
  const log::RetentionOptions options{options_.positions_dir,
                                      {Stream("safety", options_.keep_for, "publisher"),
                                       Stream("telemetry", options_.keep_for, "lake"),
                                       Stream("sealed", options_.keep_sealed_for, "vault")}};
  const auto report = parts_.streams.Retention(options, Now());
  if (!report.ok()) return SayFailure(report.error());
  failed_with_.clear();
  CountRemoved(*report);
  std::map<ReaderName, Lag> lags;  // of its slowest shard
  for (const log::ShardRetention& shard : report->shards) {
    for (const log::ReaderLag& reader : shard.readers) {
      Lag& lag = lags[{shard.stream, reader.consumer}];
      lag.share = std::max(lag.share, reader.share);
      if (lag.problem.empty()) lag.problem = reader.problem;
    }
  }
  Alarm(lags);
  Decide(lags);
}

// Without the reader's position nothing is removed, unless it is not served here: then it counts
// only if it was once and left a place to go on from.
log::StreamRetention RetentionKeeper::Stream(const std::string& name, Micros keep_for,
                                             const std::string& reader) const {
  return {name, keep_for, 0,
          IsRoleServed(parts_.disk, options_.run_folder, reader) ? std::vector{reader}
                                                                 : std::vector<std::string>{}};
}

// The worker of a release that is not installed any more never comes back to read on.
void RetentionKeeper::RetireWorkers() {
  const auto consumers = parts_.disk.List(options_.positions_dir);
  const auto releases = parts_.disk.List(options_.releases_dir);
  if (!consumers.ok() || !releases.ok()) return;
  for (const std::string& consumer : *consumers) {
    if (!consumer.starts_with(kWorkerPrefix)) continue;
    const std::string release = consumer.substr(kWorkerPrefix.size());
    const bool is_installed =
        std::any_of(releases->begin(), releases->end(),
                    [&](const std::string& digest) { return digest.starts_with(release); });
    if (is_installed) continue;
    const std::string folder = options_.positions_dir + "/" + consumer;
    const auto files = parts_.disk.List(folder);
    if (!files.ok() || files->empty()) continue;
    for (const std::string& file : *files) (void)parts_.disk.Remove(folder + "/" + file);
    (void)parts_.disk.SyncFolder(folder);  // else it is retired once more
    retired_.Add();
    spdlog::info("gateway: {} no longer holds retention: its release is not installed", consumer);
  }
}

Micros RetentionKeeper::Now() {
  const bool was_doubting = clock_.is_doubting();
  const Micros utc = parts_.clock.NowUtc();
  const Micros now = clock_.Read(utc, parts_.clock.NowMonotonic());
  if (clock_.is_doubting() && !was_doubting) {
    clock_doubts_.Add();
    spdlog::error(
        "gateway: the clock jumped {} s ahead; for a day, or until a restart, retention goes by "
        "the time that passed: set the clock right if it is wrong",
        (utc - now).value / 1'000'000);
  }
  return now;
}

void RetentionKeeper::SayFailure(const Error& error) {
  failures_.Add();
  if (std::exchange(failed_with_, error.ToString()) == error.ToString()) return;
  spdlog::error("gateway: retention: {}; it is tried again", error.ToString());
}

void RetentionKeeper::CountRemoved(const log::RetentionReport& report) {
  std::map<std::string, std::uint64_t> kept;
  for (const log::ShardRetention& shard : report.shards) {
    kept[shard.stream] += shard.bytes_kept;
    if (shard.segments_removed == 0) continue;
    const std::uint64_t bytes = shard.segments_removed * options_.segment_bytes;
    parts_.counters.Get("segments_removed." + shard.stream).Add(shard.segments_removed);
    parts_.counters.Get("segment_bytes_removed." + shard.stream).Add(bytes);
    spdlog::info("gateway: stream {} shard {}: removed {} segments ({} MiB), kept {}", shard.stream,
                 shard.shard.value, shard.segments_removed, bytes >> 20, shard.segments_kept);
  }
  for (const auto& [stream, bytes] : kept) Set(parts_.counters.Get("log_bytes." + stream), bytes);
}

Counter& RetentionKeeper::ShareGauge(const ReaderName& name) {
  return parts_.counters.Get("retention_share_percent." + name.first + "." + name.second);
}

void RetentionKeeper::Alarm(const std::map<ReaderName, Lag>& lags) {
  for (auto it = alarmed_.begin(); it != alarmed_.end();) {
    if (lags.contains(it->first)) {
      ++it;
      continue;
    }
    Set(ShareGauge(it->first), 0);
    it = alarmed_.erase(it);  // it has no position any more
  }
  for (const auto& [name, lag] : lags) {
    const auto& [stream, reader] = name;
    Set(ShareGauge(name), static_cast<std::uint64_t>(PercentOf(lag.share)));
    bool& is_alarmed = alarmed_[name];
    if (!is_alarmed && lag.share >= log::kRetentionAlarmShare) {
      is_alarmed = true;
      alarms_.Add();
      spdlog::error(
          "gateway: reader {} is {} % of retention behind in stream {}; at {} % vehicles are not "
          "read{}{}",
          reader, PercentOf(lag.share), stream, PercentOf(log::kRetentionStopShare),
          lag.problem.empty() ? "" : ": ", lag.problem);
    } else if (is_alarmed && lag.share < kRetentionAlarmEndShare) {
      is_alarmed = false;
      spdlog::info("gateway: reader {} is only {} % of retention behind in stream {} again", reader,
                   PercentOf(lag.share), stream);
    }
  }
}

void RetentionKeeper::Decide(const std::map<ReaderName, Lag>& lags) {
  const auto slowest = std::max_element(lags.begin(), lags.end(), [](const auto& a, const auto& b) {
    return a.second.share < b.second.share;
  });
  const double share = slowest == lags.end() ? 0 : slowest->second.share;
  bool is_held = false;
  {
    MutexLock lock(mutex_);
    const bool was_held = held_.has_value();
    is_held = share >= (was_held ? kRetentionResumeShare : log::kRetentionStopShare);
    held_.reset();
    if (is_held) {
      held_ =
          Conditions::RetentionStop{slowest->first.first, slowest->first.second, PercentOf(share)};
    }
    if (is_held == was_held) return;
  }
  Set(stopped_, is_held ? 1 : 0);
  if (is_held) {
    stops_.Add();
    spdlog::error(
        "gateway: vehicles are not read: reader {} is {} % of retention behind in stream {}",
        slowest->first.second, PercentOf(share), slowest->first.first);
  } else {
    spdlog::info("gateway: vehicles are read again: no reader is {} % of retention behind",
                 PercentOf(kRetentionResumeShare));
  }
  parts_.hold_reading(is_held);
}

}  // namespace telltale::gateway
