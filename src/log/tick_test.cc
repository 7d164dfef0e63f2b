// When ticks are due, and what they do to log time.
#include <gtest/gtest.h>

#include "log/log_testing.h"

namespace telltale::log {
namespace {

LogOptions TickLog() {
  LogOptions options = SmallLog();
  options.streams = {"safety", "telemetry"};
  options.shards = 1;
  options.partitions = 2;
  return options;
}

struct Ticks {
  std::map<std::uint16_t, std::size_t> count;
  std::map<std::uint16_t, std::int64_t> last_log_time_us;
};

Ticks TicksOf(Disk& disk, StreamIndex stream) {
  Ticks ticks;
  const auto records = ReadAll(disk, TickLog(), stream);
  EXPECT_TRUE(records.ok());
  if (!records.ok()) return ticks;
  for (const auto& [partition, found] : *records) {
    for (const ReadBack& record : found) {
      ticks.count[partition] += record.kind == RecordKind::kTick ? 1 : 0;
      ticks.last_log_time_us[partition] = record.log_time_us;
    }
  }
  return ticks;
}

void TickUntil(ShardWriter& shard, Micros from, Micros to) {
  for (Micros now = from; now < to; now = now + Micros{100'000}) {
    ASSERT_TRUE(shard.Tick(now).ok());
    shard.Flush();
  }
  ASSERT_TRUE(shard.SyncNow().ok());
}

constexpr Micros kStart = Micros::Seconds(1'000'000);

TEST(TickTest, AConfigRecordMakesItsPartitionTickLikeDataDoes) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, TickLog());
  ShardWriter& shard = log->shard(ShardId{0});
  RecordHeader header;
  header.kind = RecordKind::kConfig;
  header.receipt_time = kStart;
  BatchBuilder batch(PartitionId{1});
  batch.Add(header, "", AsBytes(std::string_view("config")));
  const ShardWriter::Staged staged{0, &batch};
  ASSERT_TRUE(shard.Append({&staged, 1}).ok());
  TickUntil(shard, kStart, kStart + Micros::Seconds(30));
  EXPECT_EQ(TicksOf(disk, 0).count[1], 30u);
  EXPECT_EQ(TicksOf(disk, 0).count[0], 1u);
}

TEST(TickTest, OneASecondForTenMinutesAfterDataElseOneAMinute) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, TickLog());
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 1, PartitionId{0}, {"data"}, kStart.value).ok());
  TickUntil(shard, kStart, kStart + Micros::Seconds(600));
  // Data in one stream makes the partition active in all.
  for (const StreamIndex stream : {0u, 1u}) {
    Ticks ticks = TicksOf(disk, stream);
    EXPECT_EQ(ticks.count[0], 600u);
    EXPECT_EQ(ticks.count[1], 10u);
    EXPECT_EQ(ticks.last_log_time_us[0], (kStart + Micros::Seconds(599)).value);
  }
  TickUntil(shard, kStart + Micros::Seconds(600), kStart + Micros::Seconds(1200));
  EXPECT_EQ(TicksOf(disk, 0).count[0], 600u + 10u);
}

TEST(TickTest, TicksOfAShardShareOneBatch) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, TickLog());
  ShardWriter& shard = log->shard(ShardId{0});
  const std::uint64_t before = EndOf(disk, TickLog(), 0, ShardId{0}).byte;
  ASSERT_TRUE(shard.Tick(kStart).ok());
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(EndOf(disk, TickLog(), 0, ShardId{0}).byte - before, 64u + 2 * 18u);
}

TEST(TickTest, ActivityIsKnownAfterARestartAndATickComesAtOnce) {
  SimDisk disk;
  LogOptions options = TickLog();
  options.segment_bytes = 8192;
  auto log = OpenOrFail(disk, options);
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"data"}, kStart.value).ok());
  TickUntil(log->shard(ShardId{0}), kStart,
            kStart + Micros::Seconds(60));  // rolls: data far behind
  ASSERT_GT(EndOf(disk, options, 0, ShardId{0}).segment, 1u);
  log.reset();
  log = OpenOrFail(disk, options);
  const Micros again = kStart + Micros::Seconds(100);
  TickUntil(log->shard(ShardId{0}), again, again + Micros::Seconds(10));
  const Ticks ticks = TicksOf(disk, 0);
  EXPECT_EQ(ticks.count.at(0), 60u + 10u);
  EXPECT_EQ(ticks.count.at(1), 1u + 1u);
}

TEST(TickTest, LogTimeNeverGoesBackWhenTheClockDoes) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, TickLog());
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"ahead"}, kStart.value + 5'000'000).ok());
  ASSERT_TRUE(shard.Tick(kStart).ok());
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(TicksOf(disk, 0).last_log_time_us.at(0), kStart.value + 5'000'000);
  ASSERT_TRUE(shard.Tick(kStart - Micros::Seconds(50)).ok());  // back: none is due
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(TicksOf(disk, 0).count.at(0), 1u);
}

TEST(TickTest, AClockThatIsSetBackStopsNoTick) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, TickLog());
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"data"}, kStart.value).ok());
  TickUntil(shard, kStart, kStart + Micros::Seconds(10));
  const Micros back = kStart - Micros::Seconds(3600);
  TickUntil(shard, back, back + Micros::Seconds(10));
  Ticks ticks = TicksOf(disk, 0);
  EXPECT_GE(ticks.count[0], 19u);  // one a second, give or take the call at the jump
  EXPECT_LE(ticks.count[0], 20u);
  EXPECT_EQ(ticks.last_log_time_us[0], (kStart + Micros::Seconds(9)).value);  // stands

  // Data keeps the partition active although its log time does not rise; ten minutes later it is
  // idle although the clock is still behind.
  TickUntil(shard, back + Micros::Seconds(10), back + Micros::Seconds(500));
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"more"}, (back + Micros{1}).value).ok());
  TickUntil(shard, back + Micros::Seconds(500), back + Micros::Seconds(1000));
  const std::size_t active = TicksOf(disk, 0).count[0];
  EXPECT_GE(active, 1009u);
  TickUntil(shard, back + Micros::Seconds(1100), back + Micros::Seconds(1700));
  EXPECT_LE(TicksOf(disk, 0).count[0], active + 11);
}

TEST(TickTest, AClockThatJumpsAheadGivesATickAtOnceAndGoesOnFromThere) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, TickLog());
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"data"}, kStart.value).ok());
  TickUntil(shard, kStart, kStart + Micros::Seconds(2));
  const Micros ahead = kStart + Micros::Seconds(7200);
  ASSERT_TRUE(shard.Tick(ahead).ok());
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"data"}, ahead.value).ok());
  TickUntil(shard, ahead, ahead + Micros::Seconds(5));
  // And the clock is put right again.
  const Micros right = kStart + Micros::Seconds(7);
  TickUntil(shard, right, right + Micros::Seconds(5));
  const Ticks ticks = TicksOf(disk, 0);
  EXPECT_GE(ticks.count.at(0), 2u + 5 + 4);
  EXPECT_LE(ticks.count.at(0), 2u + 5 + 5);
  EXPECT_GE(ticks.last_log_time_us.at(0), ahead.value);
}

TEST(TickTest, AJournalHasNone) {
  SimDisk disk;
  LogOptions options = TickLog();
  options.ticks = false;
  const auto log = OpenOrFail(disk, options);
  TickUntil(log->shard(ShardId{0}), kStart, kStart + Micros::Seconds(10));
  EXPECT_TRUE(TicksOf(disk, 0).count.empty());
}

}  // namespace
}  // namespace telltale::log
