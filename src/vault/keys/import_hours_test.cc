#include "vault/keys/import_hours.h"

#include "base/checksum.h"
#include "vault/keys/keys_testing.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kFolder = "/vault/keys/hours";

// docs/formats/vault-keys.md, "Version 1".
std::string KeyFile(std::uint32_t hour, char fill, std::uint8_t version = 1) {
  std::string out("TVHK");
  PutLe(out, version);
  PutLe(out, version);
  PutLe<std::uint8_t>(out, 1);
  PutLe<std::uint8_t>(out, 0);
  PutLe(out, hour);
  out.resize(24);
  out += std::string(seal::kKeyBytes, fill);
  out.resize(60);
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

struct ImportWorld : KeyWorld {
  ImportWorld() {
    EXPECT_TRUE(sim.MakeFolders(std::string(kFolder)).ok());
    for (std::uint32_t hour = 100; hour < 103; ++hour) {
      Put(std::to_string(hour) + ".key", KeyFile(hour, static_cast<char>('a' + hour - 100)));
    }
  }
  void Put(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileDurably(sim, std::string(kFolder) + "/" + name, content).ok());
  }
  std::string Key(KeyTree& tree, std::int64_t hour) {
    return KeyText(tree, {RetentionClass::kLegacy, Hour{hour}});
  }
};

TEST(ImportHoursTest, KeysOfVersion1AreTakenOverOnceAndTheirFilesGo) {
  ImportWorld world;
  auto tree = world.MustOpen();
  const auto counts = ImportHourKeys(world.disk, std::string(kFolder), *tree);
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->imported, 3u);
  EXPECT_EQ(counts->damaged, 0u);
  EXPECT_TRUE(world.sim.List(std::string(kFolder))->empty());
  tree = world.MustOpen();
  EXPECT_EQ(world.Key(*tree, 101), std::string(32, 'b'));
  EXPECT_EQ(tree->Hours()[2].dies_at, Hour{102});
  EXPECT_EQ(ImportHourKeys(world.disk, std::string(kFolder), *tree)->imported, 0u);
  EXPECT_TRUE(ImportHourKeys(world.disk, "/nowhere", *tree).ok());
}

TEST(ImportHoursTest, WhatIsNoKeyIsCountedAndLeftToItsHour) {
  ImportWorld world;
  world.Put("100.key", KeyFile(100, 'a').substr(0, 63));
  world.Put("101.key", KeyFile(101, 'b', 2));   // newer
  world.Put("104.key", std::string(64, '\0'));  // a destruction that was interrupted
  world.Put("105.key", KeyFile(106, 'c'));      // under another's name
  world.Put("notes", "no key");
  auto tree = world.MustOpen();
  const auto counts = ImportHourKeys(world.disk, std::string(kFolder), *tree);
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->imported, 1u);
  EXPECT_EQ(counts->damaged, 3u);
  EXPECT_EQ(*world.sim.List(std::string(kFolder)),
            (std::vector<std::string>{"100.key", "101.key", "105.key", "notes"}));
  ASSERT_TRUE(DestroyLeftHourKeys(world.disk, std::string(kFolder), Hour{101}).ok());
  EXPECT_EQ(*world.sim.List(std::string(kFolder)), (std::vector<std::string>{"105.key", "notes"}));
}

TEST(ImportHoursTest, NoKeyIsLostWhereverThePowerFails) {
  bool done = false;
  for (std::uint64_t calls = 0; !done; ++calls) {
    ASSERT_LT(calls, 100u);
    ImportWorld world;
    world.sim.FailAfter(calls);
    {
      auto tree = world.Open();
      done = tree.ok() && ImportHourKeys(world.disk, std::string(kFolder), **tree).ok();
    }
    world.sim.FailNever();
    world.sim.Crash(calls);
    auto tree = world.MustOpen();
    ASSERT_TRUE(ImportHourKeys(world.disk, std::string(kFolder), *tree).ok()) << calls;
    tree = world.MustOpen();
    for (std::int64_t hour = 100; hour < 103; ++hour) {
      EXPECT_EQ(world.Key(*tree, hour), std::string(32, static_cast<char>('a' + hour - 100)))
          << calls;
    }
    EXPECT_TRUE(world.sim.List(std::string(kFolder))->empty()) << calls;
  }
}

}  // namespace
}  // namespace telltale::vault
