// When retention removes, alarms and stops the door, on a simulated disk and a clock of our own.
#include "gateway/retention_keeper.h"

#include <gtest/gtest.h>

#include "gateway/streams.h"
#include "log/log_testing.h"

namespace telltale::gateway {
namespace {

constexpr Micros kStart = Micros::Seconds(1'700'000'000);
constexpr Micros kKeep = Micros::Seconds(100);

class RetentionKeeperTest : public testing::Test {
 protected:
  RetentionKeeperTest() {
    options_.streams = StreamNames();
    options_.shards = 1;
    options_.segment_bytes = 8192;
    options_.ticks = false;
    log_ = log::OpenOrFail(disk_, options_);
    keeper_.emplace(RetentionKeeper::Options{.positions_dir = "/positions",
                                             .releases_dir = "/releases",
                                             .run_folder = "/run",
                                             .keep_for = kKeep,
                                             .keep_sealed_for = kKeep,
                                             .segment_bytes = options_.segment_bytes},
                    RetentionKeeper::Parts{disk_, *streams_, clock_, counters_,
                                           [this](bool held) { held_.push_back(held); }});
  }
  // A record a second into every stream, the clock going with them.
  void Write(int records) {
    for (int i = 0; i < records; ++i, ++written_) {
      for (const log::StreamIndex stream : {kSafety, kTelemetry, kSealed}) {
        const PartitionId partition{static_cast<std::uint16_t>(written_ % 4)};
        ASSERT_TRUE(
            log::AppendOne(*log_, stream, partition, {std::string(200, 'r')}, clock_.NowUtc().value)
                .ok());
      }
      clock_.Advance(Micros::Seconds(1));
    }
    ASSERT_TRUE(log_->shard(ShardId{0}).SyncNow().ok());
  }
  // `consumer` is past the first `records` of those that were written.
  void Save(const std::string& consumer, const std::string& stream, int records) {
    log::Position position;
    position.next.resize(4);
    for (int i = 0; i < records; ++i) ++position.next[static_cast<std::size_t>(i % 4)].value;
    ASSERT_TRUE(disk_.MakeFolders("/positions").ok());
    ASSERT_TRUE(
        log::SavePosition(disk_, "/positions", consumer, stream, ShardId{0}, position).ok());
  }
  void SaveAll(int records) {
    Save("publisher", "safety", records);
    Save("lake", "telemetry", records);
    Save("vault", "sealed", records);
  }
  void Serve(const std::string& roles) {
    ASSERT_TRUE(disk_.MakeFolders("/run").ok());
    ASSERT_TRUE(WriteFileDurably(disk_, "/run/roles", roles).ok());
  }
  std::uint64_t Count(const std::string& name) { return counters_.Get(name).value(); }
  std::uint64_t Removed() {
    return Count("segments_removed.safety") + Count("segments_removed.telemetry") +
           Count("segments_removed.sealed");
  }
  // The first record of `telemetry` that is still there, counted over all partitions.
  std::uint64_t FirstKept() {
    auto reader = log::Reader::Open(disk_, "/log", "telemetry", ShardId{0}, {});
    CHECK(reader.ok());
    const auto record = (*reader)->Next();
    CHECK(record.ok() && *record != nullptr);
    return (*record)->offset.value * 4 + (*record)->partition.value;
  }

  SimDisk disk_;
  const std::unique_ptr<log::Streams> streams_ = log::StreamsOnFiles(disk_, "/log");
  ManualClock clock_{kStart};
  Counters counters_;
  log::LogOptions options_ = log::SmallLog();
  std::unique_ptr<log::Log> log_;
  std::optional<RetentionKeeper> keeper_;
  std::vector<bool> held_;
  int written_ = 0;
};

TEST_F(RetentionKeeperTest, OldSegmentsThatEveryReaderHasPassedGoAndAreCounted) {
  Write(250);
  SaveAll(250);
  keeper_->Pass();
  EXPECT_GT(Count("segments_removed.safety"), 3u);
  EXPECT_GT(Count("segments_removed.telemetry"), 3u);
  EXPECT_GT(Count("segments_removed.sealed"), 3u);
  EXPECT_EQ(Count("segment_bytes_removed.sealed"), Count("segments_removed.sealed") * 8192);
  EXPECT_GT(Count("log_bytes.telemetry"), 0u);
  EXPECT_GT(FirstKept(), 100u);
  EXPECT_LE(FirstKept(), 150u) << "what is younger than retention stays";
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(Count("retention_share_percent.telemetry.lake"), 0u);
}

TEST_F(RetentionKeeperTest, TheAlarmIsAtHalfAndTheStopAtFourFifthsOfRetention) {
  Write(1);
  SaveAll(1);
  Write(1);  // what the lake has not read yet
  Save("publisher", "safety", 2);
  Save("vault", "sealed", 2);
  const struct {
    int age_s;
    bool is_held;
  } steps[] = {{49, false}, {51, false}, {79, false}, {81, true}, {500, true}};
  for (const auto& step : steps) {
    clock_.JumpUtc(kStart + Micros::Seconds(1 + step.age_s) - clock_.NowUtc());
    // A keeper of its own: the time between two steps did not pass.
    keeper_.emplace(RetentionKeeper::Options{"/positions", "/releases", "/run", kKeep, kKeep, 0},
                    RetentionKeeper::Parts{disk_, *streams_, clock_, counters_,
                                           [this](bool held) { held_.push_back(held); }});
    held_.clear();
    keeper_->Pass();
    EXPECT_EQ(Count("retention_share_percent.telemetry.lake"),
              static_cast<std::uint64_t>(step.age_s));
    EXPECT_EQ(held_, step.is_held ? std::vector{true} : std::vector<bool>{}) << step.age_s;
    EXPECT_EQ(keeper_->held().has_value(), step.is_held) << step.age_s;
    if (step.is_held) {
      EXPECT_EQ(keeper_->held()->reader, "lake");
      EXPECT_EQ(keeper_->held()->stream, "telemetry");
      EXPECT_EQ(keeper_->held()->percent, step.age_s);
    }
  }
  EXPECT_EQ(Count("retention_share_percent.safety.publisher"), 0u);
}

TEST_F(RetentionKeeperTest, AnAlarmIsGivenOnceForEachTimeThatAReaderCrossesTheMark) {
  Write(300);
  SaveAll(300);
  const struct {
    int behind_s;
    std::uint64_t alarms;
  } steps[] = {{49, 0}, {51, 1}, {60, 1}, {48, 1}, {51, 1}, {44, 1}, {51, 2}, {0, 2}};
  for (const auto& step : steps) {
    Save("vault", "sealed", 300 - step.behind_s);
    keeper_->Pass();
    EXPECT_EQ(Count("retention_alarms"), step.alarms) << step.behind_s;
  }
  EXPECT_TRUE(held_.empty());
}

TEST_F(RetentionKeeperTest, TheStopEndsOnlyWellBelowItsMarkAndNothingExpiresUnderTheReader) {
  Write(300);
  SaveAll(300);
  Save("lake", "telemetry", 215);  // 85 s behind
  keeper_->Pass();
  EXPECT_EQ(held_, std::vector{true});
  EXPECT_EQ(Count("retention_stopped"), 1u);
  Save("lake", "telemetry", 225);  // 75 s: below the mark, not yet well below
  keeper_->Pass();
  EXPECT_EQ(held_, std::vector{true});
  EXPECT_EQ(keeper_->held()->percent, 75);
  clock_.Advance(Micros::Seconds(1'000));  // it stands still for ten times retention
  keeper_->Pass();
  EXPECT_EQ(held_, std::vector{true});
  EXPECT_LE(FirstKept(), 225u) << "it was not read";
  Save("lake", "telemetry", 300);
  keeper_->Pass();
  EXPECT_EQ(held_, (std::vector{true, false}));
  EXPECT_FALSE(keeper_->held().has_value());
  EXPECT_EQ(Count("retention_stopped"), 0u);
  EXPECT_EQ(Count("retention_stops"), 1u);
  EXPECT_GT(FirstKept(), 225u);
}

TEST_F(RetentionKeeperTest, AReaderThatIsServedAndHasNoPlaceYetHoldsItsStreamAlone) {
  Write(250);
  Save("publisher", "safety", 250);
  Save("vault", "sealed", 250);
  keeper_->Pass();
  EXPECT_EQ(Count("segments_removed.telemetry"), 0u);
  EXPECT_GT(Count("segments_removed.safety"), 0u);
  EXPECT_EQ(keeper_->held()->reader, "lake");
}

TEST_F(RetentionKeeperTest, AReaderThatIsNotServedAndNeverWasHoldsNothing) {
  Serve("gateway\npublisher\nvault\n");
  Write(250);
  Save("publisher", "safety", 250);
  Save("vault", "sealed", 250);
  keeper_->Pass();
  EXPECT_GT(Count("segments_removed.telemetry"), 0u);
  EXPECT_TRUE(held_.empty());
}

TEST_F(RetentionKeeperTest, AReaderThatIsNotServedNowButWasHoldsOn) {
  Serve("gateway\npublisher\nvault\n");
  Write(250);
  SaveAll(250);
  Save("lake", "telemetry", 10);
  keeper_->Pass();
  EXPECT_EQ(Count("segments_removed.telemetry"), 0u);
  EXPECT_EQ(held_, std::vector{true});
}

TEST_F(RetentionKeeperTest, TheWorkerOfARemovedReleaseHoldsNothingAndAnInstalledOneDoes) {
  const std::string installed(64, 'a');
  ASSERT_TRUE(disk_.MakeFolders("/releases/" + installed).ok());
  ASSERT_TRUE(WriteFileDurably(disk_, "/releases/" + installed + "/manifest.json", "{}").ok());
  Write(250);
  SaveAll(250);
  Save("worker-aaaaaaaa", "safety", 250);
  Save("worker-bbbbbbbb", "safety", 5);
  keeper_->Pass();
  EXPECT_EQ(Count("retention_readers_retired"), 1u);
  EXPECT_GT(Count("segments_removed.safety"), 0u);
  EXPECT_TRUE(held_.empty());
  EXPECT_TRUE(log::LoadPosition(disk_, "/positions", "worker-aaaaaaaa", "safety", ShardId{0}).ok());
  keeper_->Pass();
  EXPECT_EQ(Count("retention_readers_retired"), 1u) << "once";
}

TEST_F(RetentionKeeperTest, AClockThatJumpsAheadMakesNothingOldUntilItHasStoodByItForADay) {
  Write(50);
  SaveAll(40);
  keeper_->Pass();
  clock_.JumpUtc(Micros::Seconds(86'400 * 365));
  keeper_->Pass();
  EXPECT_EQ(Removed(), 0u);
  EXPECT_TRUE(held_.empty()) << "and nobody is late for it";
  EXPECT_EQ(Count("retention_clock_doubts"), 1u);
  clock_.Advance(Micros::Seconds(60));
  keeper_->Pass();
  EXPECT_EQ(Count("retention_share_percent.telemetry.lake"), 70u) << "time that passed counts";
  EXPECT_EQ(Removed(), 0u);
  SaveAll(50);
  clock_.Advance(Micros{kClockBelievedAfterUs});
  keeper_->Pass();
  EXPECT_GT(Removed(), 0u) << "now it is old by any clock";
  EXPECT_EQ(Count("retention_clock_doubts"), 1u);
}

TEST_F(RetentionKeeperTest, AClockThatJumpsBackAndForthRemovesNothingThatIsNotOld) {
  Write(50);
  SaveAll(50);
  keeper_->Pass();
  for (const std::int64_t by : {-86'400 * 30, 86'400 * 30, 86'400 * 30, -86'400 * 30}) {
    clock_.JumpUtc(Micros::Seconds(by));
    keeper_->Pass();
    EXPECT_EQ(Removed(), 0u) << by;
  }
  EXPECT_TRUE(held_.empty());
}

TEST_F(RetentionKeeperTest, AFailedPassIsCountedAndTheNextOneGoesOn) {
  Write(250);
  SaveAll(250);
  disk_.FailAfter(0);
  keeper_->Pass();
  EXPECT_EQ(Count("retention_failures"), 1u);
  EXPECT_EQ(Removed(), 0u);
  disk_.FailNever();
  keeper_->Pass();
  EXPECT_EQ(Count("retention_failures"), 1u);
  EXPECT_GT(Removed(), 0u);
}

TEST(ConditionFileTest, ItIsWrittenOverInPlaceAlsoOnAFullDisk) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/run").ok());
  auto file = ConditionFile::Open(disk, "/run/gateway.conditions");
  ASSERT_TRUE(file.ok());
  disk.SetCapacity(kConditionFileBytes);
  Conditions conditions{2, Conditions::RetentionStop{"telemetry", "lake", 83}};
  ASSERT_TRUE(file->Write(conditions).ok());
  const std::string text = *ReadWholeFile(disk, "/run/gateway.conditions");
  EXPECT_TRUE(text.starts_with("stalled_shards 2\nretention_stop telemetry lake 83\n\n"));
  ASSERT_TRUE(file->Write({}).ok());
  EXPECT_EQ(*ReadWholeFile(disk, "/run/gateway.conditions"),
            std::string(kConditionFileBytes, '\n'));
}

}  // namespace
}  // namespace telltale::gateway
