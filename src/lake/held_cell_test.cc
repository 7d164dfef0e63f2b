#include "lake/held_cell.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/cell.h"

namespace telltale::lake {
namespace {

constexpr std::int64_t kMinute = 60'000'000;
constexpr std::int64_t kStart = 1'764'000'000'000'000 / kQuarterUs * kQuarterUs;

// Level 12 cells of one face: the k-th of them.
constexpr std::uint64_t Cell(std::uint64_t k) {
  return (std::uint64_t{3} << 61) | (k << 37) | (std::uint64_t{1} << 36);
}
constexpr std::uint64_t Coarse(std::uint64_t k) { return CellParent(Cell(k), kCoarseCellLevel); }
static_assert(CellLevel(Cell(7)) == kFinestCellLevel);

enum class Ignition { kOn, kOff, kSilent };

struct Step {
  std::int64_t minute;  // event time after kStart
  Ignition ignition;
  std::uint64_t cell;      // 0 = no place
  std::uint64_t expected;  // 0 = none
  std::uint32_t boot = 1;
};

std::uint64_t Apply(HeldCells& held, const Step& step) {
  HeldCells::Report report;
  report.boot = BootId{step.boot, 99};
  report.event_time = Micros{kStart + step.minute * kMinute};
  if (step.ignition != Ignition::kSilent) report.is_ignition_on = step.ignition == Ignition::kOn;
  report.cell = step.cell;
  return held.Apply(report);
}

struct Case {
  const char* promise;
  std::vector<Step> steps;
};

const auto kOn = Ignition::kOn;
const auto kOff = Ignition::kOff;
const auto kSilent = Ignition::kSilent;

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"ignition never told: coarse for ever",
       {{0, kSilent, Cell(1), Coarse(1)}, {100, kSilent, Cell(900), Coarse(900)}}},
      {"coarse within ten minutes of ignition on, the first cell's parent is held",
       {{0, kOn, Cell(1), Coarse(1)},
        {5, kOn, Cell(900), Coarse(1)},
        {10, kOn, Cell(900), Coarse(1)},
        {11, kOn, Cell(5), Cell(5)}}},
      {"the first cell outside the ignition rule is held for the quarter",
       {{0, kOn, 0, 0},
        {16, kOn, Cell(2), Cell(2)},
        {20, kOn, Cell(3), Cell(2)},
        {29, kOn, Cell(4), Cell(2)},
        {30, kOn, Cell(5), Cell(5)}}},
      {"a report without the ignition goes by the last one that had it",
       {{0, kOn, 0, 0}, {16, kSilent, Cell(2), Cell(2)}, {17, kSilent, Cell(3), Cell(2)}}},
      {"while off: coarse, and never the held cell",
       {{0, kOn, 0, 0},
        {16, kOff, Cell(600), Coarse(600)},
        {17, kOff, Cell(1), Coarse(600)},
        {31, kOff, Cell(1), Coarse(1)},
        {90, kSilent, Cell(2), Coarse(2)}}},
      {"a held quarter turns coarse when the ignition goes off, without telling its own cell",
       {{0, kOn, 0, 0},
        {16, kOn, Cell(600), Cell(600)},
        {18, kOff, Cell(1200), Coarse(600)},
        {19, kOn, Cell(1300), Coarse(600)},
        {29, kOn, Cell(1300), Coarse(600)},
        {30, kOn, Cell(1300), Cell(1300)}}},
      {"off and on again starts the ten minutes anew",
       {{0, kOn, 0, 0},
        {20, kOff, 0, 0},
        {21, kOn, 0, 0},
        {31, kOn, Cell(2), Coarse(2)},
        {32, kOn, Cell(2), Cell(2)}}},
  };
  return cases;
}

const std::vector<Case>& DoubtfulCases() {
  static const std::vector<Case> cases = {
      {"another boot counts as ignition on: the off between may be lost",
       {{0, kOn, 0, 0, 1},
        {20, kOn, Cell(1), Cell(1), 1},
        {60, kOn, Cell(2), Coarse(2), 2},
        {70, kOn, Cell(3), Coarse(2), 2},
        {71, kOn, Cell(3), Cell(3), 2}}},
      {"another boot that does not tell the ignition stays coarse",
       {{0, kOn, 0, 0, 1}, {20, kSilent, Cell(1), Coarse(1), 2}}},
      {"a late report from before this ignition on is coarse",
       {{0, kOn, 0, 0},
        {30, kOff, 0, 0},
        {60, kOn, 0, 0},
        {15, kOn, Cell(1), Coarse(1)},
        {75, kOn, Cell(2), Cell(2)}}},
      {"a late report inside this drive may be fine",
       {{0, kOn, 0, 0}, {60, kOn, Cell(9), Cell(9)}, {32, kOn, Cell(2), Cell(2)}}},
      {"a late off inside the drive makes the ten minutes start at the newest sighting",
       {{0, kOn, 0, 0},
        {60, kOn, Cell(9), Cell(9)},
        {40, kOff, Cell(600), Coarse(600)},
        {61, kOn, Cell(9), Coarse(9)},
        {76, kOn, Cell(8), Cell(8)}}},
      {"eight quarters are kept: an older one gets the coarse cell, nothing is held for it",
       {{0, kOn, 0, 0},
        {15, kOn, Cell(1), Cell(1)},
        {30, kOn, Cell(2), Cell(2)},
        {45, kOn, Cell(3), Cell(3)},
        {60, kOn, Cell(4), Cell(4)},
        {75, kOn, Cell(5), Cell(5)},
        {90, kOn, Cell(6), Cell(6)},
        {105, kOn, Cell(7), Cell(7)},
        {120, kOn, Cell(8), Cell(8)},
        {16, kOn, Cell(700), Cell(1)},
        {135, kOn, Cell(9), Cell(9)},
        {17, kOn, Cell(700), Coarse(700)},
        {31, kOn, Cell(700), Cell(2)},
        {14, kOn, Cell(900), Coarse(900)}}},
  };
  return cases;
}

std::vector<Case> AllCases() {
  std::vector<Case> all = Cases();
  all.insert(all.end(), DoubtfulCases().begin(), DoubtfulCases().end());
  return all;
}

TEST(HeldCellTest, EveryCaseOfTheDesign) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.promise);
    HeldCells held;
    for (std::size_t i = 0; i < c.steps.size(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      const std::uint64_t cell = Apply(held, c.steps[i]);
      EXPECT_EQ(cell, c.steps[i].expected);
      EXPECT_TRUE(cell == 0 || IsCoarseEnough(cell));
    }
  }
}

TEST(HeldCellTest, TheAnswersAreTheSameAfterEveryRestart) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.promise);
    HeldCells held;
    for (const Step& step : c.steps) {
      std::string bytes;
      held.Encode(bytes);
      ByteReader in(bytes);
      HeldCells again;
      ASSERT_TRUE(HeldCells::Decode(in, again));
      EXPECT_EQ(in.remaining(), 0u);
      held = again;
      EXPECT_EQ(Apply(held, step), step.expected);
    }
  }
}

TEST(HeldCellTest, WhatLiesBeyondTheHorizonIsCoarseAndLeavesNoTrace) {
  HeldCells held;
  Apply(held, {0, kOn, 0, 0});
  HeldCells::Report old;
  old.boot = BootId{1, 99};
  old.event_time = Micros{kStart + 16 * kMinute};
  old.is_ignition_on = true;
  old.cell = Cell(4);
  old.is_past_horizon = true;
  EXPECT_EQ(held.Apply(old), Coarse(4));
  EXPECT_EQ(Apply(held, {17, kOn, Cell(900), 0}), Cell(900));
}

TEST(HeldCellTest, ACoarserDoorStaysAsCoarseAsItIs) {
  HeldCells held;
  const std::uint64_t level7 = CellParent(Cell(1), 7);
  EXPECT_EQ(Apply(held, {0, kOff, level7, 0}), level7);
}

TEST(HeldCellTest, CutBytesAreRefused) {
  HeldCells held;
  Apply(held, {0, kOn, Cell(1), 0});
  std::string bytes;
  held.Encode(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader in(std::string_view(bytes).substr(0, size));
    HeldCells out;
    EXPECT_FALSE(HeldCells::Decode(in, out)) << size;
  }
}

}  // namespace
}  // namespace telltale::lake
