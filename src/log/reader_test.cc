// Positions, hints, and readers beside a writer.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "log/log_testing.h"

namespace telltale::log {
namespace {

std::string TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "telltale-log-XXXXXX").string();
  CHECK(mkdtemp(pattern.data()) != nullptr);
  return pattern;
}

LogOptions OneShard() {
  LogOptions options = SmallLog();
  options.streams = {"safety"};
  options.shards = 1;
  options.segment_bytes = 8192;
  return options;
}

// Batches of 3 records, partitions in turn.
void Fill(Log& log, int batches, int from = 0) {
  for (int i = from; i < from + batches; ++i) {
    const PartitionId partition{static_cast<std::uint16_t>(i % 4)};
    const std::string n = std::to_string(i);
    ASSERT_TRUE(AppendOne(log, 0, partition, {n + "a", n + "b", n + std::string(100, 'c')}).ok());
  }
  ASSERT_TRUE(log.shard(ShardId{0}).SyncNow().ok());
}

std::unique_ptr<Reader> ReaderAt(Disk& disk, const LogOptions& options, const Position& from) {
  auto reader = Reader::Open(disk, options.dir, options.streams[0], ShardId{0}, from);
  if (!reader.ok()) {
    ADD_FAILURE() << reader.error().ToString();
    return nullptr;
  }
  return std::move(reader).value();
}

std::vector<std::pair<std::uint16_t, std::uint64_t>> PlacesFrom(Reader& reader) {
  std::vector<std::pair<std::uint16_t, std::uint64_t>> places;
  while (true) {
    const auto record = reader.Next();
    if (!record.ok()) {
      ADD_FAILURE() << record.error().ToString();
      return places;
    }
    if (*record == nullptr) return places;
    places.emplace_back((*record)->partition.value, (*record)->offset.value);
  }
}

TEST(ReaderTest, GoesOnExactlyBehindAnyRecordWhateverTheHintSays) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 60);
  const auto all = PlacesFrom(*ReaderAt(disk, options, {}));
  ASSERT_EQ(all.size(), 180u);
  const auto walker = ReaderAt(disk, options, {});
  for (std::size_t read = 0; read <= all.size(); ++read) {
    const Position exact = walker->position();
    std::vector<Position> hints(6, exact);
    hints[1].segment = 0;  // none
    hints[2].byte += 1;    // inside a batch
    hints[3].segment = 1;  // an older one
    hints[3].byte = 4096;
    hints[4].segment = 999;  // not there
    hints[5] = all.size() == read ? exact : Position{exact.next, UINT64_MAX, UINT64_MAX};
    for (const Position& from : hints) {
      const auto rest = PlacesFrom(*ReaderAt(disk, options, from));
      ASSERT_EQ(rest.size(), all.size() - read) << read;
      ASSERT_TRUE(
          std::equal(rest.begin(), rest.end(), all.begin() + static_cast<std::ptrdiff_t>(read)));
    }
    ASSERT_TRUE(walker->Next().ok());
  }
}

TEST(ReaderTest, AHintBeyondWantedRecordsIsNotFollowed) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 60);
  Position position = EndOf(disk, options, 0, ShardId{0}).next.empty()
                          ? Position{}
                          : Position{{}, EndOf(disk, options, 0, ShardId{0}).segment, 4096};
  position.next.assign(4, Offset{10});
  EXPECT_EQ(PlacesFrom(*ReaderAt(disk, options, position)).size(), 180u - 40u);
  // At the end with offsets that are not: everything missing is read.
  const DurableEnd end = EndOf(disk, options, 0, ShardId{0});
  position.segment = end.segment;
  position.byte = end.byte;
  const auto reader = ReaderAt(disk, options, position);
  Fill(*log, 4, 60);
  EXPECT_EQ(PlacesFrom(*reader).size(), 192u - 40u);
}

TEST(ReaderTest, ReadsOnWhenMoreBecomesDurable) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  const auto reader = ReaderAt(disk, options, {});
  EXPECT_TRUE(PlacesFrom(*reader).empty());
  for (int i = 0; i < 40; ++i) {
    Fill(*log, 1, i);
    EXPECT_EQ(PlacesFrom(*reader).size(), 3u);
  }
  EXPECT_EQ(reader->position().next, EndOf(disk, options, 0, ShardId{0}).next);
}

TEST(ReaderTest, WhereThereIsNoLogStreamOrShardItSaysSo) {
  SimDisk disk;
  EXPECT_EQ(Reader::Open(disk, "/log", "safety", ShardId{0}, {}).error().code, Code::kNotFound);
  OpenOrFail(disk, OneShard());
  EXPECT_EQ(Reader::Open(disk, "/log", "other", ShardId{0}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(Reader::Open(disk, "/log", "safety", ShardId{1}, {}).error().code, Code::kInvalid);
  Position other;
  other.next.resize(3);
  EXPECT_EQ(Reader::Open(disk, "/log", "safety", ShardId{0}, other).error().code, Code::kInvalid);
}

TEST(ReaderTest, WhereverTheDiskFailsTheNextCallGoesOnFromTheSameRecord) {
  SimDisk disk;
  const LogOptions options = OneShard();
  auto log = Log::Open(disk, options).value();
  Fill(*log, 80);  // several segments
  const auto whole = PlacesFrom(*ReaderAt(disk, options, {}));
  ASSERT_EQ(whole.size(), 240u);
  const auto reader = ReaderAt(disk, options, {});
  std::vector<std::pair<std::uint16_t, std::uint64_t>> places;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    disk.FailReads(n % 5 == 0);
    auto record = reader->Next();
    if (!record.ok()) {
      EXPECT_EQ(record.error().code, Code::kUnavailable);
      EXPECT_FALSE(reader->Next().ok());
      disk.FailReads(false);
      record = reader->Next();
    }
    ASSERT_TRUE(record.ok() && *record != nullptr) << n;
    places.emplace_back((*record)->partition.value, (*record)->offset.value);
  }
  EXPECT_EQ(places, whole);
  EXPECT_EQ(*reader->Next(), nullptr);
}

TEST(ReaderTest, AFlippedByteBelowTheDurableEndStopsItAndNamesThePlace) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 60);
  const std::uint64_t segment = 2;
  FlipByte(disk, "/log/safety/shard-0/00000000000000000002.seg", 4096 + 90);
  const auto reader = ReaderAt(disk, options, {});
  Result<const RecordView*> record = reader->Next();
  std::size_t read = 0;
  for (; record.ok() && *record != nullptr; record = reader->Next()) ++read;
  ASSERT_FALSE(record.ok());
  EXPECT_GT(read, 0u);
  EXPECT_EQ(record.error().code, Code::kCorrupt);
  EXPECT_NE(record.error().message.find("stream safety shard 0 segment 2 byte 4096"),
            std::string::npos)
      << record.error().message;
  EXPECT_EQ(reader->Next().error().code, Code::kCorrupt);
  EXPECT_EQ(reader->position().segment, segment);
}

TEST(ReaderTest, AnUnknownRecordKindStopsThereAndNamesThePlace) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  BatchBuilder batch(PartitionId{3});
  AddRecord(batch, "known");
  RecordHeader header;
  header.kind = static_cast<RecordKind>(9);
  batch.Add(header, "1.0.0", AsBytes("?"));
  const ShardWriter::Staged staged{0, &batch};
  ASSERT_TRUE(log->shard(ShardId{0}).Append({&staged, 1}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  const auto reader = ReaderAt(disk, options, {});
  EXPECT_NE(reader->Next().value(), nullptr);
  const auto stopped = reader->Next();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Code::kUnsupported);
  EXPECT_NE(stopped.error().message.find("partition 3 offset 1"), std::string::npos)
      << stopped.error().message;
  EXPECT_EQ(reader->position().next[3].value, 1u);
}

TEST(ReaderTest, RemovedOldSegmentsLetAReaderBeginAtTheOldestLeft) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  Fill(*log, 100);
  ASSERT_TRUE(disk.Remove("/log/safety/shard-0/00000000000000000001.seg").ok());
  ASSERT_TRUE(disk.Remove("/log/safety/shard-0/00000000000000000002.seg").ok());
  const auto places = PlacesFrom(*ReaderAt(disk, options, {}));
  ASSERT_FALSE(places.empty());
  EXPECT_GT(places.front().second, 0u);
  EXPECT_LT(places.size(), 300u);
}

// Real files, the reader with a Disk of its own and in a process of its own.
TEST(ReaderTest, AReaderInAnotherProcessSeesEverythingOnceWhileTheOwnerWrites) {
  PosixDisk disk;
  LogOptions options = OneShard();
  options.dir = TempFolder() + "/log";
  options.segment_bytes = 32u << 10;
  constexpr int kBatches = 600;
  {
    const auto created = OpenOrFail(disk, options);
  }
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    PosixDisk own;
    const auto reader = Reader::Open(own, options.dir, "safety", ShardId{0}, {});
    std::vector<std::uint64_t> next(4);
    std::uint64_t read = 0;
    while (reader.ok() && read < kBatches * 3) {
      const auto record = (*reader)->Next();
      if (!record.ok()) _exit(2);
      if (*record == nullptr) {
        std::this_thread::yield();
        continue;
      }
      if ((*record)->offset.value != next[(*record)->partition.value]++) _exit(3);
      ++read;
    }
    _exit(reader.ok() ? 0 : 4);
  }
  {
    const auto log = OpenOrFail(disk, options);
    for (int i = 0; i < kBatches; i += 20) Fill(*log, 20, i);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  std::filesystem::remove_all(ParentFolder(options.dir));
}

TEST(ReaderTest, ThreadsMayReadWhileTheOwnerWritesAndRolls) {
  SimDisk disk;
  const LogOptions options = OneShard();
  const auto log = OpenOrFail(disk, options);
  constexpr std::size_t kRecords = 300 * 3;
  std::atomic<int> failures{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const auto reader = Reader::Open(disk, options.dir, "safety", ShardId{0}, {});
      std::size_t read = 0;
      while (read < kRecords) {
        const auto record = (*reader)->Next();
        if (!record.ok()) {
          ++failures;
          return;
        }
        if (*record == nullptr) {
          std::this_thread::yield();
        } else {
          ++read;
        }
      }
    });
  }
  for (int i = 0; i < 300; i += 5) Fill(*log, 5, i);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(failures, 0);
}

TEST(PositionTest, ComesBackAsItWas) {
  SimDisk disk;
  Position position;
  position.next = {Offset{1}, Offset{0}, Offset{UINT64_MAX}};
  position.segment = 7;
  position.byte = 4096;
  ASSERT_TRUE(disk.MakeFolders("/positions").ok());
  EXPECT_EQ(LoadPosition(disk, "/positions", "lake", "telemetry", ShardId{1}).error().code,
            Code::kNotFound);
  ASSERT_TRUE(SavePosition(disk, "/positions", "lake", "telemetry", ShardId{1}, {}).ok());
  ASSERT_TRUE(SavePosition(disk, "/positions", "lake", "telemetry", ShardId{1}, position).ok());
  disk.Crash(3);
  const auto loaded = LoadPosition(disk, "/positions", "lake", "telemetry", ShardId{1});
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ(loaded->next, position.next);
  EXPECT_EQ(loaded->segment, position.segment);
  EXPECT_EQ(loaded->byte, position.byte);
}

TEST(PositionTest, AnotherUserMayReadIt) {
  PosixDisk disk;
  const std::string folder = TempFolder();
  ASSERT_TRUE(SavePosition(disk, folder, "vault", "sealed", ShardId{0}, {}).ok());
  const auto status = std::filesystem::status(folder + "/vault/sealed-0");
  EXPECT_NE(status.permissions() & std::filesystem::perms::others_read,
            std::filesystem::perms::none);
  std::filesystem::remove_all(folder);
}

TEST(PositionTest, CutOrFlippedBytesAreCorrupt) {
  Position position;
  position.next.resize(5);
  const std::string good = position.Encode();
  ASSERT_TRUE(Position::Decode(AsBytes(good)).ok());
  for (std::size_t at = 0; at < good.size(); ++at) {
    EXPECT_EQ(Position::Decode(AsBytes(good).first(at)).error().code, Code::kCorrupt);
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_EQ(Position::Decode(AsBytes(flipped)).error().code, Code::kCorrupt);
  }
  EXPECT_EQ(Position::Decode(AsBytes(good + "x")).error().code, Code::kCorrupt);
}

TEST(WakeTest, AWaitingClientIsWokenAndOneWithoutServerLivesByItsTimeout) {
  const std::string folder = TempFolder();
  const std::string path = folder + "/wake.sock";
  WakeClient client(path);
  client.Wait(std::chrono::milliseconds(1));  // no server: the timeout
  auto server = WakeServer::Start(path);
  ASSERT_TRUE(server.ok());
  client.Wait(std::chrono::hours(1));  // connects, and says look again
  std::atomic<bool> woken{false};
  std::thread waiting([&] {
    client.Wait(std::chrono::hours(1));
    woken = true;
  });
  while (!woken) {
    (*server)->WakeAll();
    std::this_thread::yield();
  }
  waiting.join();
  *server = nullptr;
  client.Wait(std::chrono::hours(1));  // hung up: returns at once
  client.Wait(std::chrono::milliseconds(1));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace telltale::log
