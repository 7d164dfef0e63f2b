// What a vehicle votes, by what two releases concluded of the same input.
#include "gate/pairing.h"

#include "gate/observer_testing.h"

namespace telltale::gate {
namespace {

using testing::CarOf;
using testing::MarkAt;
using testing::Opening;

constexpr PartitionId kPartition{0};
constexpr std::int64_t kWarm = 2'000;  // ms of log time: warm from here on
const VehicleRef kCar = CarOf(0, 1);

class PairingTest : public ::testing::Test {
 protected:
  PairingTest() { Start({.rollout = testing::RolloutOfAll(), .lateness = Micros::Seconds(10)}); }
  void Start(PairingOptions options) {
    options.holds = {{"hard_braking", Micros{500'000}}};
    pairing_ = std::make_unique<Pairing>(std::move(options));
    Both(1, kWarm);
  }
  void Mark(Side side, std::uint64_t below, std::int64_t log_ms) {
    journal::Part part{.next = Offset{below}};
    part.marks.push_back(MarkAt(below, log_ms));
    pairing_->Take(kPartition, side, std::move(part));
    pairing_->Settle(kPartition);
  }
  void Both(std::uint64_t below, std::int64_t log_ms) {
    Mark(Side::kStable, below, log_ms);
    Mark(Side::kCandidate, below, log_ms);
  }
  void Say(Side side, Opening opening) {
    if (opening.vehicle == VehicleRef{}) opening.vehicle = kCar;
    journal::Part part{.next = Offset{opening.input}};
    part.outputs.push_back(testing::OutputOf(opening));
    pairing_->Take(kPartition, side, std::move(part));
  }
  int VoteOf(const VehicleRef& vehicle = kCar) const {
    const auto rule = pairing_->rules().find("hard_braking");
    if (rule == pairing_->rules().end()) return 0;
    const auto vote = rule->second.vehicles.find(vehicle);
    return vote == rule->second.vehicles.end() ? 0 : vote->second & ~kStableBegan;
  }
  std::unique_ptr<Pairing> pairing_;
};

TEST_F(PairingTest, OutputsOfOneEventAreAPair) {
  Say(Side::kStable, {.input = 5, .event_ms = 3'000});
  Say(Side::kCandidate, {.input = 7, .event_ms = 4'400});
  Both(10, 5'000);
  EXPECT_EQ(VoteOf() & ~kToldOtherwise, kStableSpoke | kCandidateSpoke | kBothSpoke);
}

TEST_F(PairingTest, WhatComesLaterThanHoldAndASecondIsAnotherEvent) {
  Say(Side::kStable, {.input = 5, .event_ms = 3'000});
  Say(Side::kCandidate, {.input = 7, .event_ms = 4'501});
  Both(10, 5'000);
  EXPECT_EQ(VoteOf(), 0) << "the allowed lateness is not over";
  Both(20, 20'000);
  EXPECT_EQ(VoteOf(), kStableSpoke | kMissed | kCandidateSpoke | kInvented);
}

TEST_F(PairingTest, NothingIsMissingBeforeTheOtherReleasesMark) {
  Say(Side::kStable, {.input = 5, .event_ms = 3'000});
  Mark(Side::kStable, 1'000, 900'000);
  EXPECT_EQ(VoteOf(), 0);
  Mark(Side::kCandidate, 5, 3'000);
  EXPECT_EQ(VoteOf(), 0);
  EXPECT_EQ(pairing_->queued(kPartition, Side::kStable), 2u);
  Mark(Side::kCandidate, 1'000, 900'000);
  EXPECT_EQ(VoteOf(), kStableSpoke | kMissed);
}

TEST_F(PairingTest, AVehicleVotesOnceHoweverOftenItsOutputsAreMissing) {
  for (std::uint64_t n = 0; n < 5; ++n) {
    Say(Side::kStable, {.input = 5 + n, .event_ms = 3'000 + 5'000 * static_cast<int>(n)});
  }
  Both(100, 90'000);
  EXPECT_EQ(VoteOf(), kStableSpoke | kMissed);
  const RuleVotes& rule = pairing_->rules().at("hard_braking");
  EXPECT_EQ(rule.vehicles.size(), 1u);
  ASSERT_EQ(rule.examples.size(), 1u);
  EXPECT_EQ(rule.examples[0].vehicle, kCar.ToHex());
  EXPECT_EQ(rule.examples[0].side, "missing");
}

TEST_F(PairingTest, OfStablesOutputsTheFirstDecidesWhicheverIsDecidedFirst) {
  const VehicleRef other = CarOf(0, 2);
  Say(Side::kStable, {.input = 5, .event_ms = 3'000});  // waits, and nothing comes
  Say(Side::kStable, {.input = 6, .vehicle = other, .event_ms = 3'000});
  Say(Side::kCandidate, {.input = 6, .vehicle = other, .event_ms = 3'000});
  Say(Side::kStable, {.input = 8, .event_ms = 6'000});
  Say(Side::kCandidate, {.input = 8, .event_ms = 6'000});
  Say(Side::kStable, {.input = 9, .vehicle = other, .event_ms = 6'000});
  Both(10, 7'000);
  EXPECT_EQ(VoteOf(), kCandidateSpoke) << "its first is not decided";
  Both(20, 90'000);
  EXPECT_EQ(VoteOf(), kStableSpoke | kMissed | kCandidateSpoke);
  EXPECT_EQ(VoteOf(other), kStableSpoke | kCandidateSpoke | kBothSpoke);
}

TEST_F(PairingTest, APairThatTellsOtherwiseSaysInWhat) {
  Say(Side::kStable, {.input = 5, .event_ms = 3'000, .peak = -5.5});
  Say(Side::kCandidate, {.input = 5, .event_ms = 3'000, .peak = -55});
  Both(10, 5'000);
  EXPECT_EQ(VoteOf(), kStableSpoke | kCandidateSpoke | kBothSpoke | kToldOtherwise);
  EXPECT_EQ(pairing_->rules().at("hard_braking").examples[0].what, "told otherwise: peak_value");
}

TEST_F(PairingTest, BeforeTheCandidateIsWarmNobodyVotes) {
  pairing_ = std::make_unique<Pairing>(PairingOptions{.rollout = testing::RolloutOfAll()});
  Both(1, 500);  // half of the warm-up
  Say(Side::kStable, {.input = 5, .event_ms = 700});
  Both(10, 900);
  Both(20, 1'000);
  Both(30, 900'000);
  EXPECT_EQ(VoteOf(), 0);
  Say(Side::kStable, {.input = 35, .event_ms = 900'001});
  Both(40, 1'900'000);
  EXPECT_EQ(VoteOf(), kStableSpoke | kMissed);
}

TEST_F(PairingTest, AVehicleOutsideTheShadowIsNotComparedAndTheCandidateMayNotSpeakOfIt) {
  auto rollout = testing::RolloutOfAll();
  rollout.shadow_lots = 1;
  rollout.order.always = {kCar};
  pairing_ = std::make_unique<Pairing>(PairingOptions{.rollout = rollout});
  const auto mark = [&](std::uint64_t below, std::int64_t log_ms) {
    for (const Side side : {Side::kStable, Side::kCandidate}) {
      journal::Part part{.next = Offset{below}};
      part.marks.push_back(MarkAt(below, log_ms, side == Side::kStable ? kLots : 1));
      pairing_->Take(kPartition, side, std::move(part));
    }
    pairing_->Settle(kPartition);
  };
  mark(1, kWarm);
  const VehicleRef other = CarOf(0, 2);
  Say(Side::kStable, {.input = 5, .vehicle = other, .event_ms = 3'000});
  mark(10, 900'000);
  EXPECT_EQ(VoteOf(other), 0);
  EXPECT_EQ(pairing_->outside_cohort(), 0);
  Say(Side::kCandidate, {.input = 15, .vehicle = other, .event_ms = 900'001});
  mark(20, 1'900'000);
  EXPECT_EQ(VoteOf(other), 0);
  EXPECT_EQ(pairing_->outside_cohort(), 1);
  EXPECT_EQ(pairing_->outside_vehicles(), std::vector{other});
}

// Shadow of one lot, which kCar alone has; the candidate's marks say more.
class OutsideTest : public PairingTest {
 protected:
  OutsideTest() {
    rollout_.shadow_lots = 1;
    rollout_.order.always = {kCar};
    rollout_.began = ConfigSeq{7};
    pairing_ = std::make_unique<Pairing>(PairingOptions{.rollout = rollout_, .erased = &erased_});
  }
  void MarkOf(std::uint64_t below, std::uint64_t config_seq, std::uint32_t lots) {
    for (const Side side : {Side::kStable, Side::kCandidate}) {
      journal::Part part{.next = Offset{below}};
      part.marks.push_back(MarkAt(below, static_cast<std::int64_t>(below) * 1'000, lots));
      part.marks.back().config_seq = ConfigSeq{config_seq};
      pairing_->Take(kPartition, side, std::move(part));
    }
    pairing_->Settle(kPartition);
  }
  void SayOf(std::uint64_t input) {
    Say(Side::kCandidate,
        {.input = input, .vehicle = kOther, .event_ms = static_cast<std::int64_t>(input) * 1'000});
  }
  const VehicleRef kOther = CarOf(0, 2);
  contract::Rollout rollout_ = testing::RolloutOfAll();
  SimDisk disk_;
  ErasureList erased_{disk_, "/erased/list"};
};

TEST_F(OutsideTest, WhatWasSaidBeforeTheRolloutBeganIsNotJudgedByItsOrder) {
  MarkOf(1, 3, kLots);
  SayOf(5);
  MarkOf(10, 4, 0);
  SayOf(15);
  MarkOf(20, 5, 0);
  SayOf(25);  // the rollout may have begun behind it
  MarkOf(30, 7, 1);
  EXPECT_EQ(pairing_->outside_cohort(), 0);
  SayOf(35);
  EXPECT_EQ(pairing_->outside_cohort(), 0);
  MarkOf(40, 7, 1);
  EXPECT_EQ(pairing_->outside_cohort(), 1);
}

TEST_F(OutsideTest, WhereTheStageGrewTheMarkAboveSaysWhatWasAllowed) {
  MarkOf(1, 7, 1);
  SayOf(5);
  MarkOf(10, 8, kLots);
  SayOf(15);
  MarkOf(20, 8, 1);
  EXPECT_EQ(pairing_->outside_cohort(), 0);
  SayOf(25);
  MarkOf(30, 8, 1);
  EXPECT_EQ(pairing_->outside_cohort(), 1);
  EXPECT_EQ(pairing_->outside_vehicles(), std::vector{kOther});
}

TEST_F(OutsideTest, WhatWaitsForAMarkGoesThroughBytes) {
  MarkOf(1, 7, 1);
  SayOf(5);
  for (const Side side : {Side::kStable, Side::kCandidate}) {
    pairing_->Take(kPartition, side, {.next = Offset{6}});
  }
  pairing_->Settle(kPartition);
  EXPECT_EQ(pairing_->outside_cohort(), 0);
  std::string state;
  pairing_->Encode(state);
  ByteReader in(state);
  *pairing_ = testing::Must(Pairing::Decode(in, {.rollout = rollout_}));
  MarkOf(10, 7, 1);
  EXPECT_EQ(pairing_->outside_cohort(), 1);
}

TEST_F(OutsideTest, OfWhoIsErasedNothingIsTaken) {
  testing::Must(disk_.MakeFolders("/erased"));
  testing::Must(AppendErasure(disk_, "/erased/list", kOther));
  testing::Must(AppendErasure(disk_, "/erased/list", kCar));
  EXPECT_TRUE(testing::Must(erased_.Refresh()));
  MarkOf(1, 7, 1);
  MarkOf(10, 7, 1);
  SayOf(15);
  Say(Side::kStable, {.input = 16, .event_ms = 16'000});
  MarkOf(20, 7, 1);
  MarkOf(4'000, 7, 1);
  EXPECT_EQ(pairing_->outside_cohort(), 0);
  EXPECT_EQ(VoteOf(), 0);
}

TEST_F(PairingTest, HowFarEachJournalWasReadChangesNothing) {
  // The same outputs and marks, once each side alone to its end, once in turns, once read twice.
  const auto run = [](int way) {
    Pairing pairing({.rollout = testing::RolloutOfAll(), .lateness = Micros::Seconds(3)});
    const auto feed = [&](Side side, std::uint64_t from, std::uint64_t to) {
      for (std::uint64_t input = from; input < to; ++input) {
        journal::Part part{.next = Offset{input + 1}};
        const auto ms = static_cast<std::int64_t>(1'000 + input * 700);
        const bool speaks = side == Side::kStable ? input % 3 == 0 : input % 4 == 0;
        const auto car = static_cast<std::uint8_t>(input % 5);
        if (speaks) {
          part.outputs.push_back(
              testing::OutputOf({.input = input, .vehicle = CarOf(0, car), .event_ms = ms}));
        }
        if (input % 2 == 0) part.marks.push_back(MarkAt(input + 1, ms));
        pairing.Take(kPartition, side, std::move(part));
        if (way != 0) pairing.Settle(kPartition);
      }
    };
    if (way == 0) {
      feed(Side::kStable, 0, 100);
      feed(Side::kCandidate, 0, 100);
    } else {
      for (std::uint64_t n = 0; n < 100; n += 10) {
        feed(way == 1 ? Side::kStable : Side::kCandidate, n, n + 10);
        feed(way == 1 ? Side::kCandidate : Side::kStable, n, n + 10);
      }
    }
    pairing.Settle(kPartition);
    std::string state;
    pairing.Encode(state);
    return state;
  };
  EXPECT_EQ(run(0), run(1));
  EXPECT_EQ(run(0), run(2));
}

TEST_F(PairingTest, WhatItKnowsGoesThroughBytesAndCutBytesAreRefused) {
  Say(Side::kStable, {.input = 5, .event_ms = 3'000});
  Say(Side::kCandidate, {.input = 6, .event_ms = 4'700});
  Both(10, 5'000);
  Say(Side::kStable, {.input = 15, .vehicle = CarOf(0, 3), .event_ms = 30'000});
  Both(20, 30'000);
  std::string state;
  pairing_->Encode(state);
  ByteReader in(state);
  const Pairing again = testing::Must(
      Pairing::Decode(in, {.rollout = testing::RolloutOfAll(), .lateness = Micros::Seconds(10)}));
  std::string same;
  again.Encode(same);
  EXPECT_EQ(same, state);
  EXPECT_EQ(again.DoneTo(kPartition), Offset{20});
  for (std::size_t size = 0; size < state.size(); ++size) {
    ByteReader cut(std::string_view(state).substr(0, size));
    EXPECT_FALSE(Pairing::Decode(cut, {}).ok()) << size;
  }
}

}  // namespace
}  // namespace telltale::gate
