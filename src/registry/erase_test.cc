#include <gtest/gtest.h>

#include "base/sim_disk.h"
#include "registry/registry.h"
#include "store/disk_vfs.h"

namespace telltale::registry {
namespace {

const std::string kVin = "A1000000000000000";
const std::string kOtherVin = "B1000000000000000";

// A registry on a simulated disk.
struct World {
  World() { EXPECT_TRUE(disk.MakeFolders("/registry").ok()); }
  Registry Open() {
    auto opened = Registry::Open("/registry/registry.db", references, clock, &vfs);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return std::move(opened).value();
  }
  static VehicleEntry Car(const std::string& vin, std::uint32_t epoch) {
    return {.vin = vin,
            .model = "Arrow 2",
            .vehicle_class = VehicleClass::kVan,
            .fuel = "diesel",
            .ownership_epoch = epoch};
  }
  static void Add(Registry& registry, const std::string& vin, std::uint32_t epoch) {
    const std::vector<VehicleEntry> entries = {Car(vin, epoch)};
    ASSERT_TRUE(registry.Import(entries).ok());
  }
  // In the database, its log, or any other file of the folder.
  bool IsAnywhere(std::string_view bytes) {
    const auto names = disk.List("/registry");
    return std::any_of(names->begin(), names->end(), [&](const std::string& name) {
      return ReadWholeFile(disk, "/registry/" + name)->find(bytes) != std::string::npos;
    });
  }

  SimDisk disk;
  store::DiskVfs vfs{disk};
  SeededRandom random{7};
  RandomReferences references{random};
  ManualClock clock{Micros::Seconds(1'700'000'000)};
};

TEST(RegistryEraseTest, RowAndChangesGoFromTheFilesAndOthersStay) {
  World world;
  Registry registry = world.Open();
  World::Add(registry, kVin, 1);
  World::Add(registry, kOtherVin, 1);
  const VehicleRef ref = registry.FindByVin(kVin)->vehicle_ref;
  ASSERT_TRUE(world.IsAnywhere(kVin));
  const auto erased = registry.Erase(ref);
  ASSERT_TRUE(erased.ok()) << erased.error().ToString();
  EXPECT_EQ(erased->rows, 2u) << "the row and its change";
  EXPECT_EQ(erased->vin, kVin);
  EXPECT_TRUE(erased->was_in_force);
  EXPECT_FALSE(world.IsAnywhere(kVin));
  EXPECT_FALSE(world.IsAnywhere(AsText(ref.bytes)));
  EXPECT_EQ(registry.FindByRef(ref).error().code, Code::kNotFound);
  EXPECT_TRUE(registry.FindByVin(kOtherVin).ok());
  EXPECT_EQ(registry.Erase(ref)->rows, 0u) << "asking again is fine";
}

TEST(RegistryEraseTest, TheLogOfChangesStillRefusesToForget) {
  World world;
  {
    Registry registry = world.Open();
    World::Add(registry, kVin, 1);
    World::Add(registry, kOtherVin, 1);
    ASSERT_TRUE(registry.Erase(registry.FindByVin(kVin)->vehicle_ref).ok());
  }
  store::OpenOptions options;
  options.vfs = &world.vfs;
  const char* const as_it_is[] = {"", ""};  // of the version that the file has: not run
  options.migrations = as_it_is;
  auto database = store::Database::Open("/registry/registry.db", options);
  ASSERT_TRUE(database.ok()) << database.error().ToString();
  EXPECT_FALSE(database->Execute("DELETE FROM vehicle_changes").ok());
  EXPECT_FALSE(database->Execute("UPDATE vehicle_changes SET model = ''").ok());
}

TEST(RegistryEraseTest, ACarThatComesBackGetsAReferenceThatNothingJoinsToTheErasedOne) {
  World world;
  Registry registry = world.Open();
  World::Add(registry, kVin, 3);
  const Vehicle before = *registry.FindByVin(kVin);
  ASSERT_TRUE(registry.Erase(before.vehicle_ref).ok());
  const auto again = registry.Resolve(kVin);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->added);
  EXPECT_EQ(again->vehicle.entry.ownership_epoch, 1u) << "the registry remembers nothing";
  EXPECT_NE(again->vehicle.vehicle_ref, before.vehicle_ref);
  EXPECT_NE(again->vehicle.odometer_offset_km, before.odometer_offset_km);
}

TEST(RegistryEraseTest, ErasingTheOwnerOfTodayDoesNotBringTheOneBeforeBackInForce) {
  World world;
  Registry registry = world.Open();
  World::Add(registry, kVin, 1);
  const VehicleRef first = registry.FindByVin(kVin)->vehicle_ref;
  World::Add(registry, kVin, 2);
  const VehicleRef second = registry.FindByVin(kVin, 2)->vehicle_ref;
  ASSERT_TRUE(registry.Erase(second).ok());
  const auto resolved = registry.Resolve(kVin);
  ASSERT_TRUE(resolved.ok());
  EXPECT_EQ(resolved->vehicle.entry.ownership_epoch, 3u);
  EXPECT_NE(resolved->vehicle.vehicle_ref, first);
  EXPECT_NE(resolved->vehicle.vehicle_ref, second);
  EXPECT_TRUE(registry.FindByRef(first).ok());
}

TEST(RegistryEraseTest, ErasingAFormerOwnerLeavesTheOneOfToday) {
  World world;
  Registry registry = world.Open();
  World::Add(registry, kVin, 1);
  const VehicleRef first = registry.FindByVin(kVin)->vehicle_ref;
  World::Add(registry, kVin, 2);
  const VehicleRef second = registry.FindByVin(kVin)->vehicle_ref;
  const auto erased = registry.Erase(first);
  ASSERT_TRUE(erased.ok());
  EXPECT_FALSE(erased->was_in_force);
  EXPECT_EQ(registry.Resolve(kVin)->vehicle.vehicle_ref, second);
}

TEST(RegistryEraseTest, ASeedDoesNotGiveAnErasedReferenceAgain) {
  World world;
  SeededReferences seeded(5);
  auto registry = Registry::Open("/registry/registry.db", seeded, world.clock, &world.vfs);
  ASSERT_TRUE(registry.ok());
  ASSERT_TRUE(world.disk.MakeFolders("/erased").ok());
  ErasureList list(world.disk, "/erased/list");
  registry->AvoidErased(list);
  const VehicleRef first = registry->Resolve(kVin)->vehicle.vehicle_ref;
  ASSERT_TRUE(AppendErasure(world.disk, "/erased/list", first).ok());
  ASSERT_TRUE(registry->Erase(first).ok());
  EXPECT_NE(registry->Resolve(kVin)->vehicle.vehicle_ref, first);
}

TEST(RegistryEraseTest, APowerCutAtAnyWriteIsMendedByAskingAgain) {
  bool is_through = false;
  for (std::uint64_t calls = 0; !is_through; ++calls) {
    ASSERT_LT(calls, 500u);
    World world;
    VehicleRef ref;
    {
      Registry registry = world.Open();
      World::Add(registry, kVin, 1);
      World::Add(registry, kOtherVin, 1);
      ref = registry.FindByVin(kVin)->vehicle_ref;
      world.disk.FailAfter(calls);
      is_through = registry.Erase(ref).ok();
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    Registry registry = world.Open();
    ASSERT_TRUE(registry.Erase(ref).ok()) << calls;
    EXPECT_FALSE(world.IsAnywhere(kVin)) << calls;
    EXPECT_FALSE(world.IsAnywhere(AsText(ref.bytes))) << calls;
    EXPECT_TRUE(registry.FindByVin(kOtherVin).ok()) << calls;
  }
}

}  // namespace
}  // namespace telltale::registry
