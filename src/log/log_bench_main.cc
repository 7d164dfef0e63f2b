// log_bench DIR [SECONDS]: records per second from Append to durable, one shard thread each.
//   encode    cost of BatchBuilder::Add alone, per core, no disk
//   durable   end to end with group commit on DIR's disk
//   read      the same records back
//   commit    latency of one small commit of three streams
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "log/log.h"

namespace {

using namespace telltale;       // NOLINT: a program of one file
using namespace telltale::log;  // NOLINT
using Timer = std::chrono::steady_clock;

double Seconds(Timer::duration d) { return std::chrono::duration<double>(d).count(); }

constexpr std::size_t kPayloadBytes = 200;
constexpr int kRecordsPerBatch = 50;

void FillBatch(BatchBuilder& batch, std::string_view payload, std::uint64_t& seq) {
  for (int i = 0; i < kRecordsPerBatch; ++i) {
    RecordHeader header;
    header.seq = seq++;
    header.receipt_time = Micros{static_cast<std::int64_t>(seq)};
    batch.Add(header, "1.0.0", AsBytes(payload));
  }
}

// One owner thread's loop until `until`; returns records appended.
std::uint64_t Drive(ShardWriter& shard, ShardId id, Timer::time_point until) {
  const std::string payload(kPayloadBytes, 'p');
  BatchBuilder batch;
  std::uint64_t seq = 0;
  std::uint64_t appended = 0;
  for (std::uint16_t turn = 0; Timer::now() < until; ++turn) {
    batch.Clear(PartitionId{static_cast<std::uint16_t>((turn % 32) * 2 + id.value)});
    FillBatch(batch, payload, seq);
    const ShardWriter::Staged staged{0, &batch};
    while (!shard.Append({&staged, 1}).ok())
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    shard.Flush();
    appended += kRecordsPerBatch;
  }
  CHECK(shard.SyncNow().ok());
  return appended;
}

void Staging() {
  const std::string payload(kPayloadBytes, 'p');
  BatchBuilder batch;
  std::uint64_t seq = 0;
  constexpr int kBatches = 100'000;
  const auto start = Timer::now();
  for (int i = 0; i < kBatches; ++i) {
    batch.Clear(PartitionId{0});
    FillBatch(batch, payload, seq);
  }
  const double seconds = Seconds(Timer::now() - start);
  fmt::print("encode    {:.2f} M records/s per core\n",
             kBatches * kRecordsPerBatch / seconds / 1e6);
}

std::uint64_t ReadAll(const std::string& dir, std::uint16_t shards) {
  PosixDisk disk;
  std::uint64_t records = 0;
  for (std::uint16_t s = 0; s < shards; ++s) {
    const auto reader = Reader::Open(disk, dir, "telemetry", ShardId{s}, {});
    CHECK(reader.ok());
    while (true) {
      const auto record = (*reader)->Next();
      CHECK(record.ok());
      if (*record == nullptr) break;
      ++records;
    }
  }
  return records;
}

void Durable(const std::string& dir, double seconds, std::uint16_t shards) {
  PosixDisk disk;
  LogOptions options;
  options.dir = dir;
  options.streams = {"telemetry"};
  options.shards = shards;
  auto log = Log::Open(disk, options);
  CHECK(log.ok());
  std::atomic<std::uint64_t> commits{0};
  for (std::uint16_t s = 0; s < shards; ++s) {
    (*log)->shard(ShardId{s}).SetOnCommit([&](Result<CommitNumber>) { ++commits; });
  }
  std::atomic<std::uint64_t> appended{0};
  const auto start = Timer::now();
  const auto until = start + std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
  std::vector<std::thread> owners;
  for (std::uint16_t s = 0; s < shards; ++s) {
    owners.emplace_back(
        [&, s] { appended += Drive((*log)->shard(ShardId{s}), ShardId{s}, until); });
  }
  for (std::thread& owner : owners) owner.join();
  const double took = Seconds(Timer::now() - start);
  *log = nullptr;
  fmt::print("durable   {:.2f} M records/s on {} shard(s), {:.0f} MB/s, {:.0f} commits/s\n",
             static_cast<double>(appended) / took / 1e6, shards,
             static_cast<double>(appended) * (kPayloadBytes + kRecordHeaderBytesV1) / took / 1e6,
             static_cast<double>(commits) / took);
  const auto reading = Timer::now();
  const std::uint64_t read = ReadAll(dir, shards);
  CHECK(read == appended);
  fmt::print("read      {:.2f} M records/s per core\n",
             static_cast<double>(read) / Seconds(Timer::now() - reading) / 1e6);
}

// One small batch per stream and commit: how long an acknowledgement waits on an idle machine.
void SmallCommits(const std::string& dir) {
  PosixDisk disk;
  LogOptions options;
  options.dir = dir;
  options.streams = {"safety", "telemetry", "sealed"};
  auto log = Log::Open(disk, options);
  CHECK(log.ok());
  ShardWriter& shard = (*log)->shard(ShardId{0});
  BatchBuilder batch(PartitionId{0});
  std::uint64_t seq = 0;
  FillBatch(batch, std::string(kPayloadBytes, 'p'), seq);
  constexpr std::size_t kCommits = 500;
  std::vector<double> took_us;
  for (std::size_t i = 0; i < kCommits; ++i) {
    const auto start = Timer::now();
    const std::vector<ShardWriter::Staged> staged{{0, &batch}, {1, &batch}, {2, &batch}};
    CHECK(shard.Append(staged).ok() && shard.SyncNow().ok());
    took_us.push_back(Seconds(Timer::now() - start) * 1e6);
  }
  std::sort(took_us.begin(), took_us.end());
  fmt::print("commit    3 streams of {} bytes: p50 {:.0f} us, p99 {:.0f} us\n",
             kRecordsPerBatch * (kPayloadBytes + kRecordHeaderBytesV1), took_us[kCommits / 2],
             took_us[kCommits * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: log_bench DIR [SECONDS]   DIR must be empty\n");
    return 2;
  }
  const double seconds = argc > 2 ? std::stod(argv[2]) : 3;
  Staging();
  Durable(std::string(argv[1]) + "/one", seconds, 1);
  Durable(std::string(argv[1]) + "/two", seconds, 2);
  SmallCommits(std::string(argv[1]) + "/small");
  return 0;
}
