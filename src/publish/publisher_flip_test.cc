// Two releases, one publisher: every input has one release that speaks for it, whatever happens.
#include <nlohmann/json.hpp>

#include "base/test_rounds.h"
#include "publish/flip_testing.h"

namespace telltale::publish {
namespace {

constexpr std::uint16_t kPartitions = FlipWorld::kPartitions;

// Who spoke for a vehicle at an input, by the ledger; null: nobody, or two.
const LedgerRow* SpeakerOf(const std::vector<LedgerRow>& ledger, std::uint16_t partition,
                           std::uint64_t offset, const VehicleRef& vehicle) {
  const LedgerRow* speaker = nullptr;
  for (const LedgerRow& row : ledger) {
    if (row.partition != PartitionId{partition} || Offset{offset} < row.from) continue;
    if (row.to && Offset{offset} >= *row.to) continue;
    const std::uint32_t lot = LotOf(row.order, vehicle);
    if (lot < row.lot_from || lot >= row.lot_to) continue;
    if (speaker != nullptr) return nullptr;
    speaker = &row;
  }
  return speaker;
}

// Whose alerts the outputs of one partition are, from the ledger and the journals alone.
class Names {
 public:
  using Output = internal::v1::JournalEntry::Output;
  Names(const std::vector<LedgerRow>& ledger, std::uint16_t partition)
      : ledger_(ledger), partition_(partition) {}

  // The id and revision under which it is published, and what that makes of the alert.
  std::pair<std::string, std::uint64_t> Next(const LedgerRow& speaker, const Output& output) {
    const std::string own = output.alert().output_id();
    const std::uint64_t epoch = speaker.authority_epoch.value;
    const auto known = given_.find({own, epoch});
    std::string id = known != given_.end() ? known->second.first : own;
    std::uint64_t added = known != given_.end() ? known->second.second : 0;
    if (known == given_.end()) {
      if (const auto home = home_.find(own); home != home_.end()) id = home->second;
      if (!alerts_[id].is_open) id = OpenAt(speaker, output).value_or(id);
      const Alert& there = alerts_[id];
      if (there.revision >= output.alert().revision() && there.epoch < epoch) {
        added = there.revision + 1 - output.alert().revision();
      }
      given_[{own, epoch}] = {id, added};
      home_[own] = id;
      continued += id == own ? 0 : 1;
    }
    alerts_[id] = {.is_open = output.alert().state() == internal::v1::EPISODE_STATE_OPEN,
                   .epoch = epoch,
                   .revision = output.alert().revision() + added,
                   .release = speaker.release,
                   .output = output};
    return {id, alerts_[id].revision};
  }
  std::uint64_t continued = 0;

 private:
  struct Alert {
    bool is_open = false;
    std::uint64_t epoch = 0;
    std::uint64_t revision = 0;
    std::string release = {};
    Output output = {};
  };
  std::optional<std::string> OpenAt(const LedgerRow& speaker, const Output& output) {
    std::optional<std::string> found;
    std::uint64_t newest = 0;
    for (const auto& [id, alert] : alerts_) {
      if (!alert.is_open || alert.release == speaker.release) continue;
      if (alert.output.alert().vehicle_ref() != output.alert().vehicle_ref()) continue;
      if (found && alert.output.input_offset() < newest) continue;
      if (!Overlap(speaker, alert.output, output)) continue;
      found = id;
      newest = alert.output.input_offset();
    }
    return found;
  }
  bool Overlap(const LedgerRow& speaker, const Output& open, const Output& output) const {
    const bool is_known = output.alert().started_at_us() <= open.event_time_us();
    if (output.alert().state() == internal::v1::EPISODE_STATE_OPEN) return is_known;
    if (output.alert().ended_at_us() < open.alert().started_at_us()) return false;
    std::size_t flips = 0;
    std::string last;
    for (std::uint64_t offset = open.input_offset(); offset <= output.input_offset(); ++offset) {
      const LedgerRow* const of = SpeakerOf(
          ledger_, partition_, offset, FlipWorld::VehicleAt(partition_, output.input_offset()));
      if (of == nullptr) return false;
      if (!last.empty() && last != of->release) ++flips;
      last = of->release;
    }
    return is_known || (flips == 1 && last == speaker.release);
  }

  const std::vector<LedgerRow>& ledger_;
  std::uint16_t partition_;
  std::map<std::string, Alert> alerts_;
  std::map<std::string, std::string> home_;
  std::map<std::pair<std::string, std::uint64_t>, std::pair<std::string, std::uint64_t>> given_;
};

// What is published is the merge of both journals by the ledger; `inputs` by partition. Returns how
// many episodes went on with an alert of another id.
std::uint64_t ExpectMerged(FlipWorld& world, const std::array<std::uint64_t, kPartitions>& inputs) {
  AlertStore store = world.OpenStore();
  const auto ledger = Must(store.ReadLedger());
  std::map<std::string, std::string> published;  // id and revision: what it says
  for (const AlertChange& change : Must(store.ChangesAfter(0, SIZE_MAX))) {
    const auto json = nlohmann::json::parse(change.data);
    const std::string key =
        json["output_id"].get<std::string>() + " " + std::to_string(json["revision"].get<int>());
    const std::string says = json["release"].get<std::string>() + json["authority_epoch"].dump() +
                             " of " + json["input_offset"].dump() + json["state"].dump();
    EXPECT_TRUE(published.emplace(key, says).second) << "twice: " << key;
  }
  std::uint64_t continued = 0;
  std::size_t expected = 0;
  for (std::uint16_t p = 0; p < kPartitions; ++p) {
    Names names(ledger, p);
    std::map<std::uint64_t, std::map<std::string, std::vector<Names::Output>>> said;
    for (const std::string& release : {kReleaseA, kReleaseB}) {
      for (auto& output : world.Conclude(release, p, inputs[p])) {
        said[output.input_offset()][release].push_back(output);
      }
    }
    for (std::uint64_t offset = 0; offset < inputs[p]; ++offset) {
      const LedgerRow* const speaker =
          SpeakerOf(ledger, p, offset, FlipWorld::VehicleAt(p, offset));
      if (speaker == nullptr) {
        ADD_FAILURE() << "partition " << p << ", input " << offset;
        return 0;
      }
      for (const auto& output : said[offset][speaker->release]) {
        ++expected;
        const auto [id, revision] = names.Next(*speaker, output);
        const bool opens = output.alert().state() == internal::v1::EPISODE_STATE_OPEN;
        EXPECT_EQ(published[HexEncode(id) + " " + std::to_string(revision)],
                  speaker->release + std::to_string(speaker->authority_epoch.value) + " of " +
                      std::to_string(offset) + (opens ? "\"OPEN\"" : "\"CLOSED\""));
      }
    }
    continued += names.continued;
  }
  EXPECT_EQ(published.size(), expected);
  return continued;
}

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
    const auto partition = static_cast<std::uint16_t>(random_.Below(kPartitions));
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
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
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
    for (std::uint16_t p = 0; p < kPartitions; ++p) {
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
  std::array<std::uint64_t, kPartitions> inputs_{};
  std::map<std::string, std::array<std::uint64_t, kPartitions>> done_;
  std::uint64_t seq_ = 0;
  std::uint64_t leader_ = 1;
  std::uint64_t leader_taken_ = 0;
  std::string stable_ = kReleaseA;
  std::string salt_ = "0";
};

TEST(PublisherFlipTest, WhateverHappensWhatIsPublishedIsTheMergeByTheLedger) {
  std::uint64_t continued = 0;
  std::uint64_t promotions = 0;
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(40); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Life life(seed);
    continued += life.continued;
    promotions += life.promotions;
    if (testing::Test::HasFailure()) return;
  }
  const std::uint64_t rounds = LastSeed(40) - FirstSeed() + 1;
  EXPECT_GE(promotions, rounds / 20);
  EXPECT_GE(continued, rounds / 20) << "the lives are too quiet to show anything";
}

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
