// Holds and erasures: what is kept beyond its hour, what goes before it, and which outranks which.
#include <algorithm>

#include "seal/seal.h"
#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

using HeldEntries = std::vector<std::pair<std::uint64_t, std::string>>;

class HoldTest : public VaultTest {
 protected:
  void Store3(const OpenedVault& store) {
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 1, .seq = 1, .fields = "held"})).ok());
    ASSERT_TRUE(store
                    ->Put(FrameOf({.vehicle = 1,
                                   .seq = 2,
                                   .event_time = kNow - Micros{2 * kHourUs},
                                   .fields = "before the interval"}))
                    .ok());
    ASSERT_TRUE(store->Put(FrameOf({.vehicle = 5, .seq = 3, .fields = "neighbour"})).ok());
    ASSERT_TRUE(store->Commit({}).ok());
  }
  Hold HoldOf(std::uint8_t vehicle) {
    Hold hold;
    hold.basis = "litigation";
    hold.case_id = "C-1";
    hold.vehicles = {VehicleOf(vehicle)};
    hold.from = kNow - Micros{kHourUs};
    hold.to = kNow + Micros{10 * kDay};
    hold.review_at = kNow + Micros{90 * kDay};
    return hold;
  }
  void WorkAll(const OpenedVault& store) {
    for (bool more = true; more;) {
      const auto worked = store->Work();
      ASSERT_TRUE(worked.ok()) << worked.error().ToString();
      more = *worked;
    }
  }
};

TEST_F(HoldTest, WhatIsHeldOutlivesItsHourAndItsNeighboursDoNot) {
  const auto store = OpenStore();
  Store3(store);
  const auto number = store->PlaceHold(HoldOf(1));
  ASSERT_TRUE(number.ok());
  WorkAll(store);
  ASSERT_TRUE(store->Put(FrameOf({.vehicle = 1, .seq = 4, .fields = "came later"})).ok());
  ASSERT_TRUE(store->Commit({}).ok());
  clock_.Advance(kWindow + Micros{kHourUs});
  ASSERT_TRUE(store->Expire().ok());
  EXPECT_TRUE(EntriesOf(*store, 1).empty()) << "not by the ordinary way";
  EXPECT_TRUE(EntriesOf(*store, 5).empty());
  EXPECT_EQ(EntriesOf(*store, 1, FrameClass::kData, *number),
            (HeldEntries{{1, "held"}, {4, "came later"}}));
  ASSERT_TRUE(store->LiftHold(*number).ok());
  EXPECT_TRUE(EntriesOf(*store, 1, FrameClass::kData, *number).empty());
  EXPECT_EQ(FilesWith(disk_, "/vault/segments", ""), 0);
  EXPECT_EQ(store->LiftHold(*number).error().code, Code::kNotFound);
}

TEST_F(HoldTest, AnErasedVehicleIsGoneAndItsNeighboursAreNot) {
  const auto store = OpenStore();
  Store3(store);
  const auto state = store->EraseVehicle("job-1", VehicleOf(1));
  ASSERT_TRUE(state.ok());
  EXPECT_TRUE(state->keys_destroyed);
  EXPECT_FALSE(state->files_done);
  EXPECT_TRUE(EntriesOf(*store, 1).empty()) << "at once";
  WorkAll(store);
  EXPECT_TRUE(store->EraseVehicle("job-1", VehicleOf(1))->files_done);
  EXPECT_EQ(EntriesOf(*store, 5), (HeldEntries{{3, "neighbour"}}));
  const std::string ref(AsText(VehicleOf(1).bytes));
  EXPECT_EQ(FilesWith(disk_, "/vault", ref), 0) << "nowhere, not in a free page either";
  EXPECT_EQ(*store->Put(FrameOf({.vehicle = 1, .seq = 9})), Outcome::kErasedVehicle);
}

TEST_F(HoldTest, ErasingIsFinishedAfterARestart) {
  {
    const auto store = OpenStore();
    Store3(store);
    ASSERT_TRUE(store->EraseVehicle("job-1", VehicleOf(1)).ok());
  }
  const auto store = OpenStore();
  WorkAll(store);
  EXPECT_TRUE(store->EraseVehicle("job-1", VehicleOf(1))->files_done);
  EXPECT_EQ(EntriesOf(*store, 5).size(), 1u);
  EXPECT_EQ(FilesWith(disk_, "/vault/segments", std::string(AsText(VehicleOf(1).bytes))), 0);
}

TEST_F(HoldTest, AHoldOutranksAnErasureWhichGoesOnWhenItIsLifted) {
  const auto store = OpenStore();
  Store3(store);
  const auto number = store->PlaceHold(HoldOf(1));
  ASSERT_TRUE(number.ok());
  const auto state = store->EraseVehicle("job-1", VehicleOf(1));
  ASSERT_TRUE(state.ok());
  EXPECT_TRUE(state->is_held) << "although the hold was not copied yet";
  WorkAll(store);
  EXPECT_TRUE(EntriesOf(*store, 1).empty());
  EXPECT_EQ(EntriesOf(*store, 1, FrameClass::kData, *number), (HeldEntries{{1, "held"}}));
  ASSERT_TRUE(store->LiftHold(*number).ok());
  const auto after = store->EraseVehicle("job-1", VehicleOf(1));
  EXPECT_FALSE(after->is_held);
  EXPECT_TRUE(after->files_done);
  EXPECT_TRUE(EntriesOf(*store, 1, FrameClass::kData, *number).empty());
  const VehicleRef erased = VehicleOf(1);
  EXPECT_EQ(FilesWith(disk_, "/vault", std::string(AsText(erased.bytes))), 0)
      << "nor does the lifted hold name it";
}

// kill -9 and power cut at every step of hold, erase and lift.
TEST_F(HoldTest, EveryStepFinishesItselfWhereverThePowerFails) {
  bool finished = false;
  for (std::uint64_t calls = 0; !finished; calls += calls < 40 ? 1 : 7) {
    ASSERT_LT(calls, 3000u);
    SimDisk disk;
    store::DiskVfs vfs(disk);
    ManualClock clock(kNow);
    SeededRandom random(calls + 1);
    Counters counters;
    ASSERT_TRUE(disk.MakeFolders("/vault", 0700).ok());
    const auto open = [&] { return OpenVault(disk, clock, random, counters, vfs); };
    const auto run = [&](const OpenedVault& vault) -> Status {
      ASSIGN_OR_RETURN(const std::uint64_t number, vault->PlaceHold(HoldOf(1)));
      ASSIGN_OR_RETURN(bool more, vault->Work());
      RETURN_IF_ERROR(vault->EraseVehicle("job", VehicleOf(1)));
      while (more) {
        ASSIGN_OR_RETURN(more, vault->Work());
      }
      return vault->LiftHold(number);
    };
    {
      auto vault = open();
      ASSERT_TRUE(vault.ok());
      Store3(*vault);
      disk.FailAfter(calls);
      finished = run(*vault).ok();
    }
    disk.FailNever();
    disk.Crash(calls);
    auto vault = open();
    ASSERT_TRUE(vault.ok()) << calls << ": " << vault.error().ToString();
    EXPECT_EQ(EntriesOf(**vault, 5), (HeldEntries{{3, "neighbour"}})) << calls;
    // What was begun is finished by saying it again.
    ASSERT_TRUE((*vault)->EraseVehicle("job", VehicleOf(1)).ok()) << calls;
    WorkAll(*vault);
    std::vector<std::uint64_t> numbers;
    for (const Hold& hold : (*vault)->holds()) numbers.push_back(hold.number);
    for (const std::uint64_t number : numbers) ASSERT_TRUE((*vault)->LiftHold(number).ok());
    ASSERT_TRUE((*vault)->EraseVehicle("job", VehicleOf(1)).ok()) << calls;
    WorkAll(*vault);
    EXPECT_TRUE(EntriesOf(**vault, 1).empty()) << calls;
    EXPECT_EQ(EntriesOf(**vault, 5), (HeldEntries{{3, "neighbour"}})) << calls;
    EXPECT_EQ(FilesWith(disk, "/vault", std::string(AsText(VehicleOf(1).bytes))), 0) << calls;
    EXPECT_EQ((*vault)->audit().problem(), "") << calls;
  }
}

}  // namespace
}  // namespace telltale::vault
