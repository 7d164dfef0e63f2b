// A rollout's candidate: where it begins, and that it concludes the same after any crash.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <set>
#include <tuple>

#include "base/random.h"
#include "base/sim_disk.h"
#include "safety/output.h"
#include "safety/shard_worker.h"
#include "safety/test_contract.h"
#include "seal/seal.h"

namespace telltale::safety {
namespace {

using testing::MakeRecord;
using testing::TestRecord;
using testing::Vehicle;

const std::string kStable(64, 'a');
const std::string kCandidate(64, 'b');
constexpr std::uint16_t kPartitions = 2;
constexpr Micros kStart = Micros::Seconds(1'700'000'000);

using Name = std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>;  // partition, offset, index
using Outputs = std::map<Name, std::string>;
using Marks = std::map<std::uint32_t, internal::v1::JournalEntry::Progress>;

log::LogOptions LogAt(const std::string& dir, const std::string& stream) {
  return {.dir = dir,
          .streams = {stream},
          .partitions = kPartitions,
          .shards = 1,
          .segment_bytes = 64u << 10,
          .ticks = false};
}

// Stream `safety` in two partitions of one shard, the config records that are kept, and a worker.
class Site {
 public:
  explicit Site(const std::string& release)
      : release_(release),
        engine_(testing::MustLoad("version: 1\nrules:\n- name: warning\n  kind: edge\n"
                                  "  field: is_fcw_warning\n  severity: HIGH\n"),
                release) {
    Open();
  }

  void PutInForce(std::uint32_t shadow_lots, std::uint64_t began = 2,
                  std::set<std::uint16_t> partitions = {0, 1},
                  const std::string& stable = kStable) {
    internal::v1::ConfigRecord config;
    config.set_config_seq(++config_seq_);
    config.set_stable_release(stable);
    if (config_seq_ >= began && stable != kCandidate) {
      config.mutable_rollout()->set_candidate(kCandidate);
      config.mutable_rollout()->set_began_config_seq(began);
      config.mutable_rollout()->set_shadow_lots(shadow_lots);
    }
    Keep(config, partitions);
  }
  // The candidate, whose speaker is stable: its rollout goes on, or it is in force itself.
  void PutSilentInForce(bool has_arrived) {
    internal::v1::ConfigRecord config;
    config.set_config_seq(++config_seq_);
    config.set_stable_release(kStable);
    if (has_arrived) config.set_stable_in_force(kCandidate);
    if (!has_arrived) {
      config.mutable_silent_rollout()->set_candidate(kCandidate);
      config.mutable_silent_rollout()->set_began_config_seq(config_seq_);
      config.mutable_silent_rollout()->set_shadow_lots(5'001);
    }
    Keep(config, {0, 1});
  }
  // As the log's owner does: kept, then in each partition, then in the ledger.
  void Keep(const internal::v1::ConfigRecord& config, const std::set<std::uint16_t>& partitions) {
    internal::v1::SignedConfig envelope;
    envelope.set_record(config.SerializeAsString());
    envelope.set_key_id(seal::KeyId(control_.public_raw));
    envelope.set_signature(*seal::SignEd25519(control_.private_raw, envelope.record()));
    payload_ = envelope.SerializeAsString();
    ASSERT_TRUE(disk_.MakeFolders("/log/config").ok());
    ASSERT_TRUE(
        WriteFileDurably(disk_, fmt::format("/log/config/{:020}", config_seq_), payload_).ok());
    for (const std::uint16_t partition : partitions) Append(partition);
  }
  // The newest one reaches a partition.
  void Append(std::uint16_t partition) {
    log::RecordHeader header;
    header.kind = log::RecordKind::kConfig;
    header.receipt_time = Now();
    log::BatchBuilder batch(PartitionId{partition});
    batch.Add(header, "", AsBytes(payload_));
    const log::ShardWriter::Staged staged{0, &batch};
    log::ShardWriter& shard = safety_->shard(ShardId{0});
    const log::Log::LedgerEntry entry{0, PartitionId{partition},
                                      shard.next_offset(0, PartitionId{partition}),
                                      ConfigSeq{config_seq_}, "digest"};
    ASSERT_TRUE(shard.Append({&staged, 1}).ok());
    ASSERT_TRUE(shard.SyncNow().ok());
    ASSERT_TRUE(safety_->AppendLedger({&entry, 1}).ok());
  }
  void Drive(std::size_t reports) {
    for (std::size_t n = 0; n < reports; ++n, ++driven_) {
      const auto vehicle = static_cast<std::uint8_t>(driven_ % 16);
      const bool warning = driven_ / 16 % 3 == 0;
      TestRecord record =
          MakeRecord(0, Vehicle(vehicle), {1, 1}, driven_, Now(),
                     [warning](auto& report) { report.set_is_fcw_warning(warning); });
      log::BatchBuilder batch(PartitionId{static_cast<std::uint16_t>(vehicle % kPartitions)});
      batch.Add(record.view.header, "1.0.0", AsBytes(record.payload));
      const log::ShardWriter::Staged staged{0, &batch};
      ASSERT_TRUE(safety_->shard(ShardId{0}).Append({&staged, 1}).ok());
    }
    ASSERT_TRUE(safety_->shard(ShardId{0}).SyncNow().ok());
  }
  Micros Now() const { return kStart + Micros{static_cast<std::int64_t>(driven_) * 100'000}; }

  void Kill() {
    worker_.reset();
    journal_.reset();
    safety_.reset();
  }
  void Open() {
    auto safety = log::Log::Open(disk_, LogAt("/log", "safety"));
    auto journal = log::Log::Open(disk_, LogAt("/journal", "journal"));
    CHECK(safety.ok() && journal.ok() && disk_.MakeFolders("/worker").ok());
    safety_ = std::move(safety).value();
    journal_ = std::move(journal).value();
  }
  Status Start() {
    worker_ = std::make_unique<ShardWorker>(
        ShardOptions{.snapshot_path = "/worker/shard-0.snapshot",
                     .positions_dir = "/positions",
                     .consumer = "worker-" + release_.substr(0, 8),
                     .environment = "test",
                     .head = {.release = release_,
                              .shard = 0,
                              .shards = 1,
                              .partitions = kPartitions,
                              .rules = 1},
                     .erasure_list = "",
                     .configs = {.folder = "/log/config", .control_public = control_.public_raw}},
        engine_, *streams_, journal_->shard(ShardId{0}), disk_, clock_, counters_);
    return worker_->Open();
  }
  bool Work() {
    while (true) {
      const auto turn = worker_->RunOnce();
      clock_.Advance(Micros{kMarkPaceUs});
      if (!turn.ok()) return false;
      if (!turn->read) break;
    }
    return worker_->RunOnce().ok();
  }

  // What the publisher may take; a name with two contents is a failure.
  Outputs Journal(Marks& marks) {
    auto reader = log::Reader::Open(disk_, "/journal", "journal", ShardId{0}, {});
    CHECK(reader.ok());
    Outputs out;
    while (true) {
      const auto next = (*reader)->Next();
      CHECK(next.ok());
      if (*next == nullptr) break;
      internal::v1::JournalEntry entry;
      CHECK(entry.ParseFromString(std::string(AsText((*next)->payload))));
      if (entry.has_progress()) {
        auto& mark = marks[entry.progress().partition()];
        if (entry.progress().below_offset() >= mark.below_offset()) mark = entry.progress();
        continue;
      }
      const Name name{entry.output().partition(), entry.output().input_offset(),
                      entry.output().index()};
      const auto [at, added] = out.emplace(name, entry.SerializeAsString());
      EXPECT_EQ(at->second, entry.SerializeAsString()) << "one name, one content";
    }
    std::erase_if(out, [&](const auto& output) {
      return std::get<1>(output.first) >= marks[std::get<0>(output.first)].below_offset();
    });
    return out;
  }
  // The pure function over the stream from a config record on.
  Outputs Expected(std::uint64_t began) {
    Outputs out;
    auto reader = log::Reader::Open(disk_, "/log", "safety", ShardId{0}, {});
    std::map<PartitionId, PartitionState> states;
    std::set<PartitionId> has_begun;
    std::vector<Output> outputs;
    while (true) {
      const auto next = (*reader)->Next();
      if (!next.ok() || *next == nullptr) return out;
      const log::RecordView& record = **next;
      for (const auto& entry : safety_->ledger()) {
        if (entry.partition == record.partition && entry.offset == record.offset &&
            entry.config_seq.value == began) {
          has_begun.insert(record.partition);
        }
      }
      if (!has_begun.contains(record.partition)) continue;
      EXPECT_TRUE(Apply(engine_, record, states[record.partition], outputs).ok());
      for (const Output& output : outputs) {
        out.emplace(Name{record.partition.value, record.offset.value, output.index},
                    EncodeOutput("test", engine_.set.rules[output.rule], record, output));
      }
    }
  }
  ShardWorker& worker() { return *worker_; }
  SimDisk& disk() { return disk_; }

 private:
  const std::string release_;
  SimDisk disk_;
  const std::unique_ptr<log::Streams> streams_ = log::StreamsOnFiles(disk_, "/log");
  ManualClock clock_{kStart};
  Counters counters_;
  const seal::KeyPair control_ = *seal::MakeEd25519();
  const Engine engine_;
  std::unique_ptr<log::Log> safety_;
  std::unique_ptr<log::Log> journal_;
  std::unique_ptr<ShardWorker> worker_;
  std::size_t driven_ = 0;
  std::uint64_t config_seq_ = 0;
  std::string payload_;
};

TEST(SpeakerTest, ItComputesAllBeforeDuringAndAfterARolloutThatItSpeaksFor) {
  Site site(kStable);
  site.PutInForce(0, /*began=*/99);
  site.Drive(100);
  ASSERT_TRUE(site.Start().ok());
  ASSERT_TRUE(site.Work());
  for (const bool has_arrived : {false, true}) {
    site.PutSilentInForce(has_arrived);
    site.Drive(100);
    ASSERT_TRUE(site.Work());
    site.Kill();
    site.Open();
    ASSERT_TRUE(site.Start().ok()) << "killed without a snapshot";
    ASSERT_TRUE(site.Work());
  }
  Marks marks;
  EXPECT_EQ(site.Journal(marks), site.Expected(1));
  for (const auto& [partition, mark] : marks) {
    EXPECT_EQ(mark.config_seq(), 3u);
    EXPECT_EQ(mark.lots(), kLots);
    EXPECT_EQ(mark.lots_since_us(), kStart.value) << "no vehicle begins anew";
  }
}

TEST(SpeakerTest, WhoHasASpeakerComputesNothing) {
  Site site(kCandidate);
  site.PutInForce(0, /*began=*/99);
  for (const bool has_arrived : {false, true}) {
    site.PutSilentInForce(has_arrived);
    EXPECT_EQ(site.Start().error().code, Code::kNotFound);
  }
}

TEST(CandidateTest, ItBeginsAtTheConfigThatBeganItsRolloutAndSaysWhatItComputes) {
  Site site(kCandidate);
  site.PutInForce(0);
  site.Drive(100);
  site.PutInForce(5'001);
  const Micros began = site.Now();
  site.Drive(100);
  ASSERT_TRUE(site.Start().ok());
  ASSERT_TRUE(site.Work());
  Marks marks;
  const Outputs outputs = site.Journal(marks);
  EXPECT_EQ(outputs, site.Expected(2));
  EXPECT_FALSE(outputs.empty());
  for (const auto& [name, bytes] : outputs) EXPECT_GT(std::get<1>(name), 50u);
  for (const auto& [partition, mark] : marks) {
    EXPECT_EQ(mark.config_seq(), 2u);
    EXPECT_EQ(mark.lots(), 5'001u);
    EXPECT_EQ(mark.lots_since_us(), began.value);
    EXPECT_GT(mark.log_time_us(), began.value);
  }
}

TEST(CandidateTest, ItWaitsUntilTheConfigIsInEveryPartition) {
  Site site(kCandidate);
  EXPECT_EQ(site.Start().error().code, Code::kNotFound) << "nothing is in force";
  site.PutInForce(0);
  EXPECT_EQ(site.Start().error().code, Code::kNotFound) << "it is not named";
  site.PutInForce(5'001, 2, {0});
  EXPECT_EQ(site.Start().error().code, Code::kNotFound) << "not in partition 1 yet";
  site.Append(1);
  EXPECT_TRUE(site.Start().ok());
}

TEST(CandidateTest, AConfigThatControlDidNotSignIsRefused) {
  Site site(kCandidate);
  site.PutInForce(0);
  auto file = site.disk().Open("/log/config/00000000000000000001", OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->WriteAt(3, AsBytes("x")).ok());
  const Status started = site.Start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().code, Code::kNotFound) << "no waiting: somebody has to look";
}

TEST(CandidateTest, ASnapshotOfAnEarlierRolloutIsNotGoneOnFrom) {
  Site site(kCandidate);
  site.PutInForce(0);
  site.PutInForce(10'002);
  site.Drive(64);
  ASSERT_TRUE(site.Start().ok());
  ASSERT_TRUE(site.Work());
  ASSERT_TRUE(site.worker().SaveSnapshot().ok());
  site.Drive(64);
  site.PutInForce(5'001, 3);
  ASSERT_TRUE(site.Start().ok());
  EXPECT_TRUE(site.worker().partitions().empty());
  ASSERT_TRUE(site.Work());
  Marks marks;
  (void)site.Journal(marks);
  EXPECT_EQ(marks.at(0).lots(), 5'001u);
}

TEST(CandidateTest, AStableReleaseThatLostItsSnapshotSaysTheSameAgain) {
  Site site(kCandidate);
  site.PutInForce(0);
  site.Drive(64);
  site.PutInForce(3'001);
  site.Drive(64);
  site.PutInForce(0, 2, {0, 1}, kCandidate);
  site.Drive(64);
  ASSERT_TRUE(site.Start().ok());
  ASSERT_TRUE(site.Work());
  Marks marks;
  EXPECT_EQ(site.Journal(marks), site.Expected(2)) << "as if it had begun with its rollout";
  EXPECT_EQ(marks.at(0).lots(), kLots);
}

TEST(CandidateTest, CrashesAnywhereWhileItsLotsChangeAlterNothing) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SeededRandom random(seed);
    Site site(kCandidate);
    site.PutInForce(0);
    site.Drive(random.Below(60));
    site.PutInForce(2'001);
    for (int round = 0; round < 5; ++round) {
      ASSERT_TRUE(site.Start().ok()) << "seed " << seed;
      site.Drive(20 + random.Below(60));
      if (random.Below(2) == 0) site.PutInForce(static_cast<std::uint32_t>(random.Below(kLots)));
      site.Drive(random.Below(60));
      site.disk().FailAfter(random.Below(30));
      if (site.Work() && random.Below(2) == 0) {
        static_cast<void>(site.worker().SaveSnapshot().ok());  // may fail: that is the point
      }
      site.Kill();
      site.disk().FailNever();
      if (random.Below(2) == 0) site.disk().Crash(seed * 100 + static_cast<unsigned>(round));
      site.Open();
    }
    ASSERT_TRUE(site.Start().ok());
    ASSERT_TRUE(site.Work());
    Marks marks;
    ASSERT_EQ(site.Journal(marks), site.Expected(2)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace telltale::safety
