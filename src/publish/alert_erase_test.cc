#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "publish/alert_store.h"
#include "publish/publish_testing.h"
#include "store/disk_vfs.h"

namespace telltale::publish {
namespace {

const std::string kDatabase = "/publish/alerts.db";
const std::string kList = "/erased/list";

VehicleRef RefOf(char n) {
  VehicleRef ref;
  ref.bytes.fill(static_cast<std::uint8_t>(n));
  return ref;
}

internal::v1::JournalEntry::Output OutputOf(char vehicle, std::uint64_t offset,
                                            std::uint32_t revision = 1) {
  auto output = MakeOutput(0, offset, static_cast<char>('a' + offset % 26), revision);
  output.mutable_alert()->set_vehicle_ref(std::string(16, vehicle));
  return output;
}

Commitment Of(std::uint64_t next, std::vector<internal::v1::JournalEntry::Output> outputs) {
  Commitment commitment{.release = kReleaseA,
                        .expected = {},
                        .parts = {},
                        .publish_time = Micros{1'700'000'000'700'000}};
  commitment.expected[PartitionId{0}] = AuthorityEpoch{1};
  commitment.parts[PartitionId{0}] = {.next = Offset{next}, .outputs = std::move(outputs)};
  return commitment;
}

// An alert store on a simulated disk with alerts of the vehicles 'A' and 'B'.
struct World {
  World() {
    EXPECT_TRUE(disk.MakeFolders("/publish").ok());
    EXPECT_TRUE(disk.MakeFolders("/erased").ok());
  }
  AlertStore Open() { return Must(AlertStore::Open(kDatabase, &vfs)); }
  void Fill(AlertStore& store) {
    ASSERT_TRUE(store.InstallAuthority(kReleaseA, 1).ok());
    std::vector<internal::v1::JournalEntry::Output> outputs;
    for (std::uint64_t n = 0; n < 20; ++n) outputs.push_back(OutputOf(n % 2 == 0 ? 'A' : 'B', n));
    ASSERT_TRUE(store.Commit(Of(20, outputs)).ok());
    // New versions of the same alerts, so that pages hold what was replaced.
    outputs.clear();
    for (std::uint64_t n = 0; n < 10; ++n) {
      outputs.push_back(OutputOf(n % 2 == 0 ? 'A' : 'B', 26 + n, 2));
    }
    ASSERT_TRUE(store.Commit(Of(36, outputs)).ok());
  }
  // In the database, its log, or any other file of the folder.
  bool IsAnywhere(const std::string& text) {
    const std::vector<std::string> names = Must(disk.List("/publish"));
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return Must(ReadWholeFile(disk, "/publish/" + name)).find(text) != std::string::npos;
    });
  }

  SimDisk disk;
  store::DiskVfs vfs{disk};
};

TEST(AlertEraseTest, NoByteOfAnErasedVehicleStaysAndItsNeighboursStayWhole) {
  World world;
  AlertStore store = world.Open();
  world.Fill(store);
  const auto of_b = Must(store.AlertsOf(RefOf('B')));
  ASSERT_EQ(of_b.size(), 10u);
  ASSERT_TRUE(world.IsAnywhere(RefOf('A').ToHex()));

  const VehicleErased counted = Must(store.CountVehicle(RefOf('A')));
  const VehicleErased erased = Must(store.EraseVehicle(RefOf('A')));
  EXPECT_EQ(erased.alerts, 10u);
  EXPECT_EQ(erased.changes, 15u);
  EXPECT_EQ(counted.alerts, erased.alerts);
  EXPECT_EQ(counted.changes, erased.changes);
  EXPECT_FALSE(world.IsAnywhere(RefOf('A').ToHex()));
  EXPECT_TRUE(world.IsAnywhere(RefOf('B').ToHex()));
  EXPECT_EQ(Must(store.AlertsOf(RefOf('B'))), of_b);
  EXPECT_EQ(Must(store.EraseVehicle(RefOf('A'))).changes, 0u);
}

TEST(AlertEraseTest, AFollowerOfTheFeedGoesOnAcrossTheGap) {
  World world;
  AlertStore store = world.Open();
  ASSERT_TRUE(store.InstallAuthority(kReleaseA, 1).ok());
  Must(store.Commit(Of(2, {OutputOf('B', 0), OutputOf('A', 1)})));
  Must(store.EraseVehicle(RefOf('A')));
  // A follower has seen number 2, which is gone; who starts now starts behind it as well.
  EXPECT_EQ(Must(store.NewestChange()), 2u);
  EXPECT_TRUE(Must(store.ChangesAfter(2, 1u << 20)).empty());
  Must(store.Commit(Of(3, {OutputOf('B', 2)})));
  const auto next = Must(store.ChangesAfter(2, 1u << 20));
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].number, 3u);
  EXPECT_EQ(Must(store.ChangesAfter(0, 1u << 20)).size(), 2u);
}

TEST(AlertEraseTest, WhatComesAfterTheListIsNotPublished) {
  World world;
  AlertStore store = world.Open();
  ASSERT_TRUE(store.InstallAuthority(kReleaseA, 1).ok());
  ErasureList list(world.disk, kList);
  Commitment commitment = Of(2, {OutputOf('A', 0), OutputOf('B', 1)});
  commitment.erased = &list;
  ASSERT_TRUE(AppendErasure(world.disk, kList, RefOf('A')).ok());
  const Committed done = Must(store.Commit(commitment));
  EXPECT_EQ(done.erased, 1u);
  EXPECT_EQ(done.opened, 1u);
  EXPECT_FALSE(world.IsAnywhere(RefOf('A').ToHex()));
  EXPECT_EQ(Must(store.ReadPositions())[PartitionId{0}], Offset{2});
}

TEST(AlertEraseTest, WithAListThatCannotBeReadNothingIsPublishedAndItIsTriedAgain) {
  World world;
  AlertStore store = world.Open();
  ASSERT_TRUE(store.InstallAuthority(kReleaseA, 1).ok());
  ASSERT_TRUE(WriteFileDurably(world.disk, kList, "no such list\n").ok());
  ErasureList list(world.disk, kList);
  Commitment commitment = Of(1, {OutputOf('A', 0)});
  commitment.erased = &list;
  EXPECT_EQ(store.Commit(commitment).error().code, Code::kUnavailable);
  EXPECT_EQ(Must(store.NewestChange()), 0u);
}

TEST(AlertEraseTest, APowerCutAtAnyWriteIsMendedByAskingAgain) {
  bool is_through = false;
  for (std::uint64_t calls = 0; !is_through; ++calls) {
    ASSERT_LT(calls, 500u);
    World world;
    {
      AlertStore store = world.Open();
      world.Fill(store);
      world.disk.FailAfter(calls);
      is_through = store.EraseVehicle(RefOf('A')).ok();
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    AlertStore store = world.Open();
    ASSERT_TRUE(store.EraseVehicle(RefOf('A')).ok()) << calls;
    EXPECT_FALSE(world.IsAnywhere(RefOf('A').ToHex())) << calls;
    EXPECT_EQ(Must(store.AlertsOf(RefOf('B'))).size(), 10u) << calls;
  }
}

}  // namespace
}  // namespace telltale::publish
