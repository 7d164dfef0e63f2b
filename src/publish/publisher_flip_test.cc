// Two releases, one publisher: flips there and back, one by one.
#include "publish/flip_oracle.h"

namespace telltale::publish {
namespace {

constexpr std::uint16_t kPartitions = FlipWorld::kPartitions;

class Rollout100 {
 public:
  // A has published 100 inputs of each partition, and B is warm and as far.
  Rollout100() {
    world.began_config_seq = 1;
    world.Start();
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
      world.Work(kReleaseA, p, 0, 50);
      world.Work(kReleaseB, p, 0, 50);
    }
    EXPECT_TRUE(Send(1, 0).ok());
    world.Drain();
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
      world.Work(kReleaseA, p, 50, 100);
      world.Work(kReleaseB, p, 50, 100);
    }
    world.Drain();
  }
  Status Send(std::uint64_t seq, std::uint32_t authority_lots) {
    auto record = RecordOf(seq, kReleaseA);
    SetRollout(record, kReleaseB, authority_lots, "s", 1);
    return world.publisher->TakeConfig(Sign(record, world.key));
  }
  Status SendBack(std::uint64_t seq) {
    return world.publisher->TakeConfig(Sign(RecordOf(seq, kReleaseA), world.key));
  }
  FlipWorld world;
};

TEST(PublisherFlipTest, ARollbackOfAllPartitionsIsOneTransactionAndAnsweredWhenItIsDurable) {
  Rollout100 at;
  ASSERT_TRUE(at.Send(2, kLots).ok());
  EXPECT_EQ(at.world.counters.Get("partitions_pending").value(), 0u);
  for (const auto& partition : at.world.Partitions()) {
    ASSERT_EQ(partition.lanes_size(), 1);
    EXPECT_EQ(partition.lanes(0).release(), kReleaseB);
    EXPECT_EQ(partition.lanes(0).first_offset(), 100u);
  }
  const std::uint64_t before = at.world.store_disk.syncs();
  ASSERT_TRUE(at.SendBack(3).ok());
  EXPECT_EQ(at.world.store_disk.syncs() - before, 1u);
  const auto lanes = Must(at.world.OpenStore().ReadLanes());
  for (const auto& [partition, of] : lanes) {
    EXPECT_EQ(of.lanes.front().release, kReleaseA);
    EXPECT_EQ(of.epoch, AuthorityEpoch{3});
  }
  EXPECT_EQ(at.world.counters.Get("flips_total").value(), 2u * kPartitions);
}

// docs/formats/config-record.md: the speaker stands where the publisher looks.
TEST(PublisherFlipTest, AReleaseThatStableSpeaksForMovesNoLane) {
  Rollout100 at;
  ASSERT_TRUE(at.SendBack(2).ok());
  const auto before = Must(at.world.OpenStore().ReadLanes());
  const std::uint64_t flips = at.world.counters.Get("flips_total").value();
  const std::string features(64, '9');
  auto record = RecordOf(3, kReleaseA);
  SetRollout(record, features, kLots, "other", 3);
  record.mutable_silent_rollout()->Swap(record.mutable_rollout());
  record.clear_rollout();
  ASSERT_TRUE(at.world.publisher->TakeConfig(Sign(record, at.world.key)).ok());
  record = RecordOf(4, kReleaseA);
  record.set_stable_in_force(features);
  record.set_previous_release(kReleaseA);
  ASSERT_TRUE(at.world.publisher->TakeConfig(Sign(record, at.world.key)).ok());
  EXPECT_EQ(at.world.Ask().config_seq(), 4u);
  EXPECT_EQ(Must(at.world.OpenStore().ReadLanes()), before);
  EXPECT_EQ(at.world.counters.Get("flips_total").value(), flips);
  EXPECT_EQ(at.world.counters.Get("partitions_pending").value(), 0u);
  for (std::uint16_t p = 0; p < kPartitions; ++p) at.world.Work(kReleaseA, p, 100, 150);
  at.world.Drain();
  for (const auto& partition : at.world.Partitions()) {
    EXPECT_EQ(partition.lanes(0).next_offset(), 150u) << "its alerts go on";
    EXPECT_EQ(partition.releases_size(), 1) << "no other journal is read";
  }
}

TEST(PublisherFlipTest, ACandidateThatHangsCostsStableNothingAndItsGapIsFilledAtTheRollback) {
  Rollout100 at;
  ASSERT_TRUE(at.Send(2, 5'000).ok());
  for (std::uint16_t p = 0; p < kPartitions; ++p) at.world.Work(kReleaseA, p, 100, 300);
  at.world.Drain();
  for (const auto& partition : at.world.Partitions()) {
    ASSERT_EQ(partition.lanes_size(), 2);
    EXPECT_EQ(partition.lanes(0).next_offset(), 100u);
    EXPECT_EQ(partition.lanes(1).next_offset(), 300u);
  }
  at.world.Stop();
  at.world.Start();
  ASSERT_TRUE(at.SendBack(3).ok());
  at.world.Drain();
  for (const auto& partition : at.world.Partitions()) {
    ASSERT_EQ(partition.lanes_size(), 1) << "they are together again";
    EXPECT_EQ(partition.lanes(0).next_offset(), 300u);
  }
  ExpectMerged(at.world, {300, 300, 300, 300});
}

TEST(PublisherFlipTest, WithoutControlAPublisherGoesOnWithWhatItTookAndTriesWhatIsPending) {
  FlipWorld world;
  world.Start();
  auto record = RecordOf(4, kReleaseA);
  SetRollout(record, kReleaseB, 2'000, "s", 4);
  ASSERT_TRUE(world.publisher->TakeConfig(Sign(record, world.key)).ok());
  EXPECT_EQ(world.Partitions()[0].pending(), kNoJournal);
  world.Stop();
  world.Start();
  world.began_config_seq = 4;
  for (std::uint16_t p = 0; p < kPartitions; ++p) {
    world.Work(kReleaseA, p, 0, 3);
    world.Work(kReleaseB, p, 0, 3);
  }
  world.Drain();
  EXPECT_EQ(world.Ask().config_seq(), 4u);
  EXPECT_EQ(world.Partitions()[0].pending(), kWarming);
  for (std::uint16_t p = 0; p < kPartitions; ++p) {
    world.Work(kReleaseA, p, 3, 20);
    world.Work(kReleaseB, p, 3, 20);
  }
  world.Drain();
  EXPECT_EQ(world.Partitions()[0].pending(), "");
  EXPECT_EQ(world.Partitions()[0].lanes(0).release(), kReleaseB);
  ExpectMerged(world, {20, 20, 20, 20});
}

TEST(PublisherFlipTest, AnOrderOfAnotherKeyOrOfAnOlderLeaderIsRefusedAndNothingMoves) {
  Rollout100 at;
  auto record = RecordOf(2, kReleaseA);
  SetRollout(record, kReleaseB, kLots, "s", 1);
  const auto forged = at.world.publisher->TakeConfig(Sign(record, Must(seal::MakeEd25519())));
  EXPECT_EQ(forged.error().code, Code::kRefused);
  auto led = RecordOf(2, kReleaseA);
  led.set_leader_epoch(7);
  ASSERT_TRUE(at.world.publisher->TakeConfig(Sign(led, at.world.key)).ok());
  at.world.Stop();
  at.world.Start();
  record.set_config_seq(3);
  record.set_leader_epoch(6);
  const auto old_leader = at.world.publisher->TakeConfig(Sign(record, at.world.key));
  EXPECT_EQ(old_leader.error().code, Code::kRefused);
  EXPECT_EQ(at.world.Partitions()[0].lanes(0).release(), kReleaseA);
  record.set_leader_epoch(0);
  EXPECT_TRUE(at.world.publisher->TakeConfig(Sign(record, at.world.key)).ok())
      << "a command of the operator's";
}

TEST(PublisherFlipTest, ABrokenJournalOfTheCandidateStopsItAloneAndKeepsItFromMore) {
  Rollout100 at;
  {
    const auto journal = Must(at.world.disk.List("/journal/" + kReleaseB + "/journal/shard-0"));
    const std::string path = "/journal/" + kReleaseB + "/journal/shard-0/" + journal.front();
    const auto file = Must(at.world.disk.Open(path, OpenMode::kReadWrite));
    ASSERT_TRUE(file->WriteAt(100, AsBytes(std::string(20'000, '\xa5'))).ok());
  }
  at.world.Stop();
  ASSERT_TRUE(
      at.world.disk.Remove("/journal/" + kReleaseB + "/positions/publisher/journal-0").ok());
  auto store = at.world.OpenStore();
  ASSERT_TRUE(store.KeepJournalPositions({{kReleaseB, ShardId{0}, {}}}).ok());
  at.world.Start();
  ASSERT_TRUE(at.Send(2, 1'000).ok());
  for (std::uint16_t p = 0; p < kPartitions; ++p) at.world.Work(kReleaseA, p, 100, 200);
  at.world.Drain();
  EXPECT_EQ(at.world.counters.Get("journals_stopped").value(), 1u);
  EXPECT_EQ(at.world.Partitions()[0].pending(), kJournalStopped);
  EXPECT_EQ(at.world.Partitions()[0].lanes(0).next_offset(), 200u);
}

}  // namespace
}  // namespace telltale::publish
