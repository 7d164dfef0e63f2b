#include "safety/journal_retention.h"

#include <gtest/gtest.h>

#include "base/sim_disk.h"

namespace telltale::safety {
namespace {

constexpr Micros kStart = Micros::Seconds(1'700'000'000);
constexpr Micros kHour = Micros::Seconds(3600);

// A journal of several segments whose outputs are all from kStart.
class JournalRetentionTest : public ::testing::Test {
 protected:
  JournalRetentionTest() {
    auto opened = log::Log::Open(disk_, {.dir = "/journal",
                                         .streams = {"journal"},
                                         .partitions = 1,
                                         .shards = 1,
                                         .segment_bytes = 64u << 10,
                                         .ticks = false});
    EXPECT_TRUE(opened.ok());
    log_ = std::move(opened).value();
    for (int n = 0; n < 200; ++n) {
      log::BatchBuilder batch(PartitionId{0});
      log::RecordHeader header;
      header.receipt_time = kStart;
      batch.Add(header, "", AsBytes(std::string(1000, 'x')));
      const log::ShardWriter::Staged staged{0, &batch};
      EXPECT_TRUE(log_->shard(ShardId{0}).Append({&staged, 1}).ok());
      EXPECT_TRUE(log_->shard(ShardId{0}).SyncNow().ok());
    }
  }
  void PublisherIsAt(std::uint64_t next) {
    log::Position position{.next = {Offset{next}}};
    ASSERT_TRUE(
        log::SavePosition(disk_, "/journal/positions", "publisher", "journal", ShardId{0}, position)
            .ok());
  }
  std::uint64_t Removed(Micros now) {
    const auto removed = RetainJournal(disk_, "/journal", kHour, now);
    EXPECT_TRUE(removed.ok());
    return removed.ok() ? *removed : 0;
  }

  SimDisk disk_;
  std::unique_ptr<log::Log> log_;
};

TEST_F(JournalRetentionTest, WhatIsOldAndPublishedGoes) {
  PublisherIsAt(200);
  EXPECT_EQ(Removed(kStart + kHour), 0u) << "not old yet";
  EXPECT_GT(Removed(kStart + kHour + Micros{1}), 0u);
}

TEST_F(JournalRetentionTest, WhatThePublisherStillNeedsStaysHoweverOld) {
  EXPECT_EQ(Removed(kStart + kHour + kHour), 0u) << "nobody knows where the publisher is";
  PublisherIsAt(0);
  EXPECT_EQ(Removed(kStart + kHour + kHour), 0u);
}

}  // namespace
}  // namespace telltale::safety
