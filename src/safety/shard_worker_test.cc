#include "safety/shard_worker.h"

#include <gtest/gtest.h>

#include <tuple>

#include "base/random.h"
#include "base/sim_disk.h"
#include "internal/v1/internal.pb.h"
#include "log/retention.h"
#include "safety/output.h"
#include "safety/test_contract.h"

namespace telltale::safety {
namespace {

using testing::MakeRecord;
using testing::TestRecord;

const char* const kYaml =
    "version: 1\n"
    "rules:\n"
    "- name: warning\n"
    "  kind: edge\n"
    "  field: is_fcw_warning\n"
    "  severity: HIGH\n";
constexpr std::uint16_t kPartitions = 4;
constexpr std::uint16_t kShards = 2;
constexpr Micros kStart = Micros::Seconds(1'700'000'000);

using Name = std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>;  // partition, offset, index
using Outputs = std::map<Name, std::string>;

log::LogOptions LogAt(const std::string& dir, const std::string& stream) {
  return {.dir = dir,
          .streams = {stream},
          .partitions = kPartitions,
          .shards = kShards,
          .segment_bytes = 64u << 10,
          .ticks = false};
}

// One installation on a simulated disk: stream `safety`, and a worker of shard 0 that may be
// killed.
class Installation {
 public:
  Installation() { Start(); }

  // Two partitions of shard 0 take turns; every third report ends or begins a warning, unless
  // quiet.
  void Drive(std::size_t reports, bool quiet = false) {
    for (std::size_t n = 0; n < reports; ++n) {
      const std::uint16_t partition = (driven_ % 2) == 0 ? 0 : 2;
      VehicleRef ref;
      ref.bytes[7] = static_cast<std::uint8_t>(partition);
      const bool warning = !quiet && driven_ % 3 == 0;
      TestRecord record = MakeRecord(
          0, ref, {1, 1}, driven_, kStart + Micros{static_cast<std::int64_t>(driven_) * 100'000},
          [warning](auto& report) { report.set_is_fcw_warning(warning); });
      log::BatchBuilder batch(PartitionId{partition});
      batch.Add(record.view.header, "1.0.0", AsBytes(record.payload));
      const log::ShardWriter::Staged staged{0, &batch};
      ASSERT_TRUE(safety_->shard(ShardId{0}).Append({&staged, 1}).ok());
      ++driven_;
    }
    ASSERT_TRUE(safety_->shard(ShardId{0}).SyncNow().ok());
  }

  // Until nothing is left to read; false when the disk failed on the way.
  bool Work() {
    while (true) {
      const auto turn = worker_->RunOnce();
      clock_.Advance(Micros{kMarkPaceUs});
      if (!turn.ok()) return false;
      if (!turn->read) break;
    }
    return worker_->RunOnce().ok();
  }
  // One group without time passing: a group without outputs leaves its marks unwritten.
  bool WorkOnce() { return worker_->RunOnce().ok(); }
  std::uint64_t driven() const { return driven_; }
  ShardWorker& worker() { return *worker_; }
  SimDisk& disk() { return disk_; }

  // kill -9: what is in memory is gone, what was handed to the disk is not.
  void Kill() {
    worker_.reset();
    journal_.reset();
    safety_.reset();
  }
  void Start() {
    const Status opened = TryStart();
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  }
  Status TryStart() {
    auto safety = log::Log::Open(disk_, LogAt("/log", "safety"));
    auto journal = log::Log::Open(disk_, LogAt("/journal", "journal"));
    CHECK(safety.ok() && journal.ok() && disk_.MakeFolders("/worker").ok());
    safety_ = std::move(safety).value();
    journal_ = std::move(journal).value();
    worker_ = std::make_unique<ShardWorker>(
        ShardOptions{.snapshot_path = "/worker/shard-0.snapshot",
                     .positions_dir = "/positions",
                     .consumer = "worker-aaaaaaaa",
                     .environment = "test",
                     .head = {.release = std::string(64, 'a'),
                              .shard = 0,
                              .shards = kShards,
                              .partitions = kPartitions,
                              .rules = 1},
                     .erasure_list = "/erased/list"},
        engine_, *streams_, journal_->shard(ShardId{0}), disk_, clock_, counters_);
    return worker_->Open();
  }
  // The vehicle of the reports in `partition` goes on the erasure list.
  void Erase(std::uint16_t partition) {
    VehicleRef ref;
    ref.bytes[7] = static_cast<std::uint8_t>(partition);
    ASSERT_TRUE(disk_.MakeFolders("/erased").ok());
    ASSERT_TRUE(AppendErasure(disk_, "/erased/list", ref).ok());
  }
  bool Knows(std::uint16_t partition) const {
    const auto at = worker_->partitions().find(PartitionId{partition});
    return at != worker_->partitions().end() && !at->second.vehicles.empty();
  }
  std::uint64_t ErasedRecords() { return counters_.Drops("safety", Reason::kErased).value(); }
  std::size_t VehiclesInSnapshot() {
    const auto file = ReadWholeFile(disk_, "/worker/shard-0.snapshot");
    if (!file.ok()) return 0;
    const auto snapshot = DecodeSnapshotBody(AsBytes(*file).subspan(24, file->size() - 28));
    CHECK(snapshot.ok());
    std::size_t count = 0;
    for (const auto& [id, state] : snapshot->partitions) count += state.vehicles.size();
    return count;
  }
  // All but the newest segment of stream `safety` goes, whoever wants it.
  void Expire() {
    ASSERT_TRUE(disk_.MakeFolders("/none").ok());
    const auto report = log::Retain(disk_, "/log", {"/none", {{"safety", Micros{1}, 0, {}}}},
                                    kStart + Micros::Seconds(1'000'000));
    ASSERT_TRUE(report.ok()) << report.error().ToString();
    ASSERT_GT(report->shards[0].segments_removed, 0u);
  }

  // What a reader of the journal may forward, by name; a name with two contents is a failure.
  void Forwardable(Outputs& out, std::map<std::uint32_t, std::uint64_t>& marks) {
    auto reader = log::Reader::Open(disk_, "/journal", "journal", ShardId{0}, {});
    ASSERT_TRUE(reader.ok());
    Outputs waiting;
    while (true) {
      const auto next = (*reader)->Next();
      ASSERT_TRUE(next.ok());
      if (*next == nullptr) break;
      internal::v1::JournalEntry entry;
      ASSERT_TRUE(entry.ParseFromString(std::string(AsText((*next)->payload))));
      if (entry.has_progress()) {
        std::uint64_t& mark = marks[entry.progress().partition()];
        mark = std::max(mark, entry.progress().below_offset());
        continue;
      }
      const Name name{entry.output().partition(), entry.output().input_offset(),
                      entry.output().index()};
      const auto [at, added] = waiting.emplace(name, entry.SerializeAsString());
      EXPECT_EQ(at->second, entry.SerializeAsString()) << "one name, one content";
    }
    for (const auto& [name, bytes] : waiting) {
      if (std::get<1>(name) < marks[std::get<0>(name)]) out.emplace(name, bytes);
    }
  }

  std::size_t OutputsInJournal() {
    auto reader = log::Reader::Open(disk_, "/journal", "journal", ShardId{0}, {});
    CHECK(reader.ok());
    std::size_t outputs = 0;
    while (true) {
      const auto next = (*reader)->Next();
      CHECK(next.ok());
      if (*next == nullptr) return outputs;
      internal::v1::JournalEntry entry;
      CHECK(entry.ParseFromString(std::string(AsText((*next)->payload))));
      outputs += entry.has_output() ? 1 : 0;
    }
  }

  // What there should be: the pure function over the stream from offset 0.
  Outputs Expected() {
    Outputs out;
    auto reader = log::Reader::Open(disk_, "/log", "safety", ShardId{0}, {});
    std::map<PartitionId, PartitionState> states;
    std::vector<Output> outputs;
    while (true) {
      const auto next = (*reader)->Next();
      if (!next.ok() || *next == nullptr) return out;
      const log::RecordView& record = **next;
      EXPECT_TRUE(Apply(engine_, record, states[record.partition], outputs).ok());
      for (const Output& output : outputs) {
        out.emplace(Name{record.partition.value, record.offset.value, output.index},
                    EncodeOutput("test", engine_.set.rules[output.rule], record, output));
      }
    }
  }
  Counters& counters() { return counters_; }
  log::Log& safety() { return *safety_; }

 private:
  SimDisk disk_;
  const std::unique_ptr<log::Streams> streams_ = log::StreamsOnFiles(disk_, "/log");
  ManualClock clock_{kStart};
  Counters counters_;
  const Engine engine_{testing::MustLoad(kYaml)};
  std::unique_ptr<log::Log> safety_;
  std::unique_ptr<log::Log> journal_;
  std::unique_ptr<ShardWorker> worker_;
  std::size_t driven_ = 0;
};

void ExpectAllForwardable(Installation& place) {
  Outputs forwarded;
  std::map<std::uint32_t, std::uint64_t> marks;
  place.Forwardable(forwarded, marks);
  const Outputs expected = place.Expected();
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(forwarded, expected);
}

TEST(ShardWorkerTest, EveryOutputIsInTheJournalBelowItsMark) {
  Installation place;
  place.Drive(200);
  ASSERT_TRUE(place.Work());
  ExpectAllForwardable(place);
}

TEST(ShardWorkerTest, GoesOnFromItsSnapshotAndReplaysTheRestUnderTheSameNames) {
  Installation place;
  place.Drive(100);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  place.Drive(50);
  ASSERT_TRUE(place.Work());
  place.Kill();
  place.Start();
  EXPECT_FALSE(place.worker().partitions().empty()) << "the snapshot is there";
  place.Drive(50);
  ASSERT_TRUE(place.Work());
  ExpectAllForwardable(place);
}

TEST(ShardWorkerTest, WithoutAReadableSnapshotItReplaysEverything) {
  Installation place;
  place.Drive(60);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  place.Kill();
  auto file = place.disk().Open("/worker/shard-0.snapshot", OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->WriteAt(30, AsBytes("spoiled")).ok());
  place.Start();
  EXPECT_TRUE(place.worker().partitions().empty());
  ASSERT_TRUE(place.Work());
  ExpectAllForwardable(place);
}

TEST(ShardWorkerTest, OnAFullDiskItWaitsAndThenLosesAndDoublesNothing) {
  Installation place;
  Outputs forwarded;
  std::map<std::uint32_t, std::uint64_t> marks;
  bool is_stuck = false;
  for (int round = 0; round < 100 && !is_stuck; ++round) {
    place.disk().SetCapacity(UINT64_MAX);
    place.Drive(150);
    place.disk().SetCapacity(1);  // what was reserved may still be written
    const auto turn = place.worker().RunOnce();
    ASSERT_TRUE(turn.ok() || turn.error().code == Code::kOverloaded) << turn.error().ToString();
    place.Forwardable(forwarded, marks);
    is_stuck = marks[0] + marks[2] < place.driven();
  }
  ASSERT_TRUE(is_stuck) << "the journal needed no new segment";
  for (int again = 0; again < 3; ++again) {
    const auto turn = place.worker().RunOnce();
    ASSERT_FALSE(turn.ok());
    EXPECT_EQ(turn.error().code, Code::kOverloaded);
  }
  place.disk().SetCapacity(UINT64_MAX);
  ASSERT_TRUE(place.Work());
  ExpectAllForwardable(place);
  place.Forwardable(forwarded, marks);
  EXPECT_EQ(marks[0] + marks[2], place.driven());
  EXPECT_EQ(place.OutputsInJournal(), place.Expected().size());
}

TEST(ShardWorkerTest, ANewReleaseBeginsAtTheOldestRecordThatRetentionKept) {
  Installation place;
  place.Drive(2'000);
  place.Expire();
  place.Kill();
  place.Start();
  ASSERT_TRUE(place.Work());
  ExpectAllForwardable(place);
}

TEST(ShardWorkerTest, ASnapshotWhoseNextRecordsWereRemovedIsSaidToBeExpiredAndKept) {
  Installation place;
  place.Drive(100);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  place.Drive(2'000);
  place.Expire();
  place.Kill();
  const Status opened = place.TryStart();
  ASSERT_FALSE(opened.ok());
  EXPECT_TRUE(log::IsExpired(opened.error())) << opened.error().ToString();
  // A person has decided: without the snapshot it goes on with what there is.
  ASSERT_TRUE(place.disk().Remove("/worker/shard-0.snapshot").ok());
  place.Kill();
  place.Start();
  ASSERT_TRUE(place.Work());
}

TEST(ShardWorkerTest, WhatLiesBeforeABrokenPlaceIsStillWritten) {
  Installation place;
  place.Drive(60);
  const std::string path = "/log/safety/shard-0/00000000000000000001.seg";
  auto file = place.disk().Open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok());
  const std::string bytes = *ReadWholeFile(place.disk(), path);
  // A byte of the last batch: everything before it is whole.
  const std::size_t last = bytes.find_last_not_of('\0');
  ASSERT_TRUE((*file)->WriteAt(last, AsBytes("!")).ok());
  EXPECT_FALSE(place.Work());
  ExpectAllForwardable(place);
}

TEST(ShardWorkerTest, AFailingDiskAndAPowerCutAnywhereLoseAndDoubleNothing) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SeededRandom random(seed);
    Installation place;
    for (int round = 0; round < 4; ++round) {
      const bool quiet = random.Below(2) == 0;
      place.Drive(20 + random.Below(40));
      if (quiet) {
        // Just marked: what comes now is read but not yet marked when the snapshot is taken.
        ASSERT_TRUE(place.WorkOnce());
        place.Drive(1 + random.Below(40), quiet);
      }
      place.disk().FailAfter(random.Below(quiet ? 12 : 40));
      if ((quiet ? place.WorkOnce() : place.Work()) && random.Below(3) != 0) {
        const Status saved = place.worker().SaveSnapshot();
        static_cast<void>(saved.ok());  // may fail: that is the point
      }
      place.Kill();
      place.disk().FailNever();
      if (random.Below(2) == 0) place.disk().Crash(seed * 100 + static_cast<unsigned>(round));
      place.Start();
      if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
    }
    ASSERT_TRUE(place.Work());
    Outputs forwarded;
    std::map<std::uint32_t, std::uint64_t> marks;
    place.Forwardable(forwarded, marks);
    ASSERT_EQ(forwarded, place.Expected()) << "seed " << seed;
    ASSERT_EQ(marks[0] + marks[2], place.driven()) << "seed " << seed;
  }
}

TEST(ShardWorkerTest, AnUnknownControlRecordStopsItsPartitionAloneAndKeepsTheSnapshotBeforeIt) {
  Installation place;
  place.Drive(20);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  const auto before = ReadWholeFile(place.disk(), "/worker/shard-0.snapshot");
  log::RecordHeader header;
  header.kind = log::RecordKind::kQuarantine;  // has no business in this stream
  header.receipt_time = kStart;
  log::BatchBuilder batch(PartitionId{0});
  batch.Add(header, "", {});
  const log::ShardWriter::Staged staged{0, &batch};
  ASSERT_TRUE(place.safety().shard(ShardId{0}).Append({&staged, 1}).ok());
  place.Drive(20);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());

  ASSERT_EQ(place.worker().stopped().size(), 1u);
  EXPECT_EQ(place.worker().stopped().begin()->first, PartitionId{0});
  EXPECT_EQ(*ReadWholeFile(place.disk(), "/worker/shard-0.snapshot"), *before);
  Outputs forwarded;
  std::map<std::uint32_t, std::uint64_t> marks;
  place.Forwardable(forwarded, marks);
  EXPECT_EQ(marks[0], 10u) << "the stopped partition's mark stays at the record it cannot read";
  EXPECT_EQ(marks[2], 20u) << "the other goes on";
}

TEST(ErasureTest, AnErasedVehicleLeavesTheStateAndTheSnapshotWhileTheWorkerRuns) {
  Installation place;
  place.Drive(40);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  ASSERT_TRUE(place.Knows(0));
  ASSERT_EQ(place.VehiclesInSnapshot(), 2u);
  place.Erase(0);
  for (std::int64_t us = 0; us <= kErasureLookUs; us += kMarkPaceUs) ASSERT_TRUE(place.Work());
  EXPECT_FALSE(place.Knows(0));
  EXPECT_TRUE(place.Knows(2));
  EXPECT_EQ(place.VehiclesInSnapshot(), 1u);
}

TEST(ErasureTest, ReportsOfAnErasedVehicleAreCountedAndGiveNothing) {
  Installation place;
  place.Erase(0);
  place.Kill();
  place.Start();
  place.Drive(40);
  ASSERT_TRUE(place.Work());
  EXPECT_EQ(place.ErasedRecords(), 20u);
  EXPECT_FALSE(place.Knows(0));
  Outputs outputs;
  std::map<std::uint32_t, std::uint64_t> marks;
  place.Forwardable(outputs, marks);
  EXPECT_FALSE(outputs.empty());
  for (const auto& [name, bytes] : outputs) EXPECT_EQ(std::get<0>(name), 2u);
  EXPECT_EQ(marks[0], 20u) << "its partition goes on";
}

TEST(ErasureTest, AReplayFromTheBeginningBringsNoErasedVehicleBack) {
  Installation place;
  place.Drive(40);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  place.Erase(2);
  place.Kill();
  ASSERT_TRUE(place.disk().Remove("/worker/shard-0.snapshot").ok());
  place.Start();
  ASSERT_TRUE(place.Work());
  EXPECT_TRUE(place.Knows(0));
  EXPECT_FALSE(place.Knows(2));
}

TEST(ErasureTest, AWorkerWhoseSnapshotHasAnErasedVehicleWritesItAnewAtItsStart) {
  Installation place;
  place.Drive(40);
  ASSERT_TRUE(place.Work());
  ASSERT_TRUE(place.worker().SaveSnapshot().ok());
  place.Kill();
  place.Erase(0);
  place.Start();
  ASSERT_TRUE(place.Work());
  EXPECT_EQ(place.VehiclesInSnapshot(), 1u);
}

TEST(ErasureTest, AWorkerDoesNotStartWithoutAListItCannotRead) {
  Installation place;
  place.Kill();
  ASSERT_TRUE(place.disk().MakeFolders("/erased").ok());
  ASSERT_TRUE(WriteFileDurably(place.disk(), "/erased/list", "no such list\n").ok());
  EXPECT_FALSE(place.TryStart().ok());
}

}  // namespace
}  // namespace telltale::safety
