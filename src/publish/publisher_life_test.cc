// Two releases, one publisher, random lives: every input has one release that speaks for it.
#include <algorithm>

#include "base/test_rounds.h"
#include "publish/flip_oracle.h"

namespace telltale::publish {
namespace {

constexpr std::uint16_t kLifePartitions = FlipWorld::kPartitions;

// A life of random steps.
class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed) {
    world_.Start();
    for (int step = 0; step < 120; ++step) Step();
    End();
    continued = ExpectMerged(world_, inputs_);
  }
  std::uint64_t continued = 0;
  std::uint64_t promotions = 0;

 private:
  void Step() {
    const auto partition = static_cast<std::uint16_t>(random_.Below(kLifePartitions));
    switch (random_.Below(12)) {
      case 0:
      case 1:
      case 2:
        inputs_[partition] += random_.Below(24);
        return Work(kReleaseA, partition);
      case 3:
      case 4:
        return Work(kReleaseB, partition);
      case 5:
        world_.Stop();
        return world_.Start();
      case 6:
        return Cut();
      case 7:
      case 8:
        return Order();
      case 9:
        return random_.Below(3) == 0 ? RollOut() : Turn();
      default:
        Turn();
    }
  }
  void Work(const std::string& release, std::uint16_t partition) {
    auto& done = done_[release][partition];
    if (release == kReleaseB && world_.began_config_seq == 0) return;
    if (done >= inputs_[partition]) return;
    const std::uint64_t to = done + 1 + random_.Below(inputs_[partition] - done);
    const bool marks = random_.Below(4) != 0;
    world_.Work(release, partition, done, to, marks);
    if (marks) done = to;  // else it dies, and says it again
  }
  void Turn() {
    world_.clock.Advance(Micros{static_cast<std::int64_t>(random_.Below(700'000))});
    const auto more = world_.publisher->RunOnce();
    EXPECT_TRUE(more.ok()) << more.error().ToString();
  }
  // The disk of the store fails after some writes, anywhere, then the power is cut.
  void Cut() {
    world_.store_disk.FailAfter(random_.Below(30));
    world_.clock.Advance(Micros{600'000});
    if (random_.Below(2) == 0) Order(false);
    (void)world_.publisher->RunOnce();
    world_.Crash(random_.NextU64());
  }
  void Order(bool must_work = true) {
    if (must_work && random_.Below(5) == 0) OrderOfADeposedLeader();
    if (world_.began_config_seq != 0 && random_.Below(3) == 0) Promote();
    auto record = RecordOf(++seq_, stable_);
    record.set_leader_epoch(leader_);
    if (random_.Below(2) == 0) record.set_previous_release(Other(stable_));
    if (random_.Below(4) != 0) {
      if (world_.began_config_seq == 0) Begin();
      if (random_.Below(4) == 0) salt_ = std::to_string(random_.Below(3));
      const std::uint64_t lots = random_.Below(3) == 0 ? kLots : random_.Below(kLots + 1);
      SetRollout(record, Other(stable_), static_cast<std::uint32_t>(lots), salt_,
                 world_.began_config_seq);
      AddLists(record);
    }
    const std::string bytes = Sign(record, world_.key);
    const Status taken = world_.publisher->TakeConfig(bytes);
    if (must_work) {
      EXPECT_TRUE(taken.ok()) << taken.error().ToString();
    }
    if (!taken.ok()) return;
    leader_taken_ = leader_;
    EXPECT_TRUE(world_.publisher->TakeConfig(bytes).ok() || !must_work);
    record.set_created_at_us(1);
    EXPECT_FALSE(world_.publisher->TakeConfig(Sign(record, world_.key)).ok()) << "other bytes";
    record.set_config_seq(seq_ - 1);
    record.set_leader_epoch(leader_ + 1);
    EXPECT_FALSE(world_.publisher->TakeConfig(Sign(record, world_.key)).ok()) << "an older one";
    if (random_.Below(3) == 0) ++leader_;
  }
  // To the end, with nothing in its way: the next order may promote it.
  void RollOut() {
    if (world_.began_config_seq == 0) return;
    for (const bool is_all : {false, true}) {
      for (std::uint64_t& count : inputs_) count += 8;
      CatchUp();
      auto record = RecordOf(++seq_, stable_);
      record.set_leader_epoch(leader_);
      if (is_all) SetRollout(record, Other(stable_), kLots, salt_, world_.began_config_seq);
      if (is_all) AddLists(record);
      EXPECT_TRUE(world_.publisher->TakeConfig(Sign(record, world_.key)).ok());
      leader_taken_ = leader_;
      if (!is_all) world_.Drain();
    }
  }
  // Both releases conclude what there is, and it is published.
  void CatchUp() {
    for (std::uint16_t p = 0; p < kLifePartitions; ++p) {
      for (const std::string& release : {kReleaseA, kReleaseB}) {
        if (release == kReleaseB && world_.began_config_seq == 0) continue;
        world_.Work(release, p, done_[release][p], inputs_[p]);
        done_[release][p] = inputs_[p];
      }
    }
    world_.Drain();
  }
  static const std::string& Other(const std::string& release) {
    return release == kReleaseA ? kReleaseB : kReleaseA;
  }
  // Where the candidate speaks for everybody it becomes stable. Back to the first is always right.
  void Promote() {
    bool is_everywhere = stable_ == kReleaseB;
    if (!is_everywhere) {
      const auto partitions = world_.Partitions();
      is_everywhere = std::all_of(partitions.begin(), partitions.end(), [](const auto& one) {
        return one.lanes_size() == 1 && one.lanes(0).release() == kReleaseB;
      });
    }
    if (!is_everywhere) return;
    stable_ = Other(stable_);
    ++promotions;
  }
  // Two planes that both believe to lead: the elder's record comes late, with a higher number.
  void OrderOfADeposedLeader() {
    if (leader_taken_ < 2) return;
    auto record = RecordOf(seq_ + 1, Other(stable_));
    record.set_leader_epoch(leader_taken_ - 1);
    const auto before = Must(world_.OpenStore().ReadLedger()).size();
    EXPECT_FALSE(world_.publisher->TakeConfig(Sign(record, world_.key)).ok());
    EXPECT_EQ(Must(world_.OpenStore().ReadLedger()).size(), before);
  }
  // Some vehicles are always in it, some never, and with another salt others.
  void AddLists(internal::v1::ConfigRecord& record) const {
    const std::uint64_t number = std::stoul(salt_);
    if (number == 0) return;
    auto& order = *record.mutable_rollout()->mutable_order();
    for (std::uint16_t p = 0; p < kLifePartitions; ++p) {
      order.add_always(std::string(AsText(FlipWorld::VehicleAt(p, number).bytes)));
      order.add_never(std::string(AsText(FlipWorld::VehicleAt(p, number + 1).bytes)));
    }
  }
  // The candidate's worker begins where the record lies.
  void Begin() {
    world_.began_config_seq = seq_;
    done_[kReleaseB] = inputs_;
    world_.since[kReleaseB] = inputs_;
  }
  void End() {
    CatchUp();
    for (const auto& partition : world_.Partitions()) {
      for (const auto& lane : partition.lanes()) {
        EXPECT_EQ(lane.next_offset(), inputs_[partition.partition()]);
      }
    }
  }

  FlipWorld world_;
  SeededRandom random_;
  std::array<std::uint64_t, kLifePartitions> inputs_{};
  std::map<std::string, std::array<std::uint64_t, kLifePartitions>> done_;
  std::uint64_t seq_ = 0;
  std::uint64_t leader_ = 1;
  std::uint64_t leader_taken_ = 0;
  std::string stable_ = kReleaseA;
  std::string salt_ = "0";
};

TEST(PublisherFlipTest, WhateverHappensWhatIsPublishedIsTheMergeByTheLedger) {
  std::uint64_t continued = 0;
  std::uint64_t promotions = 0;
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(24); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Life life(seed);
    continued += life.continued;
    promotions += life.promotions;
    if (testing::Test::HasFailure()) return;
  }
  const std::uint64_t rounds = LastSeed(24) - FirstSeed() + 1;
  EXPECT_GE(promotions, rounds / 20);
  EXPECT_GE(continued, rounds / 20) << "the lives are too quiet to show anything";
}

}  // namespace
}  // namespace telltale::publish
