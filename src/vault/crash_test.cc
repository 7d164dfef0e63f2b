// Power cuts at every step of storing and of destroying: what comes back finishes itself.
#include <algorithm>

#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

constexpr std::uint64_t kRecords = 12;

// A stream of kRecords frames; the position is the number of the next one. Reads on from where the
// store says, commits every third, until all are stored or the disk fails.
Status Drain(Store& store) {
  std::uint64_t next = store.positions().empty() ? 0 : std::stoull(store.positions()[0]);
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
  Result<std::unique_ptr<Store>> Open() {
    return Store::Open(disk, clock, random, counters, {"/vault", kWindow});
  }
  std::vector<std::uint64_t> Seqs(const Store& store) {
    std::vector<std::uint64_t> seqs;
    Store::FrameReader reader(store);
    for (const FrameRef& ref :
         store.Find(VehicleOf(1), FrameClass::kData, Micros{0}, Micros{1ll << 60})) {
      const auto frame = reader.Read(ref);
      if (!frame.ok()) continue;
      for (const FrameEntry& entry : frame->entries) seqs.push_back(entry.seq);
    }
    std::sort(seqs.begin(), seqs.end());
    return seqs;
  }

  SimDisk disk;
  ManualClock clock{kNow};
  SeededRandom random{5};
  Counters counters;
};

TEST(CrashTest, AFrameIsNeitherLostNorDoubledWhereverThePowerFails) {
  std::vector<std::uint64_t> all(kRecords);
  for (std::uint64_t i = 0; i < kRecords; ++i) all[i] = i;
  bool survived_whole = false;
  for (std::uint64_t calls = 0; !survived_whole; ++calls) {
    ASSERT_LT(calls, 500u);
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
  const Hour hour = HourOf(kNow + kWindow);
  const std::string key_path = "/vault/keys/hours/" + std::to_string(hour.value) + ".key";
  bool finished = false;
  for (std::uint64_t calls = 0; !finished; ++calls) {
    ASSERT_LT(calls, 200u);
    World world;
    std::string key_bytes;
    {
      auto store = world.Open();
      ASSERT_TRUE(store.ok());
      ASSERT_TRUE(Drain(**store).ok());
      key_bytes = ReadWholeFile(world.disk, key_path)->substr(24, 32);
      world.clock.JumpUtc(kWindow);
      world.disk.FailAfter(calls);
      finished = (*store)->Expire().ok();
      EXPECT_TRUE(world.Seqs(**store).empty()) << "shut at once, whatever the disk does";
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    auto store = world.Open();
    ASSERT_TRUE(store.ok()) << calls;
    EXPECT_TRUE(world.Seqs(**store).empty());
    EXPECT_FALSE(world.disk.Exists(key_path)) << calls;
    EXPECT_EQ(FilesWith(world.disk, "/vault", key_bytes), 0) << calls;
    EXPECT_EQ(FilesWith(world.disk, "/vault/segments", ""), 0) << calls;
    ASSERT_TRUE((*store)->Expire().ok());
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

TEST(CrashTest, AFullDiskDoesNotKeepAnExpiredKey) {
  World world;
  auto store = world.Open();
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE(Drain(**store).ok());
  world.disk.SetCapacity(1);
  world.clock.JumpUtc(kWindow);
  EXPECT_FALSE((*store)->Expire().ok()) << "the receipt could not be written";
  EXPECT_TRUE(world.disk.List("/vault/keys/hours")->empty());
  EXPECT_EQ(FilesWith(world.disk, "/vault/segments", ""), 0);
  world.disk.SetCapacity(1u << 30);
  EXPECT_TRUE((*store)->Expire().ok());
}

}  // namespace
}  // namespace telltale::vault
