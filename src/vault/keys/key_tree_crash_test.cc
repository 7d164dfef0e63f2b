// Power cuts at every write of adding, destroying and opening, with root keys on the same disk:
// afterwards a key is there or gone, its neighbours are there, and what was begun is finished.
#include <functional>

#include "vault/keys/file_provider.h"
#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

constexpr std::uint64_t kCallsMax = 400;
const HourKeyId kGoing = Position(kSomeHour + 1);
const HourKeyId kStaying = Position(kSomeHour);
const HourKeyId kAlone = Position(kSomeHour + 48);  // its page goes with it
const std::vector<HourKeyId> kHours = {kGoing, kAlone};
const std::vector<VehicleRef> kVehicles = {VehicleOf(2)};

struct CrashWorld {
  Result<std::unique_ptr<KeyTree>> Open() {
    provider.reset();
    ASSIGN_OR_RETURN(provider, FileProvider::Open(disk, "/root-keys", random));
    return KeyTree::Open(disk, random, *provider, counters, options);
  }
  void Fill() {
    auto tree = Open();
    ASSERT_TRUE(tree.ok());
    for (const HourKeyId& id : {kGoing, kStaying, kAlone}) {
      ASSERT_TRUE((*tree)->EnsureHour(id, Hour{kSomeHour + kWindowHours}).ok());
    }
    for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE((*tree)->EnsureVehicle(VehicleOf(i)).ok());
    ASSERT_TRUE((*tree)->Flush().ok());
    going = {KeyText(**tree, kGoing), KeyText(**tree, kAlone), KeyText(**tree, VehicleOf(2))};
    staying = {KeyText(**tree, kStaying), KeyText(**tree, VehicleOf(1)),
               KeyText(**tree, VehicleOf(3))};
  }
  std::vector<std::string> Going(const KeyTree& tree) {
    return {KeyText(tree, kGoing), KeyText(tree, kAlone), KeyText(tree, VehicleOf(2))};
  }
  std::vector<std::string> Staying(const KeyTree& tree) {
    return {KeyText(tree, kStaying), KeyText(tree, VehicleOf(1)), KeyText(tree, VehicleOf(3))};
  }
  void ExpectFinished(const KeyTree& tree, const std::string& when) {
    EXPECT_FALSE(tree.destruction_pending()) << when;
    EXPECT_EQ(provider->List()->size(), 1u) << when;
    std::set<std::string> pages;
    for (const std::string& name : NamesIn(sim, "/tree")) {
      if (name == "root" || name == "reserve") continue;
      EXPECT_TRUE(IsPageFileName(name) && !name.ends_with(".tmp")) << when << ": " << name;
      EXPECT_TRUE(pages.insert(name.substr(0, name.find('.'))).second) << when << ": " << name;
    }
  }
  void ExpectGone(const std::string& when) {
    const std::string reached = Reachable(*provider, disk.ever);
    for (const std::string& key : going) EXPECT_EQ(reached.find(key), reached.npos) << when;
    for (const std::string& key : staying) EXPECT_NE(reached.find(key), reached.npos) << when;
  }

  SimDisk sim;
  RememberingDisk disk{sim};
  SeededRandom random{5};
  Counters counters;
  KeyTreeOptions options{.folder = "/tree", .replicas = {"/replica"}};
  std::unique_ptr<FileProvider> provider;
  std::vector<std::string> going;
  std::vector<std::string> staying;
};

// Power fails after each number of calls until `what` gets through; then the world is opened again.
void CutEverywhere(
    const std::function<bool(CrashWorld&)>& what,
    const std::function<void(CrashWorld&, KeyTree&, bool, const std::string&)>& see) {
  bool done = false;
  for (std::uint64_t calls = 0; !done; ++calls) {
    ASSERT_LT(calls, kCallsMax);
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
      CrashWorld world;
      world.Fill();
      world.sim.FailAfter(calls);
      done = what(world);
      world.sim.FailNever();
      world.sim.Crash(calls * 2 + seed);
      const std::string when = "cut after " + std::to_string(calls) + " calls";
      auto tree = world.Open();
      ASSERT_TRUE(tree.ok()) << when << ": " << tree.error().ToString();
      see(world, **tree, done, when);
      EXPECT_EQ(world.Staying(**tree), world.staying) << when;
      world.ExpectFinished(**tree, when);
    }
  }
}

TEST(KeyTreeCrashTest, ADestroyedKeyIsThereOrGoneAndGoneOnceItSaidSo) {
  CutEverywhere(
      [](CrashWorld& world) {
        auto tree = world.Open();
        if (!tree.ok()) return false;
        const bool done = (*tree)->Destroy(kHours, kVehicles).ok();
        const std::vector<std::string> none(3);
        EXPECT_EQ(world.Going(**tree), none) << "shut at once";
        return done;
      },
      [](CrashWorld& world, KeyTree& tree, bool done, const std::string& when) {
        const std::vector<std::string> none(3);
        const std::vector<std::string> now = world.Going(tree);
        for (std::size_t i = 0; i < now.size(); ++i) {
          EXPECT_TRUE(now[i].empty() || now[i] == world.going[i]) << when;
        }
        if (done) {
          EXPECT_EQ(now, none) << when;
        }
        if (now == none) world.ExpectGone(when);
        ASSERT_TRUE(tree.Destroy(kHours, kVehicles).ok()) << when;
        EXPECT_EQ(world.Going(tree), none) << when;
        world.ExpectGone(when);
      });
}

TEST(KeyTreeCrashTest, ADestructionThatFailedGoesOnWithoutARestart) {
  for (std::uint64_t calls = 0; calls < 80; ++calls) {
    CrashWorld world;
    world.Fill();
    auto tree = world.Open();
    ASSERT_TRUE(tree.ok());
    world.sim.FailAfter(calls);
    const bool done = (*tree)->Destroy(kHours, kVehicles).ok();
    world.sim.FailNever();
    const std::string when = "failed after " + std::to_string(calls) + " calls";
    EXPECT_EQ((*tree)->destruction_pending(), !done) << when;
    ASSERT_TRUE((*tree)->EnsureVehicle(VehicleOf(9)).ok());
    EXPECT_TRUE((*tree)->Flush().ok()) << when;
    EXPECT_TRUE((*tree)->Retry().ok()) << when;
    world.ExpectFinished(**tree, when);
    world.ExpectGone(when);
    const std::string added = KeyText(**tree, VehicleOf(9));
    world.sim.Crash(calls);
    tree = world.Open();
    ASSERT_TRUE(tree.ok()) << when;
    EXPECT_EQ(world.Staying(**tree), world.staying) << when;
    EXPECT_EQ(KeyText(**tree, VehicleOf(9)), added) << when;
  }
}

TEST(KeyTreeCrashTest, ASyncThatLosesWhatItWasToWriteLosesNoKey) {
  for (std::uint64_t syncs = 0; syncs < 16; ++syncs) {
    CrashWorld world;
    world.Fill();
    auto tree = world.Open();
    ASSERT_TRUE(tree.ok());
    world.sim.LoseAtSync(syncs);
    (void)(*tree)->Destroy(kHours, kVehicles);
    EXPECT_TRUE((*tree)->Retry().ok()) << syncs;
    world.sim.Crash(syncs);
    tree = world.Open();
    ASSERT_TRUE(tree.ok()) << syncs;
    EXPECT_EQ(world.Staying(**tree), world.staying) << syncs;
    world.ExpectGone(std::to_string(syncs));
  }
}

TEST(KeyTreeCrashTest, WhatWasFlushedIsThereWhereverThePowerFails) {
  std::string flushed;
  CutEverywhere(
      [&](CrashWorld& world) {
        flushed.clear();
        auto tree = world.Open();
        if (!tree.ok() || !(*tree)->EnsureVehicle(VehicleOf(4)).ok() || !(*tree)->Flush().ok()) {
          return false;
        }
        flushed = KeyText(**tree, VehicleOf(4));
        // A page that is new: the root is written too.
        return (*tree)->EnsureHour(Position(kSomeHour + 240), Hour{1}).ok() &&
               (*tree)->Flush().ok();
      },
      [&](CrashWorld& world, KeyTree& tree, bool done, const std::string& when) {
        EXPECT_EQ(world.Going(tree), world.going) << when;
        if (!flushed.empty()) {
          EXPECT_EQ(KeyText(tree, VehicleOf(4)), flushed) << when;
        }
        EXPECT_EQ(tree.Hours().size(), done ? 4u : tree.Hours().size()) << when;
      });
}

TEST(KeyTreeCrashTest, AFirstStartThatIsCutBeginsAnew) {
  bool done = false;
  for (std::uint64_t calls = 0; !done; ++calls) {
    ASSERT_LT(calls, kCallsMax);
    CrashWorld world;
    world.sim.FailAfter(calls);
    done = world.Open().ok();
    world.sim.FailNever();
    world.sim.Crash(calls);
    auto tree = world.Open();
    ASSERT_TRUE(tree.ok()) << calls << ": " << tree.error().ToString();
    world.ExpectFinished(**tree, std::to_string(calls));
    EXPECT_FALSE(world.sim.Exists("/tree/creating")) << calls;
  }
}

TEST(KeyTreeCrashTest, ARestoreFromTheReplicaThatIsCutGoesOn) {
  bool done = false;
  for (std::uint64_t calls = 0; !done; ++calls) {
    ASSERT_LT(calls, kCallsMax);
    CrashWorld world;
    world.Fill();
    for (const std::string& name : NamesIn(world.sim, "/tree")) {
      ASSERT_TRUE(world.sim.Remove("/tree/" + name).ok());
    }
    ASSERT_TRUE(world.sim.SyncFolder("/tree").ok());
    world.sim.FailAfter(calls);
    done = world.Open().ok();
    world.sim.FailNever();
    world.sim.Crash(calls);
    auto tree = world.Open();
    ASSERT_TRUE(tree.ok()) << calls << ": " << tree.error().ToString();
    EXPECT_EQ(world.Staying(**tree), world.staying) << calls;
    EXPECT_GE((*tree)->next_ordinal().value, kVehiclesPerPage) << calls;
    world.ExpectFinished(**tree, std::to_string(calls));
  }
}

}  // namespace
}  // namespace telltale::vault
