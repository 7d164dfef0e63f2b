#include "app/subject_stores.h"

#include <gtest/gtest.h>

#include "app/subject_export.h"
#include "base/erasure_list.h"
#include "base/sim_disk.h"
#include "internal/v1/internal.pb.h"
#include "log/log.h"
#include "publish/alert_store.h"
#include "store/disk_vfs.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr Micros kStoresNow = Micros::Seconds(1'800'000'000);
constexpr std::int64_t kHourUs = 3'600 * 1'000'000ll;

VehicleRef RefOf(char n) {
  VehicleRef ref;
  ref.bytes.fill(static_cast<std::uint8_t>(n));
  return ref;
}

class FakeVault final : public VaultDoor {
 public:
  Result<json> Ask(const json& request, const std::function<void(const json&)>&) override {
    requests.push_back(request);
    return says;
  }
  Result<json> says = json{{"kind", "end"}, {"keys", "destroyed"}, {"files", "done"}};
  std::vector<json> requests;
};

class FakeLake final : public LakeDoor {
 public:
  Result<std::string> Run(const std::vector<std::string>& arguments) override {
    asked = arguments;
    return says;
  }
  Result<std::string> says = std::string(
      R"({"tag":"x","complete":true,"waiting_for":"","stores":[{"table":"t","rows":12},)"
      R"({"table":"u","rows":3,"files_removed":1}]})");
  std::vector<std::string> asked;
};

// An installation on a simulated disk, with alerts of the vehicles 'A' and 'B'.
struct StoresWorld {
  StoresWorld() {
    for (const char* folder : {"/d/data/publish", "/d/data/erased", "/d/data/worker/rel",
                               "/d/data/lake/handoff", "/d/data/journal"}) {
      EXPECT_TRUE(disk.MakeFolders(folder).ok());
    }
    auto store = OpenAlerts();
    EXPECT_TRUE(store.InstallAuthority(std::string(64, 'a'), 1).ok());
    publish::Commitment commitment{
        .release = std::string(64, 'a'), .expected = {}, .parts = {}, .publish_time = kStoresNow};
    commitment.expected[PartitionId{0}] = AuthorityEpoch{1};
    commitment.parts[PartitionId{0}] = {.next = Offset{2}, .outputs = {Alert('A'), Alert('B')}};
    EXPECT_TRUE(store.Commit(commitment).ok());
  }
  static internal::v1::JournalEntry::Output Alert(char vehicle) {
    internal::v1::JournalEntry::Output output;
    output.set_input_offset(static_cast<std::uint64_t>(vehicle - 'A'));
    output.mutable_alert()->set_output_id(std::string(16, vehicle));
    output.mutable_alert()->set_rule("hard_braking");
    output.mutable_alert()->set_vehicle_ref(std::string(16, vehicle));
    output.mutable_alert()->set_revision(1);
    return output;
  }
  publish::AlertStore OpenAlerts() {
    auto store = publish::AlertStore::Open("/d/data/publish/alerts.db", &vfs);
    EXPECT_TRUE(store.ok()) << store.error().ToString();
    return std::move(store).value();
  }
  // Goes through everything once for vehicle 'A'; what the disk fails on is in the lines.
  Result<ErasureJob> Erase() {
    Erasure erasure(disk, clock, random, "/d/data/erased/jobs", ErasureSteps(parts));
    ASSIGN_OR_RETURN(
        ErasureJob job,
        erasure.Begin({.vehicle = RefOf('A'), .basis = "request", .asked_by = "uid 0"}));
    RETURN_IF_ERROR(erasure.Resume(job));
    return job;
  }
  ErasureJob MustErase() {
    auto job = Erase();
    EXPECT_TRUE(job.ok()) << job.error().ToString();
    return std::move(job).value();
  }
  void Put(const std::string& path, const std::string& content) {
    EXPECT_TRUE(WriteFileDurably(disk, path, content).ok());
  }
  bool IsHeldBelow(const std::string& folder, char vehicle) {
    const auto found = FilesHolding(disk, folder, RefOf(vehicle));
    EXPECT_TRUE(found.ok());
    return !found->empty();
  }

  SimDisk disk;
  store::DiskVfs vfs{disk};
  ManualClock clock{kStoresNow};
  SeededRandom random{3};
  FakeVault vault;
  FakeLake lake;
  std::uint32_t registry_calls = 0;
  SubjectParts parts{.disk = disk,
                     .clock = clock,
                     .paths = Paths("/d"),
                     .config = {},
                     .vault = vault,
                     .lake = lake,
                     .erase_in_registry = [this](const VehicleRef&) -> Result<std::uint32_t> {
                       ++registry_calls;
                       return 2;
                     },
                     .vfs = &vfs};
};

LineState StateOf(const ErasureJob& job, const char* store) {
  const JobLine* line = job.Find(store);
  EXPECT_NE(line, nullptr) << store;
  return line == nullptr ? LineState::kOpen : line->state;
}

TEST(SubjectStoresTest, EveryStoreIsGoneThroughAndNeighboursStay) {
  StoresWorld world;
  const ErasureJob job = world.MustErase();
  for (const char* store : {store_name::kList, store_name::kVaultKeys, store_name::kVaultFiles,
                            store_name::kRegistry, store_name::kAlerts, store_name::kLake,
                            store_name::kSnapshots, store_name::kGate, store_name::kHandoffs}) {
    EXPECT_EQ(StateOf(job, store), LineState::kDone) << store << job.Find(store)->last_error;
  }
  for (const char* store :
       {store_name::kSafety, store_name::kTelemetry, store_name::kSealed, store_name::kJournals}) {
    EXPECT_EQ(StateOf(job, store), LineState::kAgesOut) << store;
  }
  EXPECT_FALSE(world.IsHeldBelow("/d/data/publish", 'A'));
  EXPECT_TRUE(world.IsHeldBelow("/d/data/publish", 'B'));
  EXPECT_EQ(job.Find(store_name::kRegistry)->counts.at("rows"), 2);
  EXPECT_EQ(job.Find(store_name::kLake)->counts.at("rows"), 15);
  EXPECT_EQ(world.lake.asked,
            (std::vector<std::string>{"erase", "--dir", "/d", "--vehicle", RefOf('A').ToHex(),
                                      "--wait", "15", "--json"}));
  EXPECT_EQ(world.vault.requests[0],
            (json{{"op", "erase"}, {"vehicle_ref", RefOf('A').ToHex()}, {"job", job.id}}));
  ErasureList list(world.disk, "/d/data/erased/list");
  ASSERT_TRUE(list.Refresh().ok());
  EXPECT_TRUE(list.Contains(RefOf('A')));
  EXPECT_FALSE(list.Contains(RefOf('B')));
}

TEST(SubjectStoresTest, RecipientsAreWaitedForOnlyWhereAlertsWereSent) {
  StoresWorld world;
  EXPECT_EQ(StateOf(world.MustErase(), store_name::kRecipients), LineState::kOpen);
  EXPECT_EQ(world.MustErase().Find(store_name::kRecipients)->counts.at("alerts"), 1);

  StoresWorld without;
  ASSERT_TRUE(without.OpenAlerts().EraseVehicle(RefOf('A')).ok());
  EXPECT_EQ(StateOf(without.MustErase(), store_name::kRecipients), LineState::kNotApplicable);
}

TEST(SubjectStoresTest, AlertsDoNotGoBeforeItIsKnownThatTheyWereSent) {
  StoresWorld world;
  world.disk.FailReads(true);
  ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kRecipients), LineState::kOpen);
  world.disk.FailReads(false);
  job = world.MustErase();
  EXPECT_EQ(job.Find(store_name::kRecipients)->counts.at("alerts"), 1);
  EXPECT_EQ(StateOf(job, store_name::kAlerts), LineState::kDone);
}

TEST(SubjectStoresTest, AHoldKeepsTheVaultsLinesAndNothingElse) {
  StoresWorld world;
  world.vault.says = json{{"kind", "end"}, {"keys", "held"}, {"files", "due"}, {"due_by", 5}};
  ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kVaultKeys), LineState::kHeld);
  EXPECT_EQ(StateOf(job, store_name::kVaultFiles), LineState::kHeld);
  EXPECT_EQ(StateOf(job, store_name::kAlerts), LineState::kDone);
  EXPECT_NE(job.vehicle_ref, "");

  world.vault.says = json{{"kind", "end"}, {"keys", "destroyed"}, {"files", "due"}, {"due_by", 77}};
  job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kVaultKeys), LineState::kDone);
  EXPECT_EQ(StateOf(job, store_name::kVaultFiles), LineState::kOpen);
  EXPECT_EQ(job.Find(store_name::kVaultFiles)->due_by, Micros{77});
  EXPECT_EQ(world.registry_calls, 1u);
}

TEST(SubjectStoresTest, AnAnswerThatDoesNotSayThatItIsGoneIsNoProof) {
  StoresWorld world;
  world.vault.says = json{{"kind", "end"}};
  world.lake.says = std::string("done, I think");
  const ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kVaultKeys), LineState::kOpen);
  EXPECT_EQ(StateOf(job, store_name::kVaultFiles), LineState::kOpen);
  EXPECT_EQ(StateOf(job, store_name::kLake), LineState::kOpen);
}

TEST(SubjectStoresTest, ALakeThatWaitsForAnotherKeepsItsLineOpen) {
  StoresWorld world;
  world.lake.says = std::string(R"({"complete":false,"waiting_for":"committer","stores":[]})");
  ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kLake), LineState::kOpen);
  EXPECT_EQ(job.Find(store_name::kLake)->note, "waits for committer");
  world.lake.says = std::string(R"({"complete":true,"stores":[{"rows":2}]})");
  job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kLake), LineState::kDone);
}

TEST(SubjectStoresTest, AVaultAndALakeThatAreAwayStopNoOther) {
  StoresWorld world;
  world.vault.says = Error{Code::kUnavailable, "the vault does not answer"};
  world.lake.says = Error{Code::kUnsupported, "telltale_lake erase exited with code 2"};
  const ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kVaultKeys), LineState::kOpen);
  EXPECT_NE(job.Find(store_name::kVaultKeys)->last_error, "");
  EXPECT_EQ(StateOf(job, store_name::kLake), LineState::kOpen);
  EXPECT_EQ(StateOf(job, store_name::kAlerts), LineState::kDone);
  EXPECT_EQ(StateOf(job, store_name::kRegistry), LineState::kDone);
}

TEST(SubjectStoresTest, SnapshotsAndHandoffsAreProvedByTheirBytes) {
  StoresWorld world;
  const std::string raw(16, 'A');
  world.Put("/d/data/worker/rel/shard-0.snapshot", std::string(3'000'000, 'x') + raw);
  world.Put("/d/data/lake/handoff/7.state", "x" + RefOf('A').ToHex());
  ASSERT_TRUE(world.disk.MakeFolders("/d/data/gate/r-1").ok());
  world.Put("/d/data/gate/r-1/evidence.json", "x" + RefOf('A').ToHex());
  // Across the border of two pieces.
  world.Put("/d/data/lake/handoff/8.state", std::string((1 << 20) - 5, 'x') + raw + "x");
  ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kSnapshots), LineState::kOpen);
  EXPECT_EQ(StateOf(job, store_name::kHandoffs), LineState::kOpen);
  EXPECT_EQ(StateOf(job, store_name::kGate), LineState::kOpen);
  EXPECT_EQ(FilesHolding(world.disk, "/d/data/lake/handoff", RefOf('A'))->size(), 2u);
  world.Put("/d/data/worker/rel/shard-0.snapshot", "anew");
  ASSERT_TRUE(world.disk.Remove("/d/data/lake/handoff/7.state").ok());
  world.Put("/d/data/gate/r-1/evidence.json", "anew");
  ASSERT_TRUE(world.disk.Remove("/d/data/lake/handoff/8.state").ok());
  job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kSnapshots), LineState::kDone);
  EXPECT_EQ(StateOf(job, store_name::kHandoffs), LineState::kDone);
  EXPECT_EQ(StateOf(job, store_name::kGate), LineState::kDone);
  EXPECT_EQ(job.vehicle_ref, "") << "who only waits for people and dates needs no reference";
}

// A stream of one shard whose only segment has a record of `at`.
std::unique_ptr<log::Log> StreamWith(Disk& disk, Micros at) {
  auto opened = log::Log::Open(disk, {.dir = "/d/data/log",
                                      .streams = {"safety", "telemetry", "sealed"},
                                      .partitions = 1,
                                      .shards = 1,
                                      .segment_bytes = 64u << 10,
                                      .ticks = false});
  CHECK(opened.ok());
  log::BatchBuilder batch(PartitionId{0});
  log::RecordHeader header;
  header.receipt_time = at;
  batch.Add(header, "", AsBytes("x"));
  const log::ShardWriter::Staged staged{0, &batch};
  CHECK((*opened)->shard(ShardId{0}).Append({&staged, 1}).ok());
  CHECK((*opened)->shard(ShardId{0}).SyncNow().ok());
  return std::move(opened).value();
}

TEST(SubjectStoresTest, AStreamsLineClosesAtItsDateButNotWhileASegmentOfThatTimeIsKept) {
  StoresWorld world;
  const auto stream = StreamWith(world.disk, kStoresNow);
  ErasureJob job = world.MustErase();
  const Micros due =
      kStoresNow + kAfterTheDoor + Micros{world.parts.config.log_retention_hours * kHourUs};
  EXPECT_EQ(job.Find(store_name::kSafety)->due_by, due);
  world.clock.Advance(due - kStoresNow);
  job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kSafety), LineState::kAgesOut);
  EXPECT_NE(job.Find(store_name::kSafety)->note, "");
  EXPECT_EQ(StateOf(job, store_name::kTelemetry), LineState::kDone) << "nothing is kept in it";
}

TEST(SubjectStoresTest, TheDateCountsFromWhenTheDoorForgotTheVehicle) {
  StoresWorld world;
  bool is_up = false;
  world.parts.erase_in_registry = [&](const VehicleRef&) -> Result<std::uint32_t> {
    if (!is_up) return Error{Code::kUnavailable, "the registry does not answer"};
    return 1;
  };
  world.MustErase();
  // Long after every date that could be reckoned from the asking.
  world.clock.Advance(Micros{world.parts.config.log_retention_hours * 2 * kHourUs});
  ErasureJob job = world.MustErase();
  EXPECT_EQ(StateOf(job, store_name::kSealed), LineState::kAgesOut);
  is_up = true;
  job = world.MustErase();
  EXPECT_EQ(job.Find(store_name::kSealed)->due_by,
            world.clock.NowUtc() + kAfterTheDoor +
                Micros{world.parts.config.log_sealed_retention_hours * kHourUs});
}

TEST(SubjectStoresTest, APowerCutAtAnyWriteOfAnyStoreIsMendedByGoingOn) {
  bool is_through = false;
  for (std::uint64_t calls = 0; !is_through; ++calls) {
    ASSERT_LT(calls, 500u);
    StoresWorld world;
    world.disk.FailAfter(calls);
    {
      const auto job = world.Erase();
      is_through = job.ok() && StateOf(*job, store_name::kAlerts) == LineState::kDone;
    }
    world.disk.FailNever();
    world.disk.Crash(calls);
    const ErasureJob job = world.MustErase();
    EXPECT_EQ(StateOf(job, store_name::kList), LineState::kDone) << calls;
    EXPECT_EQ(StateOf(job, store_name::kAlerts), LineState::kDone) << calls;
    EXPECT_FALSE(world.IsHeldBelow("/d/data/publish", 'A')) << calls;
    EXPECT_TRUE(world.IsHeldBelow("/d/data/publish", 'B')) << calls;
    ErasureList list(world.disk, "/d/data/erased/list");
    ASSERT_TRUE(list.Refresh().ok()) << calls;
    EXPECT_TRUE(list.Contains(RefOf('A'))) << calls;
    EXPECT_EQ(StateOf(job, store_name::kRecipients), LineState::kOpen)
        << calls << ": who was sent alerts is not forgotten with the alerts";
  }
}

TEST(SubjectExportTest, OnlyPlainNamesOfTablesAreAskedFor) {
  EXPECT_TRUE(IsTableName("features.crank_dip"));
  for (const char* name : {"", "a b", "t; DROP TABLE x", "\"t\"", "T"}) {
    EXPECT_FALSE(IsTableName(name)) << name;
  }
}

}  // namespace
}  // namespace telltale::app
