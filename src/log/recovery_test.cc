// Opening a log after every kind of end.
#include <gtest/gtest.h>

#include "log/batch.h"
#include "log/durable_map.h"
#include "log/log_testing.h"
#include "log/segment.h"

namespace telltale::log {
namespace {

LogOptions TinyLog() {
  LogOptions options;
  options.dir = "/log";
  options.streams = {"journal"};
  options.partitions = 2;
  options.shards = 1;
  options.segment_bytes = 16u << 10;
  options.ticks = false;
  return options;
}

constexpr std::string_view kFirstSegment = "/log/journal/shard-0/00000000000000000001.seg";

using Image = std::map<std::string, std::string>;

Image ImageOf(Disk& disk) {
  Image image;
  for (const std::string folder : {"/log", "/log/journal/shard-0"}) {
    const std::vector<std::string> names = disk.List(folder).value();
    for (const std::string& name : names) {
      const std::string path = folder + "/" + name;
      const auto content = ReadWholeFile(disk, path);
      if (content.ok()) image[path] = *content;  // folders have none
    }
  }
  return image;
}

void Install(Disk& disk, const Image& image) {
  ASSERT_TRUE(disk.MakeFolders("/log/journal/shard-0").ok());
  for (const auto& [path, content] : image) {
    ASSERT_TRUE(WriteFileDurably(disk, path, content).ok());
  }
}

// As a power cut before the newest commit was published leaves it.
void ForgetNewestCommit(Disk& disk) {
  const auto map = DurableMap::Open(disk, "/log", OpenMode::kReadWrite);
  ASSERT_TRUE(map.ok());
  const std::uint64_t commit = map->Read(ShardId{0}).value()->commit.value;
  FlipByte(disk, "/log/durable.map", 4096 + (commit % 2) * 4096 + 8);
  ASSERT_EQ(map->Read(ShardId{0}).value()->commit.value, commit - 1);
}

struct TwoCommits {
  Image image;
  std::uint64_t last_from = 0;  // the last batch's bytes in the first segment
  std::uint64_t last_to = 0;
};

TwoCommits MakeTwoCommits() {
  SimDisk disk;
  TwoCommits made;
  const auto log = OpenOrFail(disk, TinyLog());
  EXPECT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"one", "two"}).ok());
  EXPECT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  made.last_from = EndOf(disk, TinyLog(), 0, ShardId{0}).byte;
  EXPECT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"three", "four"}).ok());
  EXPECT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  made.last_to = EndOf(disk, TinyLog(), 0, ShardId{0}).byte;
  ForgetNewestCommit(disk);
  made.image = ImageOf(disk);
  return made;
}

std::vector<std::string> OpenAndRead(Disk& disk) {
  const auto log = OpenOrFail(disk, TinyLog());
  if (log == nullptr) return {};
  return PayloadsOf(ReadAll(disk, TinyLog(), 0).value(), 0);
}

const std::vector<std::string> kWhole{"one", "two", "three", "four"};
const std::vector<std::string> kPrefix{"one", "two"};

TEST(RecoveryTest, AWholeBatchAboveThePublishedEndIsKept) {
  SimDisk disk;
  Install(disk, MakeTwoCommits().image);
  EXPECT_EQ(OpenAndRead(disk), kWhole);
}

TEST(RecoveryTest, ATailTornAtAnyByteLeavesExactlyTheBatchesBefore) {
  const TwoCommits made = MakeTwoCommits();
  for (std::uint64_t cut = made.last_from; cut < made.last_to; ++cut) {
    Image image = made.image;
    std::string& segment = image[std::string(kFirstSegment)];
    // "four" ends the batch; a cut in front of a zero byte would change nothing.
    bool changed = false;
    for (std::uint64_t at = cut; at < made.last_to; ++at) {
      changed |= segment[at] != '\0';
      segment[at] = '\0';
    }
    ASSERT_TRUE(changed);
    SimDisk disk;
    Install(disk, image);
    ASSERT_EQ(OpenAndRead(disk), kPrefix) << "cut at " << cut;
    // And the log goes on from there.
    const auto log = OpenOrFail(disk, TinyLog());
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"next"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
    const auto records = ReadAll(disk, TinyLog(), 0).value();
    ASSERT_EQ(records.at(0).back(), (ReadBack{"next", 2, RecordKind::kData, 1000}));
  }
}

TEST(RecoveryTest, AnyFlippedByteOfAnUnpublishedBatchCutsIt) {
  const TwoCommits made = MakeTwoCommits();
  for (std::uint64_t at = made.last_from; at < made.last_to; ++at) {
    SimDisk disk;
    Install(disk, made.image);
    FlipByte(disk, std::string(kFirstSegment), at);
    ASSERT_EQ(OpenAndRead(disk), kPrefix) << "flipped " << at;
  }
}

TEST(RecoveryTest, AnyFlippedByteBelowThePublishedEndKeepsTheLogShut) {
  const TwoCommits made = MakeTwoCommits();
  for (std::uint64_t at = 4096; at < made.last_from; ++at) {
    SimDisk disk;
    Install(disk, made.image);
    FlipByte(disk, std::string(kFirstSegment), at);
    const auto log = Log::Open(disk, TinyLog());
    ASSERT_FALSE(log.ok()) << "flipped " << at;
    ASSERT_EQ(log.error().code, Code::kCorrupt);
    ASSERT_NE(log.error().message.find("stream journal shard 0 segment 1"), std::string::npos);
  }
}

TEST(RecoveryTest, AFlippedByteOfAHeadKeepsTheLogShut) {
  const TwoCommits made = MakeTwoCommits();
  for (const std::uint64_t at : {0u, 8u, 13u, 20u, 24u, 32u, 40u, 48u, 64u, 70u, 90u, 4000u}) {
    SimDisk disk;
    Install(disk, made.image);
    FlipByte(disk, std::string(kFirstSegment), at);
    const auto log = Log::Open(disk, TinyLog());
    ASSERT_FALSE(log.ok()) << "flipped " << at;
    ASSERT_EQ(log.error().code, Code::kCorrupt) << "flipped " << at;
  }
}

TEST(RecoveryTest, AMissingSegmentOrMapKeepsTheLogShut) {
  const TwoCommits made = MakeTwoCommits();
  for (const std::string& path : {std::string(kFirstSegment), std::string("/log/durable.map")}) {
    SimDisk disk;
    Install(disk, made.image);
    ASSERT_TRUE(disk.Remove(path).ok());
    const auto log = Log::Open(disk, TinyLog());
    ASSERT_FALSE(log.ok()) << path;
    EXPECT_EQ(log.error().code, Code::kCorrupt) << path;
  }
}

// X torn, Y behind it whole; then X' of X's length is written where X was: Y must not come back.
TEST(RecoveryTest, AWholeBatchBehindATornOneNeverComesBack) {
  SimDisk made;
  std::uint64_t x_at = 0;
  {
    const auto log = OpenOrFail(made, TinyLog());
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"kept"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
    x_at = EndOf(made, TinyLog(), 0, ShardId{0}).byte;
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"X one"}).ok());
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"Y two"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
    ForgetNewestCommit(made);
  }
  SimDisk disk;
  Install(disk, ImageOf(made));
  FlipByte(disk, std::string(kFirstSegment), x_at + 20);
  {
    const auto log = OpenOrFail(disk, TinyLog());
    ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"X' 1!"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  }
  disk.Crash(1);
  EXPECT_EQ(OpenAndRead(disk), (std::vector<std::string>{"kept", "X' 1!"}));
}

TEST(RecoveryTest, ABatchOfAnotherGenerationIsNotTaken) {
  std::string bytes;
  PartitionTail tail;
  BatchCodec::Encode(BatchOf(PartitionId{0}, {"old"}), CommitNumber{1}, tail, bytes);
  SealBatch({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}, 1);
  EXPECT_TRUE(ParseBatch(AsBytes(bytes), 1).ok());
  EXPECT_EQ(ParseBatch(AsBytes(bytes), 2).error().code, Code::kCorrupt);

  // The same in a file: a batch that would fit in every other way.
  SimDisk disk;
  OpenOrFail(disk, TinyLog());
  const auto file = disk.Open(std::string(kFirstSegment), OpenMode::kReadWrite);
  SealBatch({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}, 7);
  ASSERT_TRUE((*file)->WriteAt(4096, AsBytes(bytes)).ok());
  EXPECT_TRUE(OpenAndRead(disk).empty());
  SealBatch({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}, 1);
  ASSERT_TRUE((*file)->WriteAt(4096, AsBytes(bytes)).ok());
  EXPECT_EQ(OpenAndRead(disk), std::vector<std::string>{"old"});
}

TEST(RecoveryTest, ASegmentThatWasNeverUsedIsMadeAgain) {
  const TwoCommits made = MakeTwoCommits();
  for (const std::size_t size : {0u, 100u, 16u << 10}) {
    SimDisk disk;
    Install(disk, made.image);
    const std::string path = "/log/journal/shard-0/00000000000000000002.seg";
    ASSERT_TRUE(WriteFileDurably(disk, path, std::string(size, 'z')).ok());
    EXPECT_EQ(OpenAndRead(disk), kWhole);
    EXPECT_FALSE(disk.Exists(path));
  }
}

TEST(RecoveryTest, ANewerFormatIsRefusedAndNothingIsCut) {
  const TwoCommits made = MakeTwoCommits();
  Image image = made.image;
  std::string& segment = image[std::string(kFirstSegment)];
  // The last batch as version 2 with a right check.
  segment[made.last_from + 12] = 2;
  SealBatch({reinterpret_cast<std::uint8_t*>(segment.data()) + made.last_from,
             made.last_to - made.last_from},
            1);
  SimDisk disk;
  Install(disk, image);
  EXPECT_EQ(Log::Open(disk, TinyLog()).error().code, Code::kUnsupported);
  EXPECT_EQ(ImageOf(disk)[std::string(kFirstSegment)], segment);
}

TEST(RecoveryTest, ATornLedgerTailIsCutAndAnEarlierBreakIsCorrupt) {
  SimDisk made;
  const std::vector<Log::LedgerEntry> first{{0, PartitionId{0}, Offset{1}, ConfigSeq{1}, "aa"}};
  const std::vector<Log::LedgerEntry> second{{0, PartitionId{1}, Offset{2}, ConfigSeq{2}, "bb"}};
  std::string whole;
  std::size_t second_at = 0;
  {
    const auto log = OpenOrFail(made, TinyLog());
    ASSERT_TRUE(log->AppendLedger(first).ok());
    second_at = ReadWholeFile(made, "/log/ledger")->size();
    ASSERT_TRUE(log->AppendLedger(second).ok());
    whole = ReadWholeFile(made, "/log/ledger").value();
  }
  for (std::size_t cut = second_at; cut < whole.size(); ++cut) {
    for (const bool zeros : {false, true}) {  // shorter, or as long with what was lost as zeros
      std::string torn = whole.substr(0, cut);
      if (zeros) torn.resize(whole.size());
      SimDisk disk;
      ASSERT_TRUE(disk.MakeFolders("/log").ok());
      ASSERT_TRUE(WriteFileDurably(disk, "/log/ledger", torn).ok());
      const auto log = OpenOrFail(disk, TinyLog());
      ASSERT_NE(log, nullptr) << cut;
      ASSERT_EQ(log->ledger().size(), 1u) << cut;
      ASSERT_TRUE(log->AppendLedger(second).ok());
      ASSERT_EQ(ReadWholeFile(disk, "/log/ledger").value(), whole);
    }
  }
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("/log").ok());
  ASSERT_TRUE(WriteFileDurably(disk, "/log/ledger", whole).ok());
  FlipByte(disk, "/log/ledger", second_at - 1);
  EXPECT_EQ(Log::Open(disk, TinyLog()).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace telltale::log
