// What streams promise, wherever they live: one suite, run on files by log_contract_test.cc and on
// a real Kafka by kafka/kafka_contract_test.cc. Include it in one source of a test program.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/mutex.h"
#include "base/sim_disk.h"
#include "log/log_testing.h"
#include "log/retention.h"
#include "log/streams.h"

namespace telltale::log {

// Where the streams of one test live: nothing is there at first.
class ContractHome {
 public:
  virtual ~ContractHome() = default;
  // As another process would have them.
  virtual std::unique_ptr<Streams> Attach() = 0;
  // What was not durable may be lost. No log is open.
  virtual void Crash() = 0;
  Disk& disk() { return disk_; }  // of the consumers' positions, and of files

 protected:
  SimDisk disk_;
};
struct ContractPlace {
  const char* name;
  std::unique_ptr<ContractHome> (*make)();  // nullptr: cannot be tried here
};

inline std::string NameOf(const testing::TestParamInfo<ContractPlace>& place) {
  return place.param.name;
}

class LogContractTest : public testing::TestWithParam<ContractPlace> {
 protected:
  void SetUp() override {
    home_ = GetParam().make();
    if (home_ == nullptr) GTEST_SKIP() << "no broker: TELLTALE_KAFKA_BROKER is not set";
    streams_ = home_->Attach();
  }

  static LogOptions Options() {
    LogOptions options = SmallLog();
    options.ticks = false;
    return options;
  }
  std::unique_ptr<Log> Open(const LogOptions& options = Options()) {
    auto log = streams_->Open(options);
    if (!log.ok()) {
      ADD_FAILURE() << log.error().ToString();
      return nullptr;
    }
    return std::move(log).value();
  }
  std::unique_ptr<Reader> Read(const std::string& stream, ShardId shard,
                               const Position& from = {}) {
    auto reader = streams_->OpenReader(stream, shard, from);
    if (!reader.ok()) {
      ADD_FAILURE() << reader.error().ToString();
      return nullptr;
    }
    return std::move(reader).value();
  }

  // On to the durable end as it is now.
  void ReadOnTo(Reader& reader, const std::string& stream, ShardId shard, ByPartition& out) {
    constexpr int kEmptyTurnsMax = 100;
    const auto ends = streams_->Ends(stream);
    ASSERT_TRUE(ends.ok()) << ends.error().ToString();
    const DurableEnd& end = (*ends)[shard.value];
    for (int empty = 0; RecordsBehind(end, reader.position(), Options().shards) > 0;) {
      const auto record = reader.Next();
      ASSERT_TRUE(record.ok()) << record.error().ToString();
      if (*record == nullptr) {
        ASSERT_LT(++empty, kEmptyTurnsMax) << "what is durable does not come";
        ASSERT_TRUE(reader.WaitForMore(std::chrono::milliseconds{100}));
        continue;
      }
      auto& records = out[(*record)->partition.value];
      if (!records.empty()) {
        EXPECT_EQ((*record)->offset.value, records.back().offset + 1);
      }
      records.push_back({std::string(AsText((*record)->payload)), (*record)->offset.value,
                         (*record)->header.kind, (*record)->log_time.value});
    }
  }
  ByPartition ReadStream(const std::string& stream) {
    ByPartition out;
    for (std::uint16_t s = 0; s < Options().shards; ++s) {
      const auto reader = Read(stream, ShardId{s});
      if (reader != nullptr) ReadOnTo(*reader, stream, ShardId{s}, out);
    }
    return out;
  }
  static void Sync(Log& log) {
    for (std::uint16_t s = 0; s < log.shards(); ++s) {
      ASSERT_TRUE(log.shard(ShardId{s}).SyncNow().ok());
    }
  }

  std::unique_ptr<ContractHome> home_;
  std::unique_ptr<Streams> streams_;
};

using Texts = std::vector<std::string>;

TEST_P(LogContractTest, WhatWasNeverMadeIsNotFound) {
  EXPECT_EQ(streams_->Describe().error().code, Code::kNotFound);
  EXPECT_EQ(streams_->OpenReader("safety", ShardId{0}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(streams_->Ends("safety").error().code, Code::kNotFound);
  EXPECT_EQ(streams_->Ledger().error().code, Code::kNotFound);
  const auto log = Open();
  const auto shape = streams_->Describe();
  ASSERT_TRUE(shape.ok()) << shape.error().ToString();
  EXPECT_EQ(shape->streams, Options().streams);
  EXPECT_EQ(shape->partitions, Options().partitions);
  EXPECT_EQ(shape->shards, Options().shards);
  EXPECT_EQ(streams_->Ends("journal").error().code, Code::kNotFound);
  EXPECT_EQ(streams_->OpenReader("journal", ShardId{0}, {}).error().code, Code::kNotFound);
}

TEST_P(LogContractTest, ARecordIsReadBackAsItWasAppended) {
  const auto log = Open();
  RecordHeader header;
  header.kind = RecordKind::kQuarantine;
  header.flags = 3;
  header.vehicle.bytes[0] = 0xab;
  header.boot = {7, 0x123456789abcdef0};
  header.seq = 1ull << 60;
  header.event_time = Micros{-5};
  header.receipt_time = Micros{2'000'001};
  header.content_hash = 0xfedcba9876543210;
  header.contract_number = 44;
  header.reason = 9;
  const std::string payload("\0raw\xff", 5);
  BatchBuilder batch(PartitionId{2});
  batch.Add(header, "2.1.0-rc\xc3\xa9", AsBytes(payload));
  header.kind = RecordKind::kConfig;
  batch.Add(header, std::string(kFirmwareBytesMax, 'f'), {});
  header.kind = RecordKind::kData;
  batch.Add(header, "", AsBytes("x"));
  const ShardWriter::Staged staged{2, &batch};
  ASSERT_TRUE(log->shard(ShardId{0}).Append({&staged, 1}).ok());
  Sync(*log);

  const auto reader = Read("sealed", ShardId{0});
  const RecordView* record = reader->Next().value();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->header.kind, RecordKind::kQuarantine);
  EXPECT_EQ(record->header.flags, 3);
  EXPECT_EQ(record->header.vehicle, header.vehicle);
  EXPECT_EQ(record->header.boot, header.boot);
  EXPECT_EQ(record->header.seq, header.seq);
  EXPECT_EQ(record->header.event_time, header.event_time);
  EXPECT_EQ(record->header.receipt_time, header.receipt_time);
  EXPECT_EQ(record->header.content_hash, header.content_hash);
  EXPECT_EQ(record->header.contract_number, 44u);
  EXPECT_EQ(record->header.reason, 9);
  EXPECT_EQ(record->partition, PartitionId{2});
  EXPECT_EQ(record->offset, Offset{0});
  EXPECT_EQ(record->log_time, header.receipt_time);
  EXPECT_EQ(record->firmware, "2.1.0-rc\xc3\xa9");
  EXPECT_EQ(AsText(record->payload), payload);
  record = reader->Next().value();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->header.kind, RecordKind::kConfig);
  EXPECT_EQ(record->firmware, std::string(kFirmwareBytesMax, 'f'));
  EXPECT_TRUE(record->payload.empty());
  record = reader->Next().value();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->header.kind, RecordKind::kData);
  EXPECT_EQ(record->firmware, "");
  EXPECT_EQ(record->offset, Offset{2});
}

TEST_P(LogContractTest, OffsetsRiseByOneInEachPartitionOfEachStream) {
  const auto log = Open();
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t p = 0; p < 4; ++p) {
      const auto first = log->shard(ShardOf(PartitionId{p}, 2)).next_offset(1, PartitionId{p});
      EXPECT_EQ(first.value, static_cast<std::uint64_t>(round) * 2);
      const std::string name = std::to_string(p) + "-" + std::to_string(round);
      ASSERT_TRUE(AppendOne(*log, 1, PartitionId{p}, {name + "a", name + "b"}).ok());
    }
  }
  Sync(*log);
  const ByPartition records = ReadStream("telemetry");
  ASSERT_EQ(records.size(), 4u);
  for (const auto& [partition, found] : records) {
    const std::string p = std::to_string(partition);
    EXPECT_EQ(PayloadsOf(records, partition),
              (Texts{p + "-0a", p + "-0b", p + "-1a", p + "-1b", p + "-2a", p + "-2b"}));
    EXPECT_EQ(found.front().offset, 0u);
  }
  EXPECT_TRUE(ReadStream("safety").empty());
}

TEST_P(LogContractTest, AnAcknowledgedCommitIsReadableAndNumbersRise) {
  Mutex mutex;
  std::vector<std::uint64_t> told;
  const auto log = Open();
  ShardWriter& shard = log->shard(ShardId{1});
  shard.SetOnCommit([&](Result<CommitNumber> commit) {
    MutexLock lock(mutex);
    told.push_back(commit.value().value);
  });
  CommitNumber last;
  for (int i = 0; i < 20; ++i) {
    const auto commit = AppendOne(*log, 0, PartitionId{1}, {std::to_string(i)});
    ASSERT_TRUE(commit.ok());
    EXPECT_GE(*commit, last);
    last = *commit;
    shard.Flush();
    if (i % 5 != 4) continue;
    ASSERT_TRUE(shard.SyncNow().ok());
    EXPECT_GE(shard.durable_commit(), last);
    EXPECT_EQ(streams_->Ends("safety").value()[1].next[1].value, static_cast<std::uint64_t>(i + 1));
  }
  MutexLock lock(mutex);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
}

TEST_P(LogContractTest, AReaderGoesOnFromAnyPosition) {
  const auto log = Open();
  for (int i = 0; i < 6; ++i) {
    const PartitionId partition{static_cast<std::uint16_t>(i % 2 * 2)};
    ASSERT_TRUE(AppendOne(*log, 0, partition, {std::to_string(i)}).ok());
  }
  Sync(*log);
  for (int n = 0; n <= 6; ++n) {
    const auto first = Read("safety", ShardId{0});
    std::multiset<std::string> seen;
    for (int i = 0; i < n; ++i) {
      seen.emplace(AsText(first->Next().value()->payload));
    }
    const auto position = Position::Decode(AsBytes(first->position().Encode()));
    ASSERT_TRUE(position.ok());
    const auto second = Read("safety", ShardId{0}, *position);
    ByPartition rest;
    ReadOnTo(*second, "safety", ShardId{0}, rest);
    for (const auto& [partition, records] : rest) {
      for (const ReadBack& record : records) seen.insert(record.payload);
    }
    EXPECT_EQ(seen, (std::multiset<std::string>{"0", "1", "2", "3", "4", "5"})) << n;
  }
}

TEST_P(LogContractTest, AnOpenReaderGetsWhatIsAppendedLater) {
  const auto log = Open();
  const auto reader = Read("safety", ShardId{0});
  EXPECT_EQ(reader->Next().value(), nullptr);
  ByPartition records;
  for (const char* const payload : {"one", "two"}) {
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {payload}).ok());
    Sync(*log);
    ReadOnTo(*reader, "safety", ShardId{0}, records);
  }
  EXPECT_EQ(PayloadsOf(records, 0), (Texts{"one", "two"}));
}

TEST_P(LogContractTest, AShardCarriesItsOwnPartitionsAlone) {
  const auto log = Open();
  for (std::uint16_t p = 0; p < 4; ++p) ASSERT_TRUE(AppendOne(*log, 0, PartitionId{p}, {"x"}).ok());
  Sync(*log);
  const auto reader = Read("safety", ShardId{1});
  ByPartition records;
  ReadOnTo(*reader, "safety", ShardId{1}, records);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(records.contains(1) && records.contains(3));
  const auto ends = streams_->Ends("safety").value();
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].next, (std::vector<Offset>{Offset{0}, Offset{1}, Offset{0}, Offset{1}}));
  EXPECT_EQ(streams_->OpenReader("safety", ShardId{2}, {}).error().code, Code::kInvalid);
}

TEST_P(LogContractTest, LogTimeIsTheLatestReceiptAlsoAcrossReopening) {
  {
    const auto log = Open();
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"a"}, 5'000'000).ok());
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"b"}, 3'000'000).ok());
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{2}, {"elsewhere"}, 50).ok());
    Sync(*log);
  }
  const auto log = Open();
  EXPECT_EQ(log->shard(ShardId{0}).next_offset(0, PartitionId{0}), Offset{2});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"c"}, 4'000'000).ok());
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"d"}, 6'000'000).ok());
  Sync(*log);
  std::vector<std::int64_t> log_times;
  const ByPartition records = ReadStream("safety");
  for (const ReadBack& record : records.at(0)) log_times.push_back(record.log_time_us);
  EXPECT_EQ(log_times, (std::vector<std::int64_t>{5'000'000, 5'000'000, 5'000'000, 6'000'000}));
  EXPECT_EQ(records.at(2)[0].log_time_us, 50);
}

TEST_P(LogContractTest, TicksComeOftenAfterDataElseSeldomAlsoAcrossReopening) {
  LogOptions options = Options();
  options.ticks = true;
  const auto tick_for = [](ShardWriter& shard, Micros from, std::int64_t seconds) {
    for (std::int64_t s = 0; s < seconds; ++s) {
      ASSERT_TRUE(shard.Tick(from + Micros::Seconds(s)).ok());
      shard.Flush();
      if (s % 50 == 0) {
        ASSERT_TRUE(shard.SyncNow().ok());
      }
    }
    ASSERT_TRUE(shard.SyncNow().ok());
  };
  const Micros start = Micros::Seconds(1'000'000);
  {
    const auto log = Open(options);
    ASSERT_TRUE(AppendOne(*log, 1, PartitionId{0}, {"data"}, start.value).ok());
    tick_for(log->shard(ShardId{0}), start, 120);
  }
  // Data in one stream makes the partition active in all.
  for (const char* const stream : {"safety", "telemetry"}) {
    const ByPartition records = ReadStream(stream);
    const std::size_t data = stream == std::string("telemetry") ? 1 : 0;
    ASSERT_EQ(records.at(0).size(), 120u + data) << stream;
    EXPECT_EQ(records.at(2).size(), 2u) << stream;
    EXPECT_EQ(records.at(0).back().kind, RecordKind::kTick);
    EXPECT_EQ(records.at(0).back().log_time_us, (start + Micros::Seconds(119)).value);
    EXPECT_TRUE(records.at(0).back().payload.empty());
  }
  const auto log = Open(options);
  tick_for(log->shard(ShardId{0}), start + Micros::Seconds(120), 60);
  EXPECT_EQ(ReadStream("safety").at(0).size(), 180u);  // it still knows when there was data
  EXPECT_EQ(ReadStream("safety").at(2).size(), 3u);
}

TEST_P(LogContractTest, TheLedgerSaysFromWhichOffsetAConfigIsInForce) {
  Log::LedgerEntry entry{0, PartitionId{3}, Offset{0}, ConfigSeq{5}, "d1"};
  {
    const auto log = Open();
    BatchBuilder batch(PartitionId{3});
    RecordHeader header;
    header.kind = RecordKind::kConfig;
    batch.Add(header, "", AsBytes(std::string_view("config")));
    entry.offset = log->shard(ShardId{1}).next_offset(0, PartitionId{3});
    const ShardWriter::Staged staged{0, &batch};
    ASSERT_TRUE(log->shard(ShardId{1}).Append({&staged, 1}).ok());
    Sync(*log);
    EXPECT_TRUE(streams_->Ledger()->empty());
    ASSERT_TRUE(log->AppendLedger({&entry, 1}).ok());
    const auto seen = home_->Attach()->Ledger();
    ASSERT_TRUE(seen.ok()) << seen.error().ToString();
    ASSERT_EQ(seen->size(), 1u) << "another process sees it while the log is open";
    EXPECT_EQ(seen->front().partition, entry.partition);
    EXPECT_EQ(seen->front().offset, entry.offset);
    EXPECT_EQ(seen->front().config_seq, entry.config_seq);
    Log::LedgerEntry other = entry;
    other.partition = PartitionId{4};
    EXPECT_EQ(log->AppendLedger({&other, 1}).error().code, Code::kInvalid);
  }
  home_->Crash();
  const auto log = Open();
  ASSERT_EQ(log->ledger().size(), 1u);
  const Log::LedgerEntry kept = log->ledger().front();
  EXPECT_EQ(kept.partition, entry.partition);
  EXPECT_EQ(kept.offset, entry.offset);
  EXPECT_EQ(kept.config_seq, entry.config_seq);
  EXPECT_EQ(kept.digest, "d1");
  const auto records = ReadStream("safety");
  EXPECT_EQ(records.at(3)[entry.offset.value].kind, RecordKind::kConfig);
}

TEST_P(LogContractTest, WhatIsTooBigIsRefusedAndTakesNoOffset) {
  const auto log = Open();
  ShardWriter& shard = log->shard(ShardId{0});
  const Texts much(1100, std::string(1000, 'x'));  // over unsynced_bytes_max
  EXPECT_EQ(AppendOne(*log, 0, PartitionId{0}, much).error().code, Code::kTooBig);
  EXPECT_EQ(shard.next_offset(0, PartitionId{0}), Offset{0});
  EXPECT_TRUE(shard.HasRoom());
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"small"}).ok());
  Sync(*log);
  EXPECT_EQ(PayloadsOf(ReadStream("safety"), 0), Texts{"small"});
}

TEST_P(LogContractTest, BigBatchesAndRecordsOfAMebibyteAreTaken) {
  LogOptions options = Options();
  options.segment_bytes = 8u << 20;
  options.unsynced_bytes_max = 8u << 20;
  const auto log = Open(options);
  Texts payloads;
  for (int i = 0; i < 2000; ++i) payloads.push_back(std::to_string(i) + std::string(1000, 'p'));
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, payloads).ok());
  Sync(*log);
  EXPECT_TRUE(log->shard(ShardId{0}).HasRoom());
  const std::string large((1u << 20) + 4096, 'l');
  ASSERT_TRUE(AppendOne(*log, 2, PartitionId{0}, {large}).ok());
  Sync(*log);
  EXPECT_EQ(PayloadsOf(ReadStream("safety"), 0), payloads);
  EXPECT_EQ(PayloadsOf(ReadStream("sealed"), 0), Texts{large});
}

TEST_P(LogContractTest, WhatACommitSaidIsThereAfterACrash) {
  std::uint64_t durable = 0;
  {
    const auto log = Open();
    ShardWriter& shard = log->shard(ShardId{0});
    for (std::uint64_t i = 0; i < 200; ++i) {
      const auto commit = AppendOne(*log, 0, PartitionId{0}, {std::to_string(i)});
      ASSERT_TRUE(commit.ok());
      shard.Flush();
      if (i == 150) {
        ASSERT_TRUE(shard.SyncNow().ok());
      }
      if (*commit <= shard.durable_commit()) durable = i + 1;
    }
    ASSERT_GE(durable, 151u);
  }
  home_->Crash();
  const auto log = Open();
  const std::uint64_t next = log->shard(ShardId{0}).next_offset(0, PartitionId{0}).value;
  EXPECT_GE(next, durable);
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"after"}).ok());
  Sync(*log);
  const Texts payloads = PayloadsOf(ReadStream("safety"), 0);
  ASSERT_EQ(payloads.size(), next + 1);
  for (std::uint64_t i = 0; i < next; ++i) EXPECT_EQ(payloads[i], std::to_string(i));
  EXPECT_EQ(payloads.back(), "after");
}

TEST_P(LogContractTest, AnotherNumberOfPartitionsIsRefused) {
  {
    const auto log = Open();
  }
  LogOptions options = Options();
  options.partitions = 8;
  EXPECT_EQ(streams_->Open(options).error().code, Code::kInvalid);
  Position other;
  other.next.resize(8);
  EXPECT_EQ(streams_->OpenReader("safety", ShardId{0}, other).error().code, Code::kInvalid);
}

// --- Retention. Record i of partition i mod 4 has receipt time i seconds. ---

constexpr Micros kContractKeep = Micros::Seconds(100);

inline void FillForRetention(Log& log, int records) {
  for (int i = 0; i < records; ++i) {
    const PartitionId partition{static_cast<std::uint16_t>(i % 4)};
    ASSERT_TRUE(AppendOne(log, 0, partition, {std::string(2000, 'r')}, i * 1'000'000ll).ok());
    if (i % 50 == 49) {
      ASSERT_TRUE(log.shard(ShardOf(partition, 2)).SyncNow().ok());
    }
  }
  for (std::uint16_t s = 0; s < 2; ++s) ASSERT_TRUE(log.shard(ShardId{s}).SyncNow().ok());
}
// Of the partitions that `shard` carries, `next` each.
inline Position PlaceAt(ShardId shard, std::uint64_t next) {
  Position position;
  position.next.resize(4);
  for (std::size_t p = shard.value; p < 4; p += 2) position.next[p] = Offset{next};
  return position;
}

TEST_P(LogContractTest, RetentionRemovesWhatIsOldAndReadAndNothingElse) {
  const auto log = Open();
  FillForRetention(*log, 400);  // 100 a partition, the newest at 399 s
  ASSERT_TRUE(home_->disk().MakeFolders("/positions").ok());
  const RetentionOptions options{"/positions", {{"safety", kContractKeep, 0, {"lake"}}}};
  const auto retain = [&](std::int64_t now_s) {
    auto report = streams_->Retention(options, Micros::Seconds(now_s));
    EXPECT_TRUE(report.ok()) << report.error().ToString();
    EXPECT_EQ(report->shards.size(), 2u);
    return std::move(report).value();
  };
  const auto save = [&](ShardId shard, std::uint64_t next) {
    ASSERT_TRUE(
        SavePosition(home_->disk(), "/positions", "lake", "safety", shard, PlaceAt(shard, next))
            .ok());
  };
  // Required, and without a position: it holds everything.
  RetentionReport report = retain(400);
  EXPECT_EQ(report.shards[0].oldest[0], Offset{0});
  ASSERT_EQ(report.shards[0].readers.size(), 1u);
  EXPECT_FALSE(report.shards[0].readers[0].problem.empty());
  EXPECT_NEAR(report.share_max(), 4.0, 0.1);
  // Half is read of one shard; the other shard's has not been.
  save(ShardId{0}, 50);
  report = retain(400);
  EXPECT_GT(report.shards[0].oldest[0], Offset{10});
  EXPECT_LE(report.shards[0].oldest[0], Offset{50});
  EXPECT_EQ(report.shards[1].oldest[1], Offset{0});
  ASSERT_EQ(report.shards[0].readers.size(), 1u);
  EXPECT_EQ(report.shards[0].readers[0].problem, "");
  EXPECT_NEAR(report.shards[0].readers[0].share, 2.0, 0.1);  // its next is of second 200
  // All is read: what is young stays.
  save(ShardId{0}, 100);
  save(ShardId{1}, 100);
  report = retain(400);
  EXPECT_GT(report.shards[0].oldest[0], Offset{50});
  EXPECT_LE(report.shards[0].oldest[0], Offset{76});  // of second 300 and later
  EXPECT_GT(report.shards[1].oldest[1], Offset{50});
  EXPECT_EQ(report.share_max(), 0.0);
}

TEST_P(LogContractTest, WhoComesTooLateIsToldThatItIsGone) {
  const auto log = Open();
  FillForRetention(*log, 400);
  const RetentionOptions options{"/positions", {{"safety", kContractKeep, 0, {}}}};
  const auto report = streams_->Retention(options, Micros::Seconds(10'000));
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  const Offset oldest = report->shards[0].oldest[0];
  ASSERT_GT(oldest, Offset{0});
  ASSERT_LT(oldest, Offset{100});  // the newest is never removed
  const auto late = streams_->OpenReader("safety", ShardId{0}, PlaceAt(ShardId{0}, 1));
  ASSERT_FALSE(late.ok());
  EXPECT_TRUE(IsExpired(late.error())) << late.error().ToString();
  const auto reader = Read("safety", ShardId{0});
  ByPartition records;
  ReadOnTo(*reader, "safety", ShardId{0}, records);
  EXPECT_EQ(records.at(0).front().offset, oldest.value);
  EXPECT_EQ(records.at(0).back().offset, 99u);
}

TEST_P(LogContractTest, AWrittenLogGoesOnBehindWhatRetentionTook) {
  {
    const auto log = Open();
    FillForRetention(*log, 400);
    const RetentionOptions options{"/positions", {{"safety", kContractKeep, 0, {}}}};
    ASSERT_TRUE(streams_->Retention(options, Micros::Seconds(10'000)).ok());
  }
  const auto log = Open();
  EXPECT_EQ(log->shard(ShardId{0}).next_offset(0, PartitionId{0}), Offset{100});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"new"}, 1).ok());
  Sync(*log);
  const ByPartition records = ReadStream("safety");
  EXPECT_EQ(records.at(0).back().offset, 100u);
  EXPECT_EQ(records.at(0).back().log_time_us, 396'000'000);  // still the latest receipt
}

TEST_P(LogContractTest, RetentionRefusesWhatItCannotMean) {
  const auto log = Open();
  const auto retain = [&](StreamRetention stream) {
    return streams_->Retention({"/positions", {std::move(stream)}}, Micros{1}).error().code;
  };
  EXPECT_EQ(retain({"safety", Micros{0}, 0, {}}), Code::kInvalid);
  EXPECT_EQ(retain({"journal", kContractKeep, 0, {}}), Code::kNotFound);
}

}  // namespace telltale::log
