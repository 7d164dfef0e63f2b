// A full disk: nothing is reported durable that is not, and the log goes on by itself.
#include <gtest/gtest.h>

#include <atomic>

#include "base/file_lock.h"
#include "base/random.h"
#include "log/log_testing.h"
#include "log/segment.h"

namespace telltale::log {
namespace {

constexpr std::uint64_t kPlenty = 1u << 30;

LogOptions RollingLog() {
  LogOptions options = SmallLog();
  options.segment_bytes = 8192;
  return options;
}

// A disk that may be full for writes below the preallocated size too, as copy-on-write file systems
// are: after `room` bytes a write stores what fits and answers kOverloaded.
class TightDisk final : public Disk, public LockingDisk {
 public:
  std::atomic<std::uint64_t> room{kPlenty};
  std::atomic<int> syncs_full{0};  // so many syncs answer kOverloaded
  SimDisk sim;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                     std::uint32_t permissions) override {
    ASSIGN_OR_RETURN(auto file, sim.Open(path, mode, permissions));
    return std::unique_ptr<File>(std::make_unique<TightFile>(*this, std::move(file)));
  }
  Result<std::vector<std::string>> List(const std::string& folder) override {
    return sim.List(folder);
  }
  bool Exists(const std::string& path) override { return sim.Exists(path); }
  Status MakeFolders(const std::string& folder, std::uint32_t permissions) override {
    return sim.MakeFolders(folder, permissions);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return sim.Rename(from, to);
  }
  Status Remove(const std::string& path) override { return sim.Remove(path); }
  Status SyncFolder(const std::string& folder) override { return sim.SyncFolder(folder); }
  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    return sim.TryLock(path);
  }

 private:
  class TightFile final : public File {
   public:
    TightFile(TightDisk& disk, std::unique_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
    Result<std::size_t> ReadAt(std::uint64_t at, std::span<std::uint8_t> out) const override {
      return file_->ReadAt(at, out);
    }
    Status WriteAt(std::uint64_t at, ByteSpan bytes) override {
      const std::uint64_t left = disk_.room.load();
      const std::size_t fits = std::min<std::uint64_t>(left, bytes.size());
      disk_.room -= fits;
      RETURN_IF_ERROR(file_->WriteAt(at, bytes.first(fits)));
      if (fits < bytes.size()) return Error{Code::kOverloaded, "no room"};
      return Ok();
    }
    Status Sync() override {
      if (disk_.syncs_full > 0) {
        --disk_.syncs_full;
        return Error{Code::kOverloaded, "no room"};
      }
      return file_->Sync();
    }
    Result<std::uint64_t> Size() const override { return file_->Size(); }
    Status Truncate(std::uint64_t size) override { return file_->Truncate(size); }
    Status Preallocate(std::uint64_t size) override { return file_->Preallocate(size); }

   private:
    TightDisk& disk_;
    std::unique_ptr<File> file_;
  };
};

// Appends to partition 0 of `stream` until a commit meets the full disk.
void FillUp(Log& log, StreamIndex stream, std::vector<std::string>& all) {
  Status synced;
  while (synced.ok()) {
    all.push_back(std::to_string(all.size()) + std::string(200, 'f'));
    ASSERT_TRUE(AppendOne(log, stream, PartitionId{0}, {all.back()}).ok());
    synced = log.shard(ShardId{0}).SyncNow();
    ASSERT_LT(all.size(), 100u);
  }
  ASSERT_EQ(synced.error().code, Code::kOverloaded);
}

TEST(StallTest, WhenThereIsRoomAgainTheSameCommitGoesOnWithNothingLostOrDoubled) {
  SimDisk disk;
  const LogOptions options = RollingLog();
  const auto log = OpenOrFail(disk, options);
  ShardWriter& shard = log->shard(ShardId{0});
  disk.SetCapacity(0);  // the next segment cannot be had
  std::vector<std::string> all;
  FillUp(*log, 0, all);
  const CommitNumber durable = shard.durable_commit();
  EXPECT_TRUE(shard.stalled());
  EXPECT_FALSE(log->shard(ShardId{1}).stalled());
  EXPECT_FALSE(shard.HasRoom());
  EXPECT_EQ(AppendOne(*log, 0, PartitionId{0}, {"x"}).error().code, Code::kOverloaded);
  EXPECT_EQ(shard.Tick(Micros::Seconds(1)).error().code, Code::kOverloaded);
  EXPECT_EQ(shard.SyncNow().error().code, Code::kOverloaded);
  const std::vector<std::string> kept(all.begin(), all.end() - 1);
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), kept);

  disk.SetCapacity(kPlenty);
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_FALSE(shard.stalled());
  EXPECT_TRUE(shard.HasRoom());
  EXPECT_EQ(shard.durable_commit().value, durable.value + 1);
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), all);
  all.push_back("and on");
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"and on"}).ok());
  ASSERT_TRUE(shard.SyncNow().ok());
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), all);
}

TEST(StallTest, ItGoesOnWithoutBeingAskedAndSaysOnceThatItStoodAndOnceThatItGoesOn) {
  SimDisk disk;
  auto log = OpenOrFail(disk, RollingLog());
  ShardWriter& shard = log->shard(ShardId{0});
  Mutex mutex;
  CondVar changed;
  std::vector<std::string> heard;
  const auto hear = [&](const std::string& what) {
    MutexLock lock(mutex);
    heard.push_back(what);
    changed.NotifyAll();
  };
  shard.SetOnStall([&](const Status& status) {
    hear(status.ok() ? "goes on" : std::string(CodeName(status.error().code)));
  });
  shard.SetOnCommit([&](const Result<CommitNumber>& n) { hear(n.ok() ? "commit" : "failed"); });
  disk.SetCapacity(0);
  std::vector<std::string> all;
  FillUp(*log, 0, all);
  EXPECT_FALSE(shard.SyncNow().ok());  // more tries
  EXPECT_FALSE(shard.SyncNow().ok());
  disk.SetCapacity(kPlenty);
  {
    MutexLock lock(mutex);
    while (heard.size() < all.size() + 2) changed.Wait(mutex);
  }
  log.reset();
  std::vector<std::string> expected(all.size() - 1, "commit");
  expected.insert(expected.end(), {"overloaded", "goes on", "commit"});
  EXPECT_EQ(heard, expected);
}

TEST(StallTest, ANewSegmentThatCouldNotBeHadLeavesNoFileBehind) {
  SimDisk disk;
  const LogOptions options = RollingLog();
  const auto log = OpenOrFail(disk, options);
  disk.SetCapacity(0);
  std::vector<std::string> all;
  FillUp(*log, 0, all);
  const auto names = disk.List("/log/safety/shard-0");
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) {
    EXPECT_EQ(ReadWholeFile(disk, "/log/safety/shard-0/" + name)->size(), options.segment_bytes);
  }
}

// Cut at every byte of what a commit of two streams and a roll writes.
TEST(StallTest, WhereverAWriteIsCutTheCommitGoesOnFromThere) {
  std::uint64_t needed = 1;
  for (std::uint64_t room = 0; room < needed; room += 37) {
    TightDisk disk;
    const LogOptions options = RollingLog();
    const auto log = OpenOrFail(disk, options);
    ShardWriter& shard = log->shard(ShardId{0});
    std::vector<std::string> all(20, std::string(180, 'a'));
    ASSERT_TRUE(AppendOne(*log, 1, PartitionId{0}, {"elsewhere"}).ok());
    for (const std::string& one : all) {  // rolls on the way
      ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {one}).ok());
    }
    const std::uint64_t before = disk.sim.bytes_written();
    disk.room = room;
    EXPECT_EQ(shard.SyncNow().error().code, Code::kOverloaded) << room;
    EXPECT_EQ(shard.durable_commit().value, 0u);
    disk.room = room % 61;  // and once more, a little further on or not at all
    EXPECT_EQ(shard.SyncNow().error().code, Code::kOverloaded) << room;
    disk.room = kPlenty;
    ASSERT_TRUE(shard.SyncNow().ok()) << room;
    if (room == 0) needed = disk.sim.bytes_written() - before - 61;
    EXPECT_EQ(shard.durable_commit().value, 1u);
    ASSERT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), all) << room;
    ASSERT_EQ(PayloadsOf(ReadAll(disk, options, 1).value(), 0),
              std::vector<std::string>{"elsewhere"});
  }
}

TEST(StallTest, ASyncThatMeetsAFullDiskIsAFailureForGood) {
  TightDisk disk;
  const LogOptions options = RollingLog();
  auto log = OpenOrFail(disk, options);
  ShardWriter& shard = log->shard(ShardId{0});
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"unsure"}).ok());
  disk.syncs_full = 1;
  EXPECT_EQ(shard.SyncNow().error().code, Code::kUnavailable);
  EXPECT_FALSE(shard.stalled());
  EXPECT_EQ(AppendOne(*log, 0, PartitionId{0}, {"x"}).error().code, Code::kUnavailable);
  log.reset();
  log = OpenOrFail(disk, options);  // the same process may open it again
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"on"}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0),
            (std::vector<std::string>{"unsure", "on"}));
}

TEST(StallTest, ALedgerThatMeetsAFullDiskTakesTheNextEntry) {
  TightDisk disk;
  const LogOptions options = RollingLog();
  auto log = OpenOrFail(disk, options);
  const std::vector<Log::LedgerEntry> longer{
      {0, PartitionId{0}, Offset{1}, ConfigSeq{1}, std::string(64, 'a')}};
  const std::vector<Log::LedgerEntry> shorter{{0, PartitionId{1}, Offset{2}, ConfigSeq{2}, "b"}};
  disk.room = 70;
  EXPECT_EQ(log->AppendLedger(longer).error().code, Code::kOverloaded);
  disk.room = kPlenty;
  ASSERT_TRUE(log->AppendLedger(shorter).ok());
  log.reset();
  log = OpenOrFail(disk, options);
  ASSERT_NE(log, nullptr);
  ASSERT_EQ(log->ledger().size(), 1u);
  EXPECT_EQ(log->ledger()[0].digest, "b");
}

// After a failed sync the kernel calls the pages clean although the disk does not have them: what
// recovery keeps from there must be written again before it is called durable.
TEST(StallTest, WhatRecoveryKeepsAboveThePublishedEndIsWrittenAgain) {
  SimDisk disk;
  const LogOptions options = RollingLog();
  auto log = OpenOrFail(disk, options);
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {std::string(500, 'u')}).ok());
  disk.FailAfter(1);  // the write succeeds, its sync does not
  EXPECT_FALSE(log->shard(ShardId{0}).SyncNow().ok());
  disk.FailNever();
  log.reset();
  const std::uint64_t before = disk.bytes_written();
  log = OpenOrFail(disk, options);
  EXPECT_EQ(log->shard(ShardId{0}).next_offset(0, PartitionId{0}).value, 1u);
  EXPECT_GE(disk.bytes_written() - before, 500u + 2 * 16);
}

// The same with a disk that does it: whichever sync of a commit loses its bytes, what is reported
// durable afterwards is there after a power cut.
TEST(StallTest, AfterASyncThatLostItsBytesOnlyWhatIsThereIsCalledDurable) {
  for (std::uint64_t sync = 0; sync < 6; ++sync) {
    SimDisk disk;
    const LogOptions options = RollingLog();
    auto log = OpenOrFail(disk, options);
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"before"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
    disk.LoseAtSync(sync);
    Status synced;
    for (int i = 0; synced.ok() && i < 6; ++i) {
      ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {std::string(500, 'u')}).ok());
      synced = log->shard(ShardId{0}).SyncNow();
    }
    EXPECT_EQ(synced.error().code, Code::kUnavailable);
    EXPECT_FALSE(log->shard(ShardId{0}).SyncNow().ok()) << "it is not tried and believed";
    log.reset();
    log = OpenOrFail(disk, options);  // the process starts again; the kernel goes on
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"after"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
    const auto durable = PayloadsOf(ReadAll(disk, options, 0).value(), 0);
    log.reset();
    disk.Crash(sync);
    log = OpenOrFail(disk, options);
    EXPECT_EQ(PayloadsOf(ReadAll(disk, options, 0).value(), 0), durable) << sync;
  }
}

TEST(StallTest, ClosingAStalledLogEndsAndLosesOnlyWhatWasNotDurable) {
  SimDisk disk;
  const LogOptions options = RollingLog();
  auto log = OpenOrFail(disk, options);
  disk.SetCapacity(0);
  std::vector<std::string> all;
  FillUp(*log, 0, all);
  log.reset();
  disk.SetCapacity(kPlenty);
  log = OpenOrFail(disk, options);
  auto found = PayloadsOf(ReadAll(disk, options, 0).value(), 0);
  ASSERT_GE(found.size(), all.size() - 1);
  all.resize(found.size());
  EXPECT_EQ(found, all);
}

// A disk that is full and freed again at any moment, and power cuts: every record that was accepted
// is there once and in order, except those of a last commit that was never reported.
void LiveWithATightDisk(std::uint64_t seed) {
  SeededRandom random(seed);
  SimDisk disk;
  LogOptions options = RollingLog();
  options.shards = 1;
  options.partitions = 2;
  options.segment_bytes = 4096 + 2048;
  std::vector<std::vector<std::string>> model(options.streams.size());
  std::uint64_t serial = 0;
  for (int life = 0; life < 3; ++life) {
    disk.SetCapacity(kPlenty);
    auto log = OpenOrFail(disk, options);
    ASSERT_NE(log, nullptr);
    ShardWriter& shard = log->shard(ShardId{0});
    std::vector<std::size_t> durable(model.size());
    for (int step = 0; step < 40; ++step) {
      if (random.Below(4) == 0) disk.SetCapacity(random.Below(2) == 0 ? 0 : kPlenty);
      const StreamIndex stream = random.Below(model.size());
      const std::string payload = std::to_string(++serial) + std::string(random.Below(600), '.');
      const auto number = AppendOne(*log, stream, PartitionId{0}, {payload});
      if (number.ok()) model[stream].push_back(payload);
      if (!number.ok()) {
        ASSERT_EQ(number.error().code, Code::kOverloaded);
      }
      if (random.Below(2) == 0) shard.Flush();
      if (random.Below(3) == 0 && shard.SyncNow().ok()) {
        for (std::size_t i = 0; i < model.size(); ++i) durable[i] = model[i].size();
      }
    }
    const bool is_closed = random.Below(3) == 0;
    if (is_closed) {
      disk.SetCapacity(kPlenty);
      ASSERT_TRUE(shard.SyncNow().ok());
      for (std::size_t i = 0; i < model.size(); ++i) durable[i] = model[i].size();
    }
    disk.Crash(random.NextU64());
    log.reset();
    disk.SetCapacity(kPlenty);
    log = OpenOrFail(disk, options);
    ASSERT_NE(log, nullptr) << "seed " << seed;
    for (StreamIndex i = 0; i < model.size(); ++i) {
      const auto records = ReadAll(disk, options, i);
      ASSERT_TRUE(records.ok()) << "seed " << seed << " " << records.error().ToString();
      const auto found = PayloadsOf(*records, 0);
      ASSERT_GE(found.size(), durable[i]) << "seed " << seed;
      ASSERT_LE(found.size(), model[i].size()) << "seed " << seed;
      model[i].resize(found.size());
      ASSERT_EQ(found, model[i]) << "seed " << seed;
    }
  }
}

TEST(StallTest, OverManySeedsOfFullDisksAndPowerCutsNothingDurableIsLostOrDoubled) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    LiveWithATightDisk(seed);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace telltale::log
