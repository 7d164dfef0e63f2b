#include "publish/authority_map.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/test_rounds.h"
#include "publish/publish_testing.h"

namespace telltale::publish {
namespace {

Lanes At(std::uint64_t next) {
  Lanes lanes = FirstLanes(kReleaseA);
  Advance(lanes, kReleaseA, Offset{next});
  return lanes;
}

Wanted WithCandidate(std::uint32_t lots, const std::string& salt = "") {
  Wanted wanted{.seq = ConfigSeq{5}, .stable = kReleaseA};
  wanted.rollout = Rollout{.id = "prod-1",
                           .candidate = kReleaseB,
                           .order = {0, salt, {}, {}},
                           .shadow_lots = kLots,
                           .authority_lots = lots,
                           .warm_up = Micros{100},
                           .began = ConfigSeq{4}};
  return wanted;
}

Candidate Warm(std::uint64_t below, const Wanted& wanted) {
  Candidate candidate;
  NoteMark(candidate,
           {.below = Offset{below},
            .log_time = Micros{1100},
            .config_seq = ConfigSeq{4},
            .lots = kLots,
            .lots_since = Micros{1000}},
           *wanted.rollout);
  return candidate;
}

TEST(AuthorityMapTest, AFlipBeginsAtEachLanesOwnPlaceUnderOneNewEpoch) {
  Lanes lanes = At(10);
  ApplyFlip(lanes, {.lot_to = 100, .release = kReleaseB});
  Advance(lanes, kReleaseB, Offset{7});
  EXPECT_EQ(lanes.lanes[0].next, Offset{10}) << "a place never goes back";
  Advance(lanes, kReleaseA, Offset{30});
  ApplyFlip(lanes, {.lot_to = 200, .release = std::string(64, 'c')});
  ASSERT_EQ(lanes.lanes.size(), 3u);
  EXPECT_EQ(lanes.epoch, AuthorityEpoch{3});
  EXPECT_EQ(lanes.lanes[0].first, Offset{10});
  EXPECT_EQ(lanes.lanes[1].first, Offset{30});
  EXPECT_EQ(lanes.lanes[1].epoch, AuthorityEpoch{3});
  EXPECT_EQ(lanes.lanes[2].epoch, AuthorityEpoch{1});
}

TEST(AuthorityMapTest, AFlipToWhoHasItChangesNothing) {
  Lanes lanes = At(10);
  ApplyFlip(lanes, {.lot_to = 100, .release = kReleaseA});
  EXPECT_EQ(lanes, At(10));
}

TEST(AuthorityMapTest, NeighboursAtOnePlaceBecomeOneLaneUnderTheNewerEpoch) {
  Lanes lanes = At(10);
  ApplyFlip(lanes, {.lot_to = 100, .release = kReleaseB});
  ApplyFlip(lanes, {.lot_to = 100, .release = kReleaseA});
  Merge(lanes);
  ASSERT_TRUE(lanes.IsWhole());
  EXPECT_EQ(lanes.lanes[0].epoch, AuthorityEpoch{3});
  lanes = At(10);
  ApplyFlip(lanes, {.lot_to = 100, .release = kReleaseB});
  Advance(lanes, kReleaseA, Offset{20});
  ApplyFlip(lanes, {.lot_to = 100, .release = kReleaseA});
  Merge(lanes);
  EXPECT_EQ(lanes.lanes.size(), 2u) << "they are apart";
}

TEST(AuthorityMapTest, ForwardWaitsForAWarmCandidateAndSaysWhy) {
  const Wanted wanted = WithCandidate(100);
  EXPECT_EQ(Decide(At(10), wanted, {}).pending, kNoJournal);
  EXPECT_EQ(Decide(At(10), wanted, {.is_stopped = true}).pending, kJournalStopped);
  const Candidate candidate = Warm(10, wanted);
  const Decision decision = Decide(At(10), wanted, candidate);
  EXPECT_EQ(decision.pending, "");
  EXPECT_EQ(decision.flips, (std::vector<Flip>{{.lot_to = 100, .release = kReleaseB}}));
  EXPECT_EQ(Decide(At(9), wanted, candidate).pending, kWarming)
      << "what it said of offset 9 came out of cold state";
  for (const Mark cold : {Mark{Offset{10}, Micros{1099}, ConfigSeq{4}, kLots, Micros{1000}},
                          Mark{Offset{10}, Micros{1100}, ConfigSeq{3}, kLots, Micros{1000}},
                          Mark{Offset{10}, Micros{1100}, ConfigSeq{4}, 99, Micros{1000}},
                          Mark{Offset{10}, Micros{1100}, ConfigSeq{4}, 0, Micros{0}}}) {
    Candidate seen;
    NoteMark(seen, cold, *wanted.rollout);
    EXPECT_EQ(Decide(At(10), wanted, seen).pending, kWarming);
    EXPECT_TRUE(Decide(At(10), wanted, seen).flips.empty());
  }
}

TEST(AuthorityMapTest, BackIsAtOnceWhateverTheCandidateDoes) {
  const Lanes flipped = Apply(
      At(10), Decide(At(10), WithCandidate(100), Warm(5, WithCandidate(100))), WithCandidate(100));
  ASSERT_EQ(flipped.lanes.size(), 2u);
  const Wanted back{.seq = ConfigSeq{6}, .stable = kReleaseA};
  const Decision decision = Decide(flipped, back, {.is_stopped = true});
  EXPECT_EQ(decision.pending, "");
  EXPECT_TRUE(Apply(flipped, decision, back).IsWhole());
  // A smaller share gives back what is above it, and keeps the rest.
  const Wanted smaller = WithCandidate(40);
  EXPECT_EQ(Decide(flipped, smaller, {}).flips,
            (std::vector<Flip>{{.lot_from = 40, .lot_to = 100, .release = kReleaseA}}));
  EXPECT_EQ(Decide(flipped, smaller, {}).pending, "");
}

TEST(AuthorityMapTest, AReleaseThatNobodyWantsIsReplacedWhileTheCandidateWarms) {
  Lanes lanes = At(10);
  ApplyFlip(lanes, {.lot_to = 300, .release = std::string(64, 'c')});
  const Decision decision = Decide(lanes, WithCandidate(100), {});
  EXPECT_EQ(decision.pending, kNoJournal);
  EXPECT_EQ(decision.flips, (std::vector<Flip>{{.lot_to = 300, .release = kReleaseA}}));
}

TEST(AuthorityMapTest, AnotherOrderWaitsForWholeLanes) {
  const Wanted wanted = WithCandidate(100, "another");
  Lanes apart = At(10);
  ApplyFlip(apart, {.lot_to = 50, .release = kReleaseB});
  Advance(apart, kReleaseA, Offset{12});
  const Decision waits = Decide(apart, wanted, Warm(5, wanted));
  EXPECT_EQ(waits.pending, kLanesApart);
  Lanes back = Apply(apart, waits, wanted);
  EXPECT_EQ(back.order.salt, "");
  EXPECT_EQ(back.NextOf(kReleaseB), std::nullopt);
  Advance(back, kReleaseA, Offset{12});
  Merge(back);
  const Decision goes = Decide(back, wanted, Warm(5, wanted));
  EXPECT_TRUE(goes.takes_order);
  EXPECT_EQ(Apply(back, goes, wanted).order.salt, "another");
}

TEST(AuthorityMapTest, WhateverHappensTheLanesTileAndPlacesAndEpochsOnlyRise) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(50); ++seed) {
    SeededRandom random(seed);
    Lanes lanes = At(0);
    for (int step = 0; step < 200; ++step) {
      const Lanes before = lanes;
      const std::string release(64, static_cast<char>('a' + random.Below(3)));
      const auto from = static_cast<std::uint32_t>(random.Below(kLots));
      const auto to = from + 1 + static_cast<std::uint32_t>(random.Below(kLots - from));
      if (random.Below(2) == 0) ApplyFlip(lanes, {from, to, release});
      if (random.Below(2) == 0) Advance(lanes, release, Offset{random.Below(1000)});
      if (random.Below(2) == 0) Merge(lanes);
      std::uint32_t lot = 0;
      for (const Lane& lane : lanes.lanes) {
        ASSERT_EQ(lane.lot_from, lot);
        ASSERT_LT(lane.lot_from, lane.lot_to);
        ASSERT_LE(lane.first, lane.next);
        lot = lane.lot_to;
        for (const Lane& old : before.lanes) {
          if (old.lot_to <= lane.lot_from || old.lot_from >= lane.lot_to) continue;
          ASSERT_GE(lane.next, old.next);
          ASSERT_GE(lane.epoch, old.epoch);
        }
      }
      ASSERT_EQ(lot, kLots);
    }
  }
}

}  // namespace
}  // namespace telltale::publish
