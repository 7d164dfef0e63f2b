// What retention removes, what holds it, and what a reader that comes too late is told.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "log/log_testing.h"
#include "log/segment.h"

namespace telltale::log {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr Micros kKeep = Micros::Seconds(100);

LogOptions OneShard() {
  LogOptions options = SmallLog();
  options.streams = {"safety", "telemetry"};
  options.shards = 1;
  options.segment_bytes = 8192;
  options.ticks = false;
  return options;
}

RetentionOptions KeepSafety(std::vector<std::string> required = {}) {
  return {"/positions", {{"safety", kKeep, 0, std::move(required)}}};
}

// One record a second into `stream`, partitions in turn; record i has receipt time i seconds.
void Fill(Log& log, StreamIndex stream, int records, int from = 0) {
  for (int i = from; i < from + records; ++i) {
    const PartitionId partition{static_cast<std::uint16_t>(i % 4)};
    ASSERT_TRUE(
        AppendOne(log, stream, partition, {std::to_string(i) + std::string(200, 'r')}, i * kSecond)
            .ok());
  }
  ASSERT_TRUE(log.shard(ShardId{0}).SyncNow().ok());
}

// Reads `records` of `stream` from the oldest and saves the place.
void Consume(Disk& disk, const std::string& consumer, std::size_t records,
             const std::string& stream = "safety") {
  const auto reader = Reader::Open(disk, "/log", stream, ShardId{0}, {});
  ASSERT_TRUE(reader.ok());
  for (std::size_t i = 0; i < records; ++i) ASSERT_NE((*reader)->Next().value(), nullptr);
  ASSERT_TRUE(disk.MakeFolders("/positions").ok());
  ASSERT_TRUE(
      SavePosition(disk, "/positions", consumer, stream, ShardId{0}, (*reader)->position()).ok());
}

std::size_t SegmentsOf(Disk& disk, const std::string& stream = "safety") {
  const LogShape shape = DescribeLog(disk, "/log").value();
  return ListSegments(disk, StreamFiles("/log", stream, ShardId{0}, shape)).value().size();
}

ShardRetention RetainOrFail(Disk& disk, const RetentionOptions& options, std::int64_t now_s) {
  const auto report = Retain(disk, "/log", options, Micros::Seconds(now_s));
  if (!report.ok() || report->shards.size() != 1) {
    ADD_FAILURE() << (report.ok() ? "shards" : report.error().ToString());
    return {};
  }
  return report->shards[0];
}

TEST(RetentionTest, WholeSegmentsGoWhenTheirNewestRecordIsOldAndEveryConsumerIsPast) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 0, 200);
  Fill(*log, 1, 200);
  Consume(disk, "worker", 200);
  const std::size_t before = SegmentsOf(disk);
  ASSERT_GT(before, 10u);
  EXPECT_EQ(RetainOrFail(disk, KeepSafety(), 100).segments_removed, 0u);  // nothing is old

  const ShardRetention report = RetainOrFail(disk, KeepSafety(), 250);
  EXPECT_GT(report.segments_removed, 5u);
  EXPECT_EQ(report.segments_kept, SegmentsOf(disk));
  EXPECT_EQ(report.bytes_kept, report.segments_kept * options.segment_bytes);
  EXPECT_EQ(SegmentsOf(disk, "telemetry"), before);  // not named: left alone
  const auto records = ReadAll(disk, options, 0).value();
  for (std::uint16_t p = 0; p < 4; ++p) {
    EXPECT_EQ(report.oldest[p].value, records.at(p).front().offset);
    EXPECT_EQ(records.at(p).back().offset, 49u);
    // All that is younger than keep_for is there: records from second 150 on.
    EXPECT_LE(records.at(p).front().log_time_us, 150 * kSecond + 4 * kSecond);
  }
  // The newest segment stays whatever its age.
  EXPECT_EQ(RetainOrFail(disk, KeepSafety(), 1'000'000).segments_kept, 1u);
}

TEST(RetentionTest, TheSlowestConsumerHoldsAndIsNamedWithItsShare) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, OneShard());
  Fill(*log, 0, 200);
  Consume(disk, "fast", 200);
  Consume(disk, "slow", 60);
  Consume(disk, "elsewhere", 0, "telemetry");  // no position in this stream: holds nothing here
  ShardRetention report = RetainOrFail(disk, KeepSafety(), 140);
  ASSERT_EQ(report.readers.size(), 2u);
  EXPECT_EQ(report.readers[0].consumer, "slow");
  EXPECT_DOUBLE_EQ(report.readers[0].share, 0.8);  // record 60 is 80 s old
  EXPECT_EQ(report.readers[0].problem, "");
  EXPECT_EQ(report.readers[1].share, 0.0);
  EXPECT_GE(Retain(disk, "/log", KeepSafety(), Micros::Seconds(140))->share_max(),
            kRetentionStopShare);

  report = RetainOrFail(disk, KeepSafety(), 1'000);
  EXPECT_GT(report.readers[0].share, 1.0);
  std::uint64_t first_kept = 0;
  for (const Offset oldest : report.oldest) first_kept += oldest.value;
  EXPECT_GT(first_kept, 0u);
  EXPECT_LE(first_kept, 60u);
  // It goes on where it was, without a gap.
  const auto position = LoadPosition(disk, "/positions", "slow", "safety", ShardId{0});
  const auto reader = Reader::Open(disk, "/log", "safety", ShardId{0}, *position);
  ASSERT_TRUE(reader.ok()) << reader.error().ToString();
  EXPECT_EQ((*reader)->Next().value()->log_time, Micros::Seconds(60));
}

TEST(RetentionTest, ARequiredConsumerWithoutAPositionHoldsEverything) {
  SimDisk disk;
  const auto log = OpenOrFail(disk, OneShard());
  Fill(*log, 0, 200);
  Consume(disk, "worker", 200);
  const ShardRetention report = RetainOrFail(disk, KeepSafety({"lake", "worker"}), 1'000);
  EXPECT_EQ(report.segments_removed, 0u);
  ASSERT_EQ(report.readers.size(), 2u);
  EXPECT_EQ(report.readers[0].consumer, "lake");
  EXPECT_NE(report.readers[0].problem, "");
  EXPECT_DOUBLE_EQ(report.readers[0].share, 10.0);
  Consume(disk, "lake", 200);
  EXPECT_GT(RetainOrFail(disk, KeepSafety({"lake", "worker"}), 1'000).segments_removed, 0u);
}

TEST(RetentionTest, APositionThatCannotBeReadOrIsAnotherLogsHoldsEverything) {
  for (const bool is_broken : {true, false}) {
    SimDisk disk;
    const auto log = OpenOrFail(disk, OneShard());
    Fill(*log, 0, 200);
    Consume(disk, "worker", 200);
    if (is_broken) {
      FlipByte(disk, "/positions/worker/safety-0", 20);
    } else {
      Position other;
      other.next.resize(7);
      ASSERT_TRUE(SavePosition(disk, "/positions", "worker", "safety", ShardId{0}, other).ok());
    }
    const ShardRetention report = RetainOrFail(disk, KeepSafety(), 1'000);
    EXPECT_EQ(report.segments_removed, 0u);
    ASSERT_EQ(report.readers.size(), 1u);
    EXPECT_NE(report.readers[0].problem, "");
    EXPECT_GT(report.readers[0].share, 1.0);
  }
}

TEST(RetentionTest, ALimitInBytesRemovesYoungSegmentsButNoneThatIsWanted) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 0, 200);
  Consume(disk, "worker", 100);
  RetentionOptions tight = KeepSafety();
  tight.streams[0].bytes_max = 3 * options.segment_bytes;
  const ShardRetention held = RetainOrFail(disk, tight, 200);
  EXPECT_GT(held.segments_removed, 0u);
  EXPECT_GT(held.segments_kept, 3u);
  Consume(disk, "reset", 0);
  ASSERT_TRUE(disk.Remove("/positions/reset/safety-0").ok());
  const auto position = EndOf(disk, options, 0, ShardId{0}).next;
  ASSERT_TRUE(
      SavePosition(disk, "/positions", "worker", "safety", ShardId{0}, {position, 0, 0}).ok());
  EXPECT_EQ(RetainOrFail(disk, tight, 200).segments_kept, 3u);
}

TEST(RetentionTest, NonsenseIsRefusedAndNothingIsRemoved) {
  SimDisk disk;
  EXPECT_EQ(Retain(disk, "/log", KeepSafety(), {}).error().code, Code::kNotFound);
  const auto log = OpenOrFail(disk, OneShard());
  Fill(*log, 0, 200);
  RetentionOptions options = KeepSafety();
  options.streams.push_back({"other", kKeep, 0, {}});
  EXPECT_EQ(Retain(disk, "/log", options, Micros::Seconds(1'000)).error().code, Code::kNotFound);
  options.streams[1] = {"telemetry", Micros{}, 0, {}};
  EXPECT_EQ(Retain(disk, "/log", options, Micros::Seconds(1'000)).error().code, Code::kInvalid);
  EXPECT_EQ(ReadAll(disk, OneShard(), 0)->at(0).size(), 50u);
}

TEST(RetentionTest, AReaderThatComesTooLateIsToldTheFirstOffsetKept) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 0, 200);
  // One that stands in the middle with its file open, one saved place, one that wants all.
  const auto lagging = Reader::Open(disk, "/log", "safety", ShardId{0}, {});
  for (int i = 0; i < 50; ++i) ASSERT_NE((*lagging)->Next().value(), nullptr);
  const Position saved = (*lagging)->position();
  Position all;
  all.next.resize(4);
  const ShardRetention report = RetainOrFail(disk, KeepSafety(), 250);
  ASSERT_GT(report.segments_removed, 5u);
  for (Position from : {saved, all, Position{saved.next, 0, 0}}) {
    const auto late = Reader::Open(disk, "/log", "safety", ShardId{0}, from);
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code, Code::kInvalid);
    EXPECT_TRUE(late.error().message.starts_with("expired: ")) << late.error().message;
    const std::string kept = "the first kept is " + std::to_string(report.oldest[0].value);
    EXPECT_NE(late.error().message.find(kept), std::string::npos) << late.error().message;
  }
  Result<const RecordView*> record = (*lagging)->Next();
  while (record.ok() && *record != nullptr) record = (*lagging)->Next();
  ASSERT_FALSE(record.ok());  // the rest of its open file, then no silent jump
  EXPECT_TRUE(record.error().message.starts_with("expired: ")) << record.error().message;

  // With exactly the offsets kept it begins; from nowhere it begins there too.
  for (const Position& from : {Position{report.oldest, 0, 0}, Position{}}) {
    const auto reader = Reader::Open(disk, "/log", "safety", ShardId{0}, from);
    ASSERT_TRUE(reader.ok()) << reader.error().ToString();
    ByPartition records;
    ASSERT_TRUE(ReadOn(**reader, records).ok());
    for (std::uint16_t p = 0; p < 4; ++p) {
      EXPECT_EQ(records.at(p).front().offset, report.oldest[p].value);
    }
  }
}

TEST(RetentionTest, ALogWhoseFirstSegmentsAreGoneOpensAndGoesOn) {
  SimDisk disk;
  const LogOptions options = OneShard();
  auto log = OpenOrFail(disk, options);
  Fill(*log, 0, 200);
  const ShardRetention report = RetainOrFail(disk, KeepSafety(), 250);
  ASSERT_GT(report.segments_removed, 0u);
  log.reset();
  log = OpenOrFail(disk, options);
  ASSERT_NE(log, nullptr);
  Fill(*log, 0, 20, 200);
  const auto records = ReadAll(disk, options, 0).value();
  for (std::uint16_t p = 0; p < 4; ++p) {
    EXPECT_EQ(records.at(p).front().offset, report.oldest[p].value);
    EXPECT_EQ(records.at(p).back().offset, 54u);
  }
}

TEST(RetentionTest, APassThatIsCutByAPowerCutLeavesALogWithoutHoles) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SeededRandom random(seed);
    SimDisk disk;
    const LogOptions options = OneShard();
    {
      const auto log = OpenOrFail(disk, options);
      Fill(*log, 0, 120);
    }
    Consume(disk, "worker", 90);
    disk.FailAfter(random.Below(24));
    (void)Retain(disk, "/log", KeepSafety(), Micros::Seconds(1'000));
    disk.Crash(random.NextU64());
    const auto log = OpenOrFail(disk, options);
    ASSERT_NE(log, nullptr) << seed;
    const auto position = LoadPosition(disk, "/positions", "worker", "safety", ShardId{0});
    const auto reader = Reader::Open(disk, "/log", "safety", ShardId{0}, *position);
    ASSERT_TRUE(reader.ok()) << seed << " " << reader.error().ToString();
    ByPartition rest;
    ASSERT_TRUE(ReadOn(**reader, rest).ok()) << seed;
    std::size_t records = 0;
    for (const auto& [partition, found] : rest) records += found.size();
    EXPECT_EQ(records, 30u) << seed;
    EXPECT_TRUE(Retain(disk, "/log", KeepSafety(), Micros::Seconds(1'000)).ok()) << seed;
  }
}

}  // namespace
}  // namespace telltale::log
