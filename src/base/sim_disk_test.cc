#include "base/sim_disk.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

namespace telltale {
namespace {

std::string ContentOf(Disk& disk, const std::string& path) {
  const auto content = ReadWholeFile(disk, path);
  return content.ok() ? *content : "error: " + content.error().message;
}

TEST(SimDiskTest, WhatWasSyncedWithItsFolderSurvivesEveryCrash) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk;
    ASSERT_TRUE(disk.MakeFolders("/a").ok());
    ASSERT_TRUE(WriteFileDurably(disk, "/a/file", std::string(3000, 'x')).ok());
    ASSERT_TRUE(WriteFileDurably(disk, "/a/file", std::string(2000, 'y')).ok());
    disk.Crash(seed);
    EXPECT_EQ(ContentOf(disk, "/a/file"), std::string(2000, 'y'));
    EXPECT_EQ(disk.List("/a").value(), std::vector<std::string>{"file"});
  }
}

TEST(SimDiskTest, OfWhatWasNotSyncedAnyPartMayBeLostOrTorn) {
  std::set<std::string> outcomes;
  bool second_without_first = false;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimDisk disk;
    ASSERT_TRUE(disk.MakeFolders("/a").ok());
    ASSERT_TRUE(WriteFileDurably(disk, "/a/file", std::string(1024, '.')).ok());
    const auto file = disk.Open("/a/file", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->WriteAt(0, AsBytes(std::string(512, '1'))).ok());
    ASSERT_TRUE((*file)->WriteAt(512, AsBytes(std::string(512, '2'))).ok());
    disk.Crash(seed);
    const std::string after = ContentOf(disk, "/a/file");
    ASSERT_EQ(after.size(), 1024u);
    second_without_first |= after[0] == '.' && after[1023] == '2';
    outcomes.insert(after);
    EXPECT_EQ((*file)->Sync().error().code, Code::kUnavailable);
  }
  EXPECT_GT(outcomes.size(), 10u);  // torn at many bytes
  EXPECT_TRUE(second_without_first);
}

TEST(SimDiskTest, ANameWithoutFolderSyncMayBeGoneAndOneSeedMeansOneOutcome) {
  std::set<bool> outcomes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    bool there[2];
    for (bool& found : there) {
      SimDisk disk;
      ASSERT_TRUE(disk.MakeFolders("/a").ok());
      ASSERT_TRUE(disk.Open("/a/new", OpenMode::kCreate).ok());
      disk.Crash(seed);
      found = disk.Exists("/a/new");
    }
    EXPECT_EQ(there[0], there[1]);
    outcomes.insert(there[0]);
  }
  EXPECT_EQ(outcomes.size(), 2u);
}

TEST(SimDiskTest, AFullDiskRefusesToGrowButTakesWhatWasReserved) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/a").ok());
  disk.SetCapacity(1000);
  const auto file = disk.Open("/a/file", OpenMode::kCreate);
  ASSERT_TRUE((*file)->Preallocate(1000).ok());
  EXPECT_TRUE((*file)->WriteAt(900, AsBytes(std::string(100, 'x'))).ok());
  EXPECT_EQ((*file)->WriteAt(901, AsBytes(std::string(100, 'x'))).error().code, Code::kOverloaded);
  const auto other = disk.Open("/a/other", OpenMode::kCreate);
  EXPECT_EQ((*other)->Preallocate(1).error().code, Code::kOverloaded);
}

TEST(SimDiskTest, AfterFailAfterEveryChangeFailsAndReadsGoOn) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/a").ok());
  const auto file = disk.Open("/a/file", OpenMode::kCreate);
  disk.FailAfter(1);
  EXPECT_TRUE((*file)->WriteAt(0, AsBytes("x")).ok());
  EXPECT_EQ((*file)->WriteAt(1, AsBytes("y")).error().code, Code::kUnavailable);
  EXPECT_EQ((*file)->Sync().error().code, Code::kUnavailable);
  EXPECT_EQ(disk.SyncFolder("/a").error().code, Code::kUnavailable);
  EXPECT_EQ(ContentOf(disk, "/a/file"), "x");
  disk.FailNever();
  EXPECT_TRUE((*file)->Sync().ok());
}

TEST(SimDiskTest, WhatAFailedSyncLostIsReadUntilTheCrashAndNotSyncedByALaterOne) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/a").ok());
  ASSERT_TRUE(WriteFileDurably(disk, "/a/file", "old").ok());
  const auto file = disk.Open("/a/file", OpenMode::kReadWrite);
  disk.LoseAtSync(1);
  EXPECT_TRUE((*file)->Sync().ok());
  ASSERT_TRUE((*file)->WriteAt(0, AsBytes("new")).ok());
  EXPECT_EQ((*file)->Sync().error().code, Code::kUnavailable);
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(ContentOf(disk, "/a/file"), "new");
  disk.Crash(1);
  EXPECT_EQ(ContentOf(disk, "/a/file"), "old");
}

TEST(SimDiskTest, AReadThatFailsComesBackWhenTheDiskDoes) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/a").ok());
  ASSERT_TRUE(WriteFileDurably(disk, "/a/file", "x").ok());
  disk.FailReads(true);
  EXPECT_EQ(ReadWholeFile(disk, "/a/file").error().code, Code::kUnavailable);
  disk.FailReads(false);
  EXPECT_EQ(ContentOf(disk, "/a/file"), "x");
}

TEST(SimDiskTest, APausedSyncWaitsUntilResumed) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/a").ok());
  const auto file = disk.Open("/a/file", OpenMode::kCreate);
  disk.PauseSyncs();
  std::thread syncing([&] { EXPECT_TRUE((*file)->Sync().ok()); });
  disk.WaitForPausedSync();
  EXPECT_EQ(disk.syncs(), 0u);
  disk.ResumeSyncs();
  syncing.join();
  EXPECT_EQ(disk.syncs(), 1u);
}

TEST(SimDiskTest, OpenModesMeanWhatTheySay) {
  SimDisk disk;
  EXPECT_EQ(disk.Open("/a/file", OpenMode::kCreate).error().code, Code::kNotFound);
  ASSERT_TRUE(disk.MakeFolders("/a/b").ok());
  EXPECT_EQ(disk.Open("/a/file", OpenMode::kRead).error().code, Code::kNotFound);
  EXPECT_EQ(disk.Open("/a/file", OpenMode::kReadWrite).error().code, Code::kNotFound);
  EXPECT_TRUE(disk.Open("/a/file", OpenMode::kCreateOrOpen).ok());
  EXPECT_EQ(disk.Open("/a/file", OpenMode::kCreate).error().code, Code::kExists);
  EXPECT_TRUE(disk.Open("/a/file", OpenMode::kRead).ok());
  EXPECT_EQ(disk.List("/a").value(), (std::vector<std::string>{"b", "file"}));
  EXPECT_EQ(disk.List("/c").error().code, Code::kNotFound);
}

template <typename DiskType>
void OneHolderAtATime(DiskType& disk, const std::string& path) {
  auto first = LockFile(disk, path);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(LockFile(disk, path).error().code, Code::kUnavailable);
  *first = nullptr;
  EXPECT_TRUE(LockFile(disk, path).ok());
}

TEST(FileLockTest, HasOneHolderAtATimeOnBothDisks) {
  SimDisk sim;
  OneHolderAtATime(sim, "/lock");
  std::string folder = (std::filesystem::temp_directory_path() / "telltale-lock-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  PosixDisk posix;
  OneHolderAtATime(posix, folder + "/lock");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace telltale
