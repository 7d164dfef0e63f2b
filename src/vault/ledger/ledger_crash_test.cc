// Power cuts at every step of the ledger's work: what was answered is there, what is there was
// asked for.
#include <map>

#include "base/random.h"
#include "base/test_rounds.h"
#include "vault/ledger/ledger_testing.h"

namespace telltale::vault {
namespace {

constexpr std::uint32_t kSteps = 14;

// Does step after step until one fails; how many were answered ok.
std::uint32_t Work(LedgerWorld& world, std::uint32_t from) {
  for (std::uint32_t step = from; step < kSteps; ++step) {
    const HourKeyId id = PositionHour(step % 4);
    bool ok = false;
    if (step % 5 == 4) {
      ok = world.ledger->Fold(AtHour(step)).ok();
    } else if (step == 8) {
      ok = world.ledger->MarkDropped(std::vector{PositionHour(0)}, AtHour(step), 5).ok();
    } else if (step == 10) {
      ok = world.ledger->MarkErased(std::vector{Ordinal{1}}, AtHour(step)).ok();
    } else if (step == 11) {
      OrdinalSet held;
      held.Add(Ordinal{2});
      ok = world.ledger->MarkHeld(3, PositionHour(2), held, AtHour(step)).ok();
    } else {
      ok = world.ledger->Note(id, Ordinal{step}, 1, AtHour(step)).ok() &&
           world.ledger->Commit().ok();
    }
    if (!ok) return step;
  }
  return kSteps;
}

// What the steps [0, done) left must be there.
void Check(const LedgerWorld& world, std::uint32_t done, const std::string& where) {
  const LedgerView view = world.ledger->View();
  EXPECT_TRUE(view.damaged.empty()) << where << view.damaged.at(0);
  for (std::uint32_t step = 0; step < done; ++step) {
    const HourKeyId id = PositionHour(step % 4);
    if (step % 5 == 4) continue;
    if (step == 8) {
      ASSERT_NE(view.Find(PositionHour(0)), nullptr) << where;
      EXPECT_TRUE(view.Find(PositionHour(0))->lives[0].dropped) << where;
    } else if (step == 10) {
      EXPECT_EQ(view.erasures.size(), 1u) << where;
    } else if (step == 11) {
      EXPECT_TRUE(view.holds.contains(3)) << where;
    } else {
      const auto vehicles = view.vehicles(id);
      ASSERT_TRUE(vehicles.ok()) << where << vehicles.error().ToString();
      EXPECT_TRUE(vehicles->Contains(Ordinal{step})) << where << " step " << step;
      ASSERT_NE(view.Find(id), nullptr);
      EXPECT_EQ(view.Find(id)->vehicles, vehicles->size()) << where;
    }
  }
}

TEST(LedgerCrashTest, WhatWasAnsweredSurvivesAPowerCutAtEveryWrite) {
  bool finished = false;
  for (std::uint64_t calls = 0; !finished; ++calls) {
    ASSERT_LT(calls, 2000u);
    for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(3); ++seed) {
      LedgerWorld world;
      world.disk.FailAfter(calls);
      std::uint32_t done = 0;
      if (world.Open().ok()) done = Work(world, 0);
      finished = done == kSteps;
      world.ledger.reset();
      world.disk.FailNever();
      world.disk.Crash(calls * 31 + seed);
      const std::string where = "calls " + std::to_string(calls) + " seed " + std::to_string(seed);
      const Status opened = world.Open();
      ASSERT_TRUE(opened.ok()) << where << opened.error().ToString();
      Check(world, done, where);
      ASSERT_EQ(Work(world, done), kSteps) << where;
      Check(world, kSteps, where);
    }
  }
}

TEST(LedgerCrashTest, ALedgerThatFailedGoesOnWithoutBeingOpenedAgain) {
  for (std::uint64_t calls = 0; calls < 200; ++calls) {
    LedgerWorld world;
    world.MustOpen();
    world.disk.FailAfter(calls);
    const std::uint32_t done = Work(world, 0);
    world.disk.FailNever();
    const std::string where = "calls " + std::to_string(calls);
    ASSERT_EQ(Work(world, done), kSteps) << where;
    Check(world, kSteps, where);
    world.ledger.reset();
    world.disk.Crash(calls);
    ASSERT_TRUE(world.Open().ok()) << where;
    Check(world, kSteps, where);
  }
}

// A year of small steps against plain maps, with folds, power cuts and openings in between.
TEST(LedgerCrashTest, RandomOperationsAgreeWithASimpleModel) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(12); ++seed) {
    SeededRandom random(seed);
    LedgerWorld world(2048, 4);
    world.MustOpen();
    std::map<HourKeyId, std::set<std::uint32_t>> model;
    std::map<HourKeyId, std::uint64_t> frames;
    std::map<HourKeyId, bool> dropped;
    std::set<std::uint32_t> erased;
    for (std::int64_t step = 0; step < 300; ++step) {
      const Micros now = AtHour(step / 10, step);
      const HourKeyId id{
          random.Below(4) == 0 ? RetentionClass::kUnknown : RetentionClass::kPosition,
          Hour{kFirstHour.value + static_cast<std::int64_t>(random.Below(12))}};
      const auto ordinal = static_cast<std::uint32_t>(random.Below(50));
      const std::uint64_t what = random.Below(20);
      if (what < 13) {
        const bool commit = random.Below(4) != 0;
        ASSERT_TRUE(world.ledger->Note(id, Ordinal{ordinal}, 2, now).ok());
        if (commit) {
          ASSERT_TRUE(world.ledger->Commit().ok());
          model[id].insert(ordinal);
          frames[id] += 2;
          dropped[id] = false;
        } else {
          world.ledger->Rollback();
        }
      } else if (what < 15) {
        ASSERT_TRUE(world.ledger->MarkDropped(std::vector{id}, now, 1).ok());
        if (model.contains(id)) dropped[id] = true;
      } else if (what < 16) {
        ASSERT_TRUE(world.ledger->MarkErased(std::vector{Ordinal{ordinal}}, now).ok());
        erased.insert(ordinal);
      } else if (what < 18) {
        ASSERT_TRUE(world.ledger->Fold(now).ok());
      } else {
        world.ledger.reset();
        world.disk.Crash(seed * 1000 + static_cast<std::uint64_t>(step));
        ASSERT_TRUE(world.Open(now).ok());
      }
    }
    const LedgerView view = world.ledger->View();
    ASSERT_TRUE(view.damaged.empty());
    ASSERT_EQ(view.hours.size(), model.size());
    for (const HourState& hour : view.hours) {
      const auto& expected = model.at(hour.id);
      EXPECT_EQ(world.Vehicles(hour.id), std::vector(expected.begin(), expected.end())) << seed;
      EXPECT_EQ(hour.vehicles, expected.size());
      EXPECT_EQ(hour.live(), !dropped.at(hour.id));
      std::uint64_t counted = 0;
      for (const Life& life : hour.lives) counted += life.frames;
      EXPECT_EQ(counted, frames.at(hour.id));
    }
    EXPECT_EQ(view.ErasedBy(kNever).First(99), std::vector(erased.begin(), erased.end()));
  }
}

}  // namespace
}  // namespace telltale::vault
