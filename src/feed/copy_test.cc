// What the copy promises: the same records at the same offsets and log times, however it died.
#include "feed/copy.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/random.h"
#include "internal/v1/internal.pb.h"
#include "log/log_testing.h"
#include "log/retention.h"

namespace telltale::feed {
namespace {

using log::ByPartition;

log::LogOptions LogIn(const std::string& dir) {
  log::LogOptions options = log::SmallLog();
  options.dir = dir;
  return options;
}

class CopyTest : public testing::Test {
 protected:
  CopyTest() {
    source_log_ = log::OpenOrFail(disk_, LogIn("/source"));
    Restart();
  }

  // As after the process ended: what was not durable is gone with its log.
  void Restart() {
    shards_.clear();
    copy_log_.reset();
    copy_log_ = log::OpenOrFail(disk_, LogIn("/copy"));
    for (std::uint16_t shard = 0; shard < copy_log_->shards(); ++shard) {
      shards_.push_back(
          std::make_unique<ShardCopy>(ShardCopy::Parts{*source_, *copy_log_, disk_, counters_},
                                      ShardId{shard}, LogIn("/copy").streams, "/positions"));
      ASSERT_TRUE(shards_.back()->Open().ok());
    }
  }
  void Write(log::StreamIndex stream, std::uint16_t partition, std::vector<std::string> payloads,
             std::int64_t at_us = 1'000'000) {
    const auto done = log::AppendOne(*source_log_, stream, PartitionId{partition}, payloads, at_us);
    ASSERT_TRUE(done.ok()) << done.error().ToString();
    Sync();
  }
  void Sync() {
    for (std::uint16_t shard = 0; shard < source_log_->shards(); ++shard) {
      ASSERT_TRUE(source_log_->shard(ShardId{shard}).SyncNow().ok());
    }
  }
  void CopyAll() {
    for (const auto& shard : shards_) {
      while (true) {
        const auto more = shard->Step();
        ASSERT_TRUE(more.ok()) << more.error().ToString();
        if (!*more) break;
      }
    }
  }
  ByPartition In(const std::string& dir, log::StreamIndex stream) {
    auto records = log::ReadAll(disk_, LogIn(dir), stream);
    EXPECT_TRUE(records.ok()) << records.error().ToString();
    return records.ok() ? *records : ByPartition{};
  }
  void ExpectSame() {
    for (log::StreamIndex stream = 0; stream < LogIn("/copy").streams.size(); ++stream) {
      EXPECT_EQ(In("/copy", stream), In("/source", stream)) << "stream " << stream;
    }
  }

  SimDisk disk_;
  Counters counters_;
  const std::unique_ptr<log::Streams> source_ = log::StreamsOnFiles(disk_, "/source");
  std::unique_ptr<log::Log> source_log_;
  std::unique_ptr<log::Log> copy_log_;
  std::vector<std::unique_ptr<ShardCopy>> shards_;
};

TEST_F(CopyTest, EveryStreamHasTheSameRecordsAtTheSameOffsetsAndTimes) {
  Write(0, 1, {"a", "b"}, 5'000'000);
  Write(1, 1, {"c"}, 6'000'000);
  Write(1, 2, {"d", "e", "f"}, 4'000'000);
  Write(2, 3, {std::string(20'000, 'x')}, 7'000'000);
  CopyAll();
  ExpectSame();
  EXPECT_EQ(counters_.Get("records_copied").value(), 7u);
}

TEST_F(CopyTest, TicksKeepTheirLogTime) {
  Write(1, 0, {"data"}, 5'000'000);
  for (int second = 6; second < 12; ++second) {
    ASSERT_TRUE(source_log_->shard(ShardId{0}).Tick(Micros::Seconds(second)).ok());
    Sync();
  }
  CopyAll();
  ExpectSame();
  EXPECT_EQ(In("/copy", 1)[0].back().log_time_us, 11'000'000);
  EXPECT_EQ(In("/copy", 1)[0].back().kind, log::RecordKind::kTick);
}

TEST_F(CopyTest, WhereItDiedNothingIsMissingOrThereTwice) {
  SeededRandom random(11);
  for (int round = 0; round < 60; ++round) {
    for (std::uint64_t i = random.Below(5); i-- > 0;) {
      const auto stream = static_cast<log::StreamIndex>(random.Below(3));
      const auto partition = static_cast<std::uint16_t>(random.Below(4));
      Write(stream, partition, {fmt::format("{}-{}", round, i)}, 1'000'000 + round);
    }
    const bool fails = random.Below(2) == 0;
    if (fails) disk_.FailAfter(random.Below(12));
    for (const auto& shard : shards_) (void)shard->Step();
    disk_.FailNever();
    if (fails || random.Below(4) == 0) Restart();
  }
  Restart();
  CopyAll();
  ExpectSame();
}

TEST_F(CopyTest, AFullDiskLosesNothing) {
  Write(1, 0, {std::string(30'000, 'a')});
  disk_.SetCapacity(1);
  const auto full = shards_[0]->Step();
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::kOverloaded);
  Write(1, 0, {"after"});
  disk_.SetCapacity(UINT64_MAX);
  CopyAll();
  ExpectSame();
}

TEST_F(CopyTest, ConfigRecordsAreInTheLedgerOnceAlsoAfterACrashBetween) {
  internal::v1::ConfigRecord record;
  record.set_config_seq(3);
  internal::v1::SignedConfig envelope;
  envelope.set_record(record.SerializeAsString());
  const std::string payload = envelope.SerializeAsString();
  log::RecordHeader header;
  header.kind = log::RecordKind::kConfig;
  log::BatchBuilder batch(PartitionId{1});
  batch.Add(header, "", AsBytes(payload));
  const log::ShardWriter::Staged staged{1, &batch};
  ASSERT_TRUE(source_log_->shard(ShardId{1}).Append({&staged, 1}).ok());
  Sync();
  for (std::uint64_t calls = 0; calls < 12; ++calls) {
    disk_.FailAfter(calls);
    (void)shards_[1]->Step();
    disk_.FailNever();
    Restart();
  }
  CopyAll();
  ExpectSame();
  const auto ledger = copy_log_->ledger();
  ASSERT_EQ(ledger.size(), 1u);
  EXPECT_EQ(ledger[0].stream, 1u);
  EXPECT_EQ(ledger[0].partition, PartitionId{1});
  EXPECT_EQ(ledger[0].offset, Offset{0});
  EXPECT_EQ(ledger[0].config_seq, ConfigSeq{3});
}

TEST_F(CopyTest, WhatTheSourceNoLongerHasStopsTheShardWithAReason) {
  for (int i = 0; i < 40; ++i) Write(1, 0, {std::string(8'000, 'a')}, 1'000'000 + i);
  ASSERT_TRUE(disk_.MakeFolders("/none").ok());
  const auto removed =
      source_->Retention({"/none", {{"telemetry", Micros{1}, 0, {}}}}, Micros::Seconds(1'000'000));
  ASSERT_TRUE(removed.ok());
  ASSERT_GT(removed->shards[0].segments_removed, 0u);
  const auto more = shards_[0]->Step();
  ASSERT_FALSE(more.ok());
  EXPECT_TRUE(log::IsExpired(more.error())) << more.error().ToString();
}

TEST_F(CopyTest, SavesHowFarItIsSoThatTheSourceIsKeptUntilThen) {
  Write(1, 0, {"a", "b"});
  CopyAll();
  const auto position =
      log::LoadPosition(disk_, "/positions", std::string(kConsumer), "telemetry", ShardId{0});
  ASSERT_TRUE(position.ok());
  EXPECT_EQ(position->next[0], Offset{2});
}

}  // namespace
}  // namespace telltale::feed
