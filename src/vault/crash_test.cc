// Power cuts at every step of storing and of destroying: what comes back finishes itself.
#include <algorithm>

#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

constexpr std::uint64_t kRecords = 12;

// A stream of kRecords frames; the position is the number of the next one. Reads on from where the
// store says, commits every third, until all are stored or the disk fails.
Status Drain(Store& store) {
  const auto& positions = store.positions();
  std::uint64_t next = positions.empty() || positions[0].empty() ? 0 : std::stoull(positions[0]);
  while (next < kRecords) {
    RETURN_IF_ERROR(
        store.Put(FrameOf({.seq = next, .fields = LatitudeWire(static_cast<double>(next))})));
    ++next;
    if (next % 3 == 0) RETURN_IF_ERROR(store.Commit({std::to_string(next)}));
  }
  return Ok();
}

struct World {
  World() { EXPECT_TRUE(disk.MakeFolders("/vault").ok()); }
  Result<OpenedVault> Open() { return OpenVault(disk, clock, random, counters, vfs); }
  std::vector<std::uint64_t> Seqs(const Store& store) {
    std::vector<std::uint64_t> seqs;
    for (const auto& [seq, fields] : EntriesOf(store, 1)) seqs.push_back(seq);
    std::sort(seqs.begin(), seqs.end());
    return seqs;
  }

  SimDisk disk;
  store::DiskVfs vfs{disk};
  ManualClock clock{kNow};
  SeededRandom random{5};
  Counters counters;
};

TEST(CrashTest, AFrameIsNeitherLostNorDoubledWhereverThePowerFails) {
  std::vector<std::uint64_t> all(kRecords);
  for (std::uint64_t i = 0; i < kRecords; ++i) all[i] = i;
  bool survived_whole = false;
  for (std::uint64_t calls = 0; !survived_whole; ++calls) {
    ASSERT_LT(calls, 3000u);
    World world;
    world.disk.FailAfter(calls);
    {
      auto store = world.Open();
      survived_whole = store.ok() && Drain(**store).ok();
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    auto store = world.Open();
    ASSERT_TRUE(store.ok()) << calls << ": " << store.error().ToString();
    ASSERT_TRUE(Drain(**store).ok()) << calls;
    EXPECT_EQ(world.Seqs(**store), all) << "power cut after " << calls << " calls";
    EXPECT_EQ((*store)->audit().problem(), "") << calls;
  }
}

TEST(CrashTest, AStoreThatFailedOnceGoesOnAfterRollingBack) {
  std::vector<std::uint64_t> all(kRecords);
  for (std::uint64_t i = 0; i < kRecords; ++i) all[i] = i;
  for (std::uint64_t calls = 0; calls < 60; ++calls) {
    World world;
    auto store = world.Open();
    ASSERT_TRUE(store.ok());
    world.disk.FailAfter(calls);
    const bool failed = !Drain(**store).ok();
    world.disk.FailNever();
    if (failed) {
      (*store)->Rollback();
      ASSERT_TRUE(Drain(**store).ok()) << calls;
    }
    EXPECT_EQ(world.Seqs(**store), all) << calls;
  }
}

TEST(CrashTest, ADestructionIsFinishedWhereverThePowerFails) {
  const HourKeyId id{RetentionClass::kPosition, HourOf(kNow)};
  bool finished = false;
  for (std::uint64_t calls = 0; !finished; ++calls) {
    ASSERT_LT(calls, 2000u);
    World world;
    {
      auto store = world.Open();
      ASSERT_TRUE(store.ok());
      ASSERT_TRUE(Drain(**store).ok());
      world.clock.Advance(kWindow);
      world.disk.FailAfter(calls);
      finished = (*store)->Expire().ok();
      EXPECT_TRUE(world.Seqs(**store).empty()) << "shut at once, whatever the disk does";
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    auto store = world.Open();
    ASSERT_TRUE(store.ok()) << calls;
    ASSERT_TRUE((*store)->Expire().ok());
    EXPECT_TRUE(world.Seqs(**store).empty());
    seal::SecretKey key;
    EXPECT_FALSE(store->folder().keys().CopyHour(id, key).ok()) << calls;
    EXPECT_FALSE(store->folder().keys().destruction_pending()) << calls;
    EXPECT_EQ(FilesWith(world.disk, "/vault/segments", ""), 0) << calls;
    int receipts = 0;
    ASSERT_TRUE((*store)
                    ->audit()
                    .List(1, 100,
                          [&](std::string_view line) {
                            receipts += line.find("\"destroyed\"") != line.npos ? 1 : 0;
                          })
                    .ok());
    EXPECT_GE(receipts, 1) << calls;
  }
}

TEST(CrashTest, AFullDiskDoesNotKeepAnExpiredKeyOrItsFiles) {
  World world;
  auto store = world.Open();
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE(Drain(**store).ok());
  world.disk.SetCapacity(1);
  world.clock.Advance(kWindow);
  EXPECT_FALSE((*store)->Expire().ok()) << "the receipt could not be written";
  seal::SecretKey key;
  EXPECT_FALSE(
      store->folder().keys().CopyHour({RetentionClass::kPosition, HourOf(kNow)}, key).ok());
  EXPECT_EQ(FilesWith(world.disk, "/vault/segments", ""), 0);
  world.disk.SetCapacity(1u << 30);
  EXPECT_TRUE((*store)->Expire().ok());
  EXPECT_FALSE(store->folder().keys().destruction_pending());
}

}  // namespace
}  // namespace telltale::vault
