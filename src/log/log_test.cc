#include "log/log.h"

#include <atomic>

#include "log/log_testing.h"

namespace telltale::log {
namespace {

TEST(LogTest, WhatWasAppendedIsReadBackInOrderInEveryStreamAndPartition) {
  SimDisk disk;
  const LogOptions options = SmallLog();
  const auto log = OpenOrFail(disk, options);
  ASSERT_NE(log, nullptr);
  for (std::uint16_t p = 0; p < options.partitions; ++p) {
    for (StreamIndex stream = 0; stream < 3; ++stream) {
      const std::string mark = std::to_string(stream) + "/" + std::to_string(p) + "/";
      ASSERT_TRUE(AppendOne(*log, stream, PartitionId{p}, {mark + "a", mark + "b"}).ok());
      ASSERT_TRUE(AppendOne(*log, stream, PartitionId{p}, {mark + "c"}).ok());
    }
  }
  for (std::uint16_t s = 0; s < options.shards; ++s) {
    ASSERT_TRUE(log->shard(ShardId{s}).SyncNow().ok());
  }
  for (StreamIndex stream = 0; stream < 3; ++stream) {
    const auto records = ReadAll(disk, options, stream);
    ASSERT_TRUE(records.ok()) << records.error().ToString();
    for (std::uint16_t p = 0; p < options.partitions; ++p) {
      const std::string mark = std::to_string(stream) + "/" + std::to_string(p) + "/";
      EXPECT_EQ(PayloadsOf(*records, p),
                (std::vector<std::string>{mark + "a", mark + "b", mark + "c"}));
      EXPECT_EQ(log->shard(ShardOf(PartitionId{p}, 2)).next_offset(stream, PartitionId{p}).value,
                3u);
    }
  }
}

TEST(LogTest, RecordsRunOnAcrossSegments) {
  SimDisk disk;
  LogOptions options = SmallLog();
  options.segment_bytes = 8192;
  const auto log = OpenOrFail(disk, options);
  std::vector<std::string> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(std::to_string(i) + std::string(150, 'x'));
    ASSERT_TRUE(AppendOne(*log, 1, PartitionId{1}, {all.back()}).ok());
    if (i % 7 == 0) {
      ASSERT_TRUE(log->shard(ShardId{1}).SyncNow().ok());
    }
  }
  ASSERT_TRUE(log->shard(ShardId{1}).SyncNow().ok());
  EXPECT_GT(EndOf(disk, options, 1, ShardId{1}).segment, 10u);
  const auto records = ReadAll(disk, options, 1);
  ASSERT_TRUE(records.ok()) << records.error().ToString();
  EXPECT_EQ(PayloadsOf(*records, 1), all);
}

TEST(LogTest, AReaderNeverSeesWhatIsNotDurable) {
  SimDisk disk;
  const LogOptions options = SmallLog();
  const auto log = OpenOrFail(disk, options);
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"first"}).ok());
  ASSERT_TRUE(shard.SyncNow().ok());

  disk.PauseSyncs();
  const auto number = AppendOne(*log, 0, PartitionId{0}, {"second"});
  shard.Flush();
  disk.WaitForPausedSync();  // written, not synced
  EXPECT_LT(shard.durable_commit(), *number);
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), std::vector<std::string>{"first"});

  disk.ResumeSyncs();
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(shard.durable_commit(), *number);
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0),
            (std::vector<std::string>{"first", "second"}));
}

TEST(LogTest, WhatIsFlushedDuringACommitGoesTogetherIntoTheNext) {
  SimDisk disk;
  const LogOptions options = SmallLog();
  const auto log = OpenOrFail(disk, options);
  ShardWriter& shard = log->shard(ShardId{0});
  disk.PauseSyncs();
  const auto first = AppendOne(*log, 0, PartitionId{0}, {"first"});
  shard.Flush();
  disk.WaitForPausedSync();
  const std::uint64_t syncs_before = disk.syncs();
  std::vector<CommitNumber> numbers;
  for (int i = 0; i < 50; ++i) {
    numbers.push_back(AppendOne(*log, 0, PartitionId{2}, {std::to_string(i)}).value());
    shard.Flush();
  }
  EXPECT_EQ(numbers.front(), numbers.back());
  EXPECT_EQ(numbers.front().value, first->value + 1);
  disk.ResumeSyncs();
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(disk.syncs() - syncs_before, 2u);  // one a commit: one stream had changed
  EXPECT_EQ(ReadAll(disk, options, 0).value()[2].size(), 50u);
}

TEST(LogTest, AppendTellsTheCommitThatCarriesEverythingStagedSoFar) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, SmallLog());
  ShardWriter& shard = log->shard(ShardId{0});
  EXPECT_EQ(shard.Append({})->value, 0u);
  const auto number = AppendOne(*log, 0, PartitionId{0}, {"x"});
  EXPECT_EQ(shard.Append({}).value(), *number);
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(shard.Append({}).value(), *number);
}

TEST(LogTest, OnCommitComesOncePerCommitWithRisingNumbers) {
  SimDisk disk;
  auto log = OpenOrFail(disk, SmallLog());
  ShardWriter& shard = log->shard(ShardId{1});
  std::vector<std::uint64_t> seen;
  Mutex mutex;
  shard.SetOnCommit([&](Result<CommitNumber> number) {
    MutexLock lock(mutex);
    seen.push_back(number.value().value);
  });
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{1}, {"x"}).ok());
    ASSERT_TRUE(shard.SyncNow().ok());
  }
  // The callback runs after SyncNow may have returned; closing the log waits for the last.
  log.reset();
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
}

TEST(LogTest, OverloadRefusesAndStagesNothingAndRoomComesBackAfterACommit) {
  SimDisk disk;
  LogOptions options = SmallLog();
  options.unsynced_bytes_max = 4000;
  const auto log = OpenOrFail(disk, options);
  ShardWriter& shard = log->shard(ShardId{0});
  disk.PauseSyncs();
  EXPECT_TRUE(shard.HasRoom());
  const std::string kilobyte(1000, 'k');
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {kilobyte}).ok());
  EXPECT_TRUE(shard.HasRoom());
  ASSERT_TRUE(AppendOne(*log, 1, PartitionId{0}, {kilobyte}).ok());
  EXPECT_FALSE(shard.HasRoom());  // over half
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {kilobyte}).ok());
  const auto refused = AppendOne(*log, 0, PartitionId{0}, {kilobyte});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kOverloaded);
  EXPECT_EQ(shard.next_offset(0, PartitionId{0}).value, 2u);
  disk.ResumeSyncs();
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_TRUE(shard.HasRoom());
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"more"}).ok());
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0),
            (std::vector<std::string>{kilobyte, kilobyte, "more"}));
}

TEST(LogTest, ABatchLargerThanASegmentIsRefusedAndStagesNothing) {
  SimDisk disk;
  LogOptions options = SmallLog();
  options.segment_bytes = 16u << 10;
  const auto log = OpenOrFail(disk, options);
  const BatchBuilder good = BatchOf(PartitionId{0}, {"good"});
  const BatchBuilder big = BatchOf(PartitionId{0}, {std::string(16u << 10, 'b')});
  const std::vector<ShardWriter::Staged> both{{0, &good}, {1, &big}};
  const auto refused = log->shard(ShardId{0}).Append(both);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kTooBig);
  EXPECT_EQ(log->shard(ShardId{0}).next_offset(0, PartitionId{0}).value, 0u);
  // The largest that fits does: head 4096, batch head 64, string table 7, record head 76, end 64.
  const std::size_t largest = (16u << 10) - 4096 - 64 - 7 - 76 - 64;
  ASSERT_FALSE(AppendOne(*log, 0, PartitionId{0}, {std::string(largest + 1, 'l')}).ok());
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {std::string(largest, 'l')}).ok());
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {std::string(largest, 'm')}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  EXPECT_EQ(ReadAll(disk, options, 0).value()[0].size(), 2u);
}

TEST(LogTest, ASecondOwnerIsRefusedUntilTheFirstIsGone) {
  SimDisk disk;
  auto log = OpenOrFail(disk, SmallLog());
  const auto second = Log::Open(disk, SmallLog());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  log.reset();
  EXPECT_TRUE(Log::Open(disk, SmallLog()).ok());
}

TEST(LogTest, OtherPartitionsShardsOrStreamsThanAtCreationAreRefused) {
  SimDisk disk;
  OpenOrFail(disk, SmallLog());
  for (const int what : {0, 1, 2}) {
    LogOptions other = SmallLog();
    if (what == 0) other.partitions = 8;
    if (what == 1) other.shards = 1;
    if (what == 2) other.streams = {"safety", "sealed", "telemetry"};
    const auto refused = Log::Open(disk, other);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kInvalid);
  }
  LogOptions nonsense = SmallLog();
  nonsense.dir = "/other";
  nonsense.partitions = 0;
  EXPECT_EQ(Log::Open(disk, nonsense).error().code, Code::kInvalid);
  nonsense = SmallLog();
  nonsense.dir = "/other";
  nonsense.streams = {"../up"};
  EXPECT_EQ(Log::Open(disk, nonsense).error().code, Code::kInvalid);
  EXPECT_TRUE(Log::Open(disk, SmallLog()).ok());
}

TEST(LogTest, AfterADiskErrorTheShardIsReadOnlyAndSaysSoOnce) {
  SimDisk disk;
  const LogOptions options = SmallLog();
  auto log = OpenOrFail(disk, options);
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"kept"}).ok());
  ASSERT_TRUE(shard.SyncNow().ok());
  std::atomic<int> errors{0};
  shard.SetOnCommit([&](Result<CommitNumber> number) { errors += number.ok() ? 0 : 1; });
  disk.FailAfter(0);
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"lost"}).ok());
  EXPECT_FALSE(shard.SyncNow().ok());
  disk.FailNever();
  const auto refused = AppendOne(*log, 0, PartitionId{0}, {"refused"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_FALSE(shard.SyncNow().ok());
  EXPECT_TRUE(AppendOne(*log, 0, PartitionId{1}, {"the other shard goes on"}).ok());
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), std::vector<std::string>{"kept"});
  log.reset();
  EXPECT_EQ(errors, 1);
  log = OpenOrFail(disk, options);
  EXPECT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"again"}).ok());
  EXPECT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
}

TEST(LogTest, AFullDiskStopsTheShardAndKeepsWhatWasDurable) {
  SimDisk disk;
  LogOptions options = SmallLog();
  options.segment_bytes = 8192;
  auto log = OpenOrFail(disk, options);
  disk.SetCapacity(0);  // nothing can grow: the next segment cannot be had
  std::vector<std::string> kept;
  Status synced;
  while (synced.ok()) {
    const std::string payload = std::to_string(kept.size()) + std::string(200, 'f');
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {payload}).ok());
    synced = log->shard(ShardId{0}).SyncNow();
    if (synced.ok()) kept.push_back(payload);
    ASSERT_LT(kept.size(), 100u);
  }
  EXPECT_EQ(synced.error().code, Code::kOverloaded);
  EXPECT_EQ(AppendOne(*log, 0, PartitionId{0}, {"x"}).error().code, Code::kOverloaded);
  EXPECT_GT(kept.size(), 5u);
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), kept);
  log.reset();
  disk.SetCapacity(1u << 30);
  log = OpenOrFail(disk, options);
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"room again"}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  kept.push_back("room again");
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), kept);
}

TEST(LogTest, TheLedgerIsReadBackAfterARestart) {
  SimDisk disk;
  auto log = OpenOrFail(disk, SmallLog());
  const std::vector<Log::LedgerEntry> entries{{0, PartitionId{1}, Offset{5}, ConfigSeq{1}, "ab"},
                                              {2, PartitionId{3}, Offset{9}, ConfigSeq{1}, "cd"}};
  ASSERT_TRUE(log->AppendLedger(entries).ok());
  const std::vector<Log::LedgerEntry> more{{1, PartitionId{0}, Offset{0}, ConfigSeq{2}, "ef"}};
  ASSERT_TRUE(log->AppendLedger(more).ok());
  const std::vector<Log::LedgerEntry> wrong{{3, PartitionId{0}, Offset{0}, ConfigSeq{2}, "ef"}};
  EXPECT_EQ(log->AppendLedger(wrong).error().code, Code::kInvalid);
  log.reset();
  log = OpenOrFail(disk, SmallLog());
  const auto read = log->ledger();
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[1].stream, 2u);
  EXPECT_EQ(read[1].partition.value, 3);
  EXPECT_EQ(read[1].offset.value, 9u);
  EXPECT_EQ(read[1].digest, "cd");
  EXPECT_EQ(read[2].config_seq.value, 2u);
}

TEST(LogTest, DurableEndsGiveTheNextOffsetOfEveryPartition) {
  SimDisk disk;
  const LogOptions options = SmallLog();
  const auto log = OpenOrFail(disk, options);
  ASSERT_TRUE(AppendOne(*log, 1, PartitionId{3}, {"a", "b"}).ok());
  ASSERT_TRUE(log->shard(ShardId{1}).SyncNow().ok());
  const auto ends = DurableEnds(disk, options.dir, "telemetry");
  ASSERT_TRUE(ends.ok());
  ASSERT_EQ(ends->size(), 2u);
  EXPECT_EQ((*ends)[1].next[3].value, 2u);
  EXPECT_EQ((*ends)[1].next[1].value, 0u);
  EXPECT_EQ((*ends)[1].commit.value, 1u);
  EXPECT_EQ((*ends)[0].commit.value, 0u);
  EXPECT_EQ(DurableEnds(disk, options.dir, "other").error().code, Code::kNotFound);
  EXPECT_EQ(DurableEnds(disk, "/nowhere", "telemetry").error().code, Code::kNotFound);
  EXPECT_EQ(DescribeLog(disk, options.dir)->streams, options.streams);
}

}  // namespace
}  // namespace telltale::log
