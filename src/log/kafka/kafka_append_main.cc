// Appends records until its input ends, for tests that end brokers under it; then reads all back.
//
//   kafka_append BROKERS PREFIX [SETTINGS-FILE]
//
// A line on stdout for each: `acked N` (records 0 .. N-1 are acknowledged), `stalled`, `goes on`,
// `failed: ...`; at the end `read M`, the records that are there, in order and without holes.
#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <thread>

#include "base/clock.h"
#include "base/sim_disk.h"
#include "log/kafka/kafka_streams.h"

namespace telltale::log::kafka {
namespace {

constexpr std::size_t kPayloadBytes = 200;
constexpr std::uint64_t kSayEvery = 1000;

void Say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

LogOptions Options() {
  LogOptions options;
  options.streams = {"safety"};
  options.partitions = 1;
  options.shards = 1;
  // A hundred or two: the broker is to be ended many times, not filled.
  options.unsynced_bytes_max = 64u << 10;
  options.ticks = false;
  return options;
}

// Number i carries i and is told once its commit is durable.
Status AppendUntil(ShardWriter& shard, const std::atomic<bool>& is_over) {
  shard.SetOnStall([](const Status& status) { Say(status.ok() ? "goes on" : "stalled"); });
  BatchBuilder batch;
  const SystemClock clock;
  std::deque<std::pair<CommitNumber, std::uint64_t>> waiting;  // commit, records appended by then
  std::uint64_t appended = 0;
  std::uint64_t acked = 0;
  std::uint64_t said = 0;
  while (!is_over) {
    if (shard.HasRoom()) {
      batch.Clear(PartitionId{0});
      std::string payload = std::to_string(appended);
      payload.resize(kPayloadBytes, ' ');
      // A broker forgets a producer whose newest record is older than a day, and with it what of
      // that producer it has already: then it stores once more what it is sent again.
      RecordHeader header;
      header.receipt_time = clock.NowUtc();
      batch.Add(header, "1", AsBytes(payload));
      const ShardWriter::Staged staged{0, &batch};
      const auto commit = shard.Append({&staged, 1});
      if (commit.ok()) {
        ++appended;
        if (waiting.empty() || waiting.back().first != *commit) waiting.push_back({*commit, 0});
        waiting.back().second = appended;
        shard.Flush();
      } else if (commit.error().code != Code::kOverloaded) {
        return commit.error();
      }
    } else if (const Status synced = shard.SyncNow();
               !synced.ok() && synced.error().code != Code::kOverloaded) {
      return synced;
    }
    for (; !waiting.empty() && waiting.front().first <= shard.durable_commit();
         waiting.pop_front()) {
      acked = waiting.front().second;
    }
    if (acked < said + kSayEvery) continue;
    said = acked;
    Say(fmt::format("acked {}", acked));
  }
  RETURN_IF_ERROR(shard.SyncNow());
  Say(fmt::format("acked {}", appended));
  return Ok();
}

Status ReadBack(Streams& streams) {
  ASSIGN_OR_RETURN(const auto ends, streams.Ends("safety"));
  ASSIGN_OR_RETURN(const auto reader, streams.OpenReader("safety", ShardId{0}, {}));
  std::uint64_t read = 0;
  while (RecordsBehind(ends[0], reader->position(), 1) > 0) {
    ASSIGN_OR_RETURN(const RecordView* record, reader->Next());
    if (record == nullptr) {
      reader->WaitForMore(std::chrono::milliseconds{100});
      continue;
    }
    const std::string expected = std::to_string(read) + ' ';
    if (!AsText(record->payload).starts_with(expected)) {
      return Error{Code::kCorrupt, fmt::format("record {} is not there in its place", read)};
    }
    ++read;
  }
  Say(fmt::format("read {}", read));
  return Ok();
}

Status Run(const std::string& brokers, const std::string& prefix, const std::string& file) {
  SimDisk disk;
  PosixDisk files;
  ASSIGN_OR_RETURN(Settings settings, ReadSettings(files, file));
  KafkaStreams streams(disk, {.cluster = {.brokers = brokers,
                                          .topic_prefix = prefix,
                                          .replication = 1,
                                          .settings = std::move(settings)},
                              .shards = 1});
  ASSIGN_OR_RETURN(const auto log, streams.Open(Options()));
  std::atomic<bool> is_over = false;
  std::thread input([&is_over] {
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    is_over = true;
  });
  const Status appended = AppendUntil(log->shard(ShardId{0}), is_over);
  if (!appended.ok()) Say("failed: " + appended.error().ToString());
  input.join();
  RETURN_IF_ERROR(appended);
  return ReadBack(streams);
}

}  // namespace
}  // namespace telltale::log::kafka

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) return 2;
  spdlog::set_level(spdlog::level::debug);  // what a setting `debug` asks for
  const telltale::Status status =
      telltale::log::kafka::Run(argv[1], argv[2], argc == 4 ? argv[3] : "");
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", status.error().ToString());
  return 1;
}
