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
static_assert(Coarse(1) != Coarse(100) && Coarse(100) != Coarse(900));

struct Step {
  std::int64_t minute;     // event time after kStart
  std::uint64_t cell;      // 0 = no place
  std::uint64_t expected;  // 0 = none
};

std::uint64_t Apply(HeldCells& held, const Step& step) {
  return held.Apply({Micros{kStart + step.minute * kMinute}, step.cell, false});
}

struct Case {
  const char* promise;
  std::vector<Step> steps;
};

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"level 9 at every hour of a drive, and of the first report in a quarter hour",
       {{0, Cell(1), Coarse(1)},
        {5, Cell(900), Coarse(1)},
        {14, Cell(100), Coarse(1)},
        {15, Cell(100), Coarse(100)},
        {29, Cell(1), Coarse(100)},
        {100, Cell(900), Coarse(900)}}},
      {"a report without a place tells none, and holds none",
       {{0, 0, 0}, {1, Cell(100), Coarse(100)}, {2, 0, 0}}},
      {"a late report gets what its quarter hour holds",
       {{0, Cell(1), Coarse(1)}, {60, Cell(900), Coarse(900)}, {7, Cell(100), Coarse(1)}}},
      {"eight quarters are kept: nothing is held for an older one",
       {{0, Cell(1), Coarse(1)},
        {15, Cell(100), Coarse(100)},
        {30, Cell(200), Coarse(200)},
        {45, Cell(300), Coarse(300)},
        {60, Cell(400), Coarse(400)},
        {75, Cell(500), Coarse(500)},
        {90, Cell(600), Coarse(600)},
        {105, Cell(700), Coarse(700)},
        {1, Cell(800), Coarse(1)},
        {120, Cell(800), Coarse(800)},
        {2, Cell(900), Coarse(900)},
        {16, Cell(900), Coarse(100)}}},
  };
  return cases;
}

TEST(HeldCellTest, EveryCase) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.promise);
    HeldCells held;
    for (std::size_t i = 0; i < c.steps.size(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      const std::uint64_t cell = Apply(held, c.steps[i]);
      EXPECT_EQ(cell, c.steps[i].expected);
      EXPECT_TRUE(cell == 0 || CellLevel(cell) <= kCoarseCellLevel);
    }
  }
}

TEST(HeldCellTest, TheAnswersAreTheSameAfterEveryRestart) {
  for (const Case& c : Cases()) {
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

TEST(HeldCellTest, AStateThatHeldLevel12CellsIsReadAndItsCoarseCellsGoOn) {
  std::string bytes;
  PutLe(bytes, std::uint8_t{1});
  PutLe(bytes, kStart / kQuarterUs);
  PutLe(bytes, Coarse(1));
  PutLe(bytes, Cell(1));           // was told to rows outside the rule around ignition
  PutLe(bytes, std::uint8_t{3});   // ignition known, and on
  PutLe(bytes, std::uint32_t{7});  // in this boot
  PutLe(bytes, std::uint64_t{9});
  PutLe(bytes, kStart);
  PutLe(bytes, kStart);
  ByteReader in(bytes);
  HeldCells held;
  ASSERT_TRUE(HeldCells::Decode(in, held));
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_EQ(Apply(held, {3, Cell(900), 0}), Coarse(1));
}

TEST(HeldCellTest, WhatLiesBeyondTheHorizonLeavesNoTrace) {
  HeldCells held;
  EXPECT_EQ(held.Apply({Micros{kStart}, Cell(400), true}), Coarse(400));
  EXPECT_EQ(Apply(held, {1, Cell(900), 0}), Coarse(900));
}

TEST(HeldCellTest, ACoarserDoorStaysAsCoarseAsItIs) {
  HeldCells held;
  const std::uint64_t level7 = CellParent(Cell(1), 7);
  EXPECT_EQ(Apply(held, {0, level7, 0}), level7);
}

TEST(HeldCellTest, CutBytesAndFineCellsAreRefused) {
  HeldCells held;
  Apply(held, {0, Cell(1), 0});
  std::string bytes;
  held.Encode(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader in(std::string_view(bytes).substr(0, size));
    HeldCells out;
    EXPECT_FALSE(HeldCells::Decode(in, out)) << size;
  }
  bytes = bytes.substr(0, 9);
  PutLe(bytes, Cell(1));
  bytes.append(64, '\0');
  ByteReader in(bytes);
  HeldCells out;
  EXPECT_FALSE(HeldCells::Decode(in, out));
}

}  // namespace
}  // namespace telltale::lake
