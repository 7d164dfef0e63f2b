#include "publish/publisher.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "base/sim_disk.h"
#include "publish/publish_testing.h"

namespace telltale::publish {
namespace {

constexpr std::uint16_t kPublisherPartitions = 2;

// A journal on a simulated disk, a store in a real folder, and a publisher that may be killed.
class Installation {
 public:
  Installation() {
    journal_ = Must(log::Log::Open(disk_, {.dir = "/journal/" + kReleaseA,
                                           .streams = {"journal"},
                                           .partitions = kPublisherPartitions,
                                           .shards = 1,
                                           .segment_bytes = 64u << 10,
                                           .ticks = false}));
  }
  std::string database() const { return folder_.path + "/alerts.db"; }
  void Authorise() {
    ASSERT_TRUE(
        Must(AlertStore::Open(database())).InstallAuthority(kReleaseA, kPublisherPartitions).ok());
  }
  void Start() {
    publisher_ = std::make_unique<Publisher>(PublisherOptions{.journal_dir = "/journal",
                                                              .positions_dir = "/positions",
                                                              .erasure_list = "/erased/list",
                                                              .partitions = kPublisherPartitions,
                                                              .shards = 1},
                                             Must(AlertStore::Open(database())), disk_, clock_,
                                             counters_, [this] { ++notified; });
  }
  void Kill() { publisher_.reset(); }
  Publisher& publisher() { return *publisher_; }

  void Write(std::uint16_t partition, const std::vector<internal::v1::JournalEntry>& entries) {
    log::BatchBuilder batch{PartitionId{partition}};
    for (const auto& entry : entries) {
      batch.Add({}, "", AsBytes(entry.SerializeAsString()));
    }
    const log::ShardWriter::Staged staged{0, &batch};
    ASSERT_TRUE(journal_->shard(ShardId{0}).Append({&staged, 1}).ok());
    ASSERT_TRUE(journal_->shard(ShardId{0}).SyncNow().ok());
  }
  void WriteRaw(const std::string& payload) {
    log::BatchBuilder batch{PartitionId{0}};
    batch.Add({}, "", AsBytes(payload));
    const log::ShardWriter::Staged staged{0, &batch};
    ASSERT_TRUE(journal_->shard(ShardId{0}).Append({&staged, 1}).ok());
    ASSERT_TRUE(journal_->shard(ShardId{0}).SyncNow().ok());
  }
  std::vector<AlertChange> Changes() {
    return Must(Must(AlertStore::OpenReadOnly(database())).ChangesAfter(0, 1u << 20));
  }
  Disk& disk() { return disk_; }
  Counters& counters() { return counters_; }
  ManualClock& clock() { return clock_; }

  int notified = 0;

 private:
  TempFolder folder_;
  SimDisk disk_;
  ManualClock clock_{Micros::Seconds(1'700'000'001)};
  Counters counters_;
  std::unique_ptr<log::Log> journal_;
  std::unique_ptr<Publisher> publisher_;
};

internal::v1::JournalEntry OutputEntry(std::uint16_t partition, std::uint64_t offset, char id,
                                       std::uint32_t revision = 1) {
  internal::v1::JournalEntry entry;
  *entry.mutable_output() = MakeOutput(partition, offset, id, revision);
  return entry;
}
internal::v1::JournalEntry Mark(std::uint16_t partition, std::uint64_t below) {
  internal::v1::JournalEntry entry;
  entry.mutable_progress()->set_partition(partition);
  entry.mutable_progress()->set_below_offset(below);
  return entry;
}

TEST(PublisherTest, AlertsOfAnErasedVehicleAreCountedAndNotPublished) {
  Installation place;
  place.Authorise();
  ASSERT_TRUE(place.disk().MakeFolders("/erased").ok());
  VehicleRef ref;
  ref.bytes.fill(0x7f);  // as MakeOutput has it
  ASSERT_TRUE(AppendErasure(place.disk(), "/erased/list", ref).ok());
  place.Write(0, {OutputEntry(0, 1, 'x'), Mark(0, 2)});
  place.Start();
  ASSERT_TRUE(Must(place.publisher().LoadAuthority()));
  Must(place.publisher().RunOnce());
  EXPECT_TRUE(place.Changes().empty());
  EXPECT_EQ(place.counters().Drops("publish", Reason::kErased).value(), 1u);
  EXPECT_EQ(Must(Must(AlertStore::Open(place.database())).ReadPositions())[PartitionId{0}],
            Offset{2});
}

TEST(PublisherTest, LeavesForTheWorkerHowFarItsJournalIsPublished) {
  Installation place;
  place.Authorise();
  place.Write(0, {OutputEntry(0, 1, 'x'), Mark(0, 2)});
  place.Start();
  ASSERT_TRUE(Must(place.publisher().LoadAuthority()));
  const std::string positions = "/journal/" + kReleaseA + "/positions";
  const auto left = [&] {
    return log::LoadPosition(place.disk(), positions, "publisher", "journal", ShardId{0});
  };
  EXPECT_EQ(left().error().code, Code::kNotFound);
  Must(place.publisher().RunOnce());
  ASSERT_TRUE(place.publisher().SavePositions().ok());
  EXPECT_EQ(Must(left()).next[0], Offset{2});
  // Never further than where a publisher that starts again would go on.
  const auto stored =
      Must(Must(AlertStore::Open(place.database())).ReadJournalPosition(kReleaseA, ShardId{0}));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->next, Must(left()).next);
}

TEST(PublisherTest, WithoutAuthorityNothingIsPublished) {
  Installation place;
  place.Write(0, {OutputEntry(0, 1, 'x'), Mark(0, 2)});
  place.Start();
  EXPECT_FALSE(Must(place.publisher().LoadAuthority()));
  EXPECT_FALSE(Must(place.publisher().RunOnce()));
  EXPECT_TRUE(place.Changes().empty());
  place.Authorise();
  EXPECT_TRUE(Must(place.publisher().LoadAuthority()));
  Must(place.publisher().RunOnce());
  EXPECT_EQ(place.Changes().size(), 1u);
  EXPECT_EQ(place.notified, 1);
}

TEST(PublisherTest, AnOutputWaitsForTheMarkAboveIt) {
  Installation place;
  place.Authorise();
  place.Start();
  Must(place.publisher().LoadAuthority());
  place.Write(0, {OutputEntry(0, 1, 'x'), OutputEntry(0, 5, 'y'), Mark(0, 5)});
  Must(place.publisher().RunOnce());
  EXPECT_EQ(place.Changes().size(), 1u);
  place.Write(0, {Mark(0, 3)});
  Must(place.publisher().RunOnce());
  EXPECT_EQ(place.Changes().size(), 1u) << "a lower mark says nothing";
  place.Write(0, {Mark(0, 6)});
  Must(place.publisher().RunOnce());
  EXPECT_EQ(place.Changes().size(), 2u);
}

TEST(PublisherTest, WhatAWorkerWritesAgainAfterItsRestartIsPublishedOnce) {
  Installation place;
  place.Authorise();
  place.Start();
  Must(place.publisher().LoadAuthority());
  // Killed between outputs and mark, then replayed.
  place.Write(0, {OutputEntry(0, 1, 'x'), OutputEntry(0, 2, 'x', 2)});
  Must(place.publisher().RunOnce());
  EXPECT_TRUE(place.Changes().empty());
  place.Write(0, {OutputEntry(0, 1, 'x'), OutputEntry(0, 2, 'x', 2), Mark(0, 4)});
  Must(place.publisher().RunOnce());
  // Killed after the mark, then replayed from an old snapshot.
  place.Write(0, {OutputEntry(0, 1, 'x'), Mark(0, 2), OutputEntry(0, 2, 'x', 2), Mark(0, 4)});
  Must(place.publisher().RunOnce());
  EXPECT_EQ(place.Changes().size(), 2u);
}

TEST(PublisherTest, KilledAnywhereItPublishesEachOutputOnce) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SeededRandom random(seed);
    Installation place;
    place.Authorise();
    place.Start();
    std::array<std::uint64_t, kPublisherPartitions> next{};
    std::uint64_t written = 0;
    for (int step = 0; step < 25; ++step) {
      const auto partition = static_cast<std::uint16_t>(random.Below(kPublisherPartitions));
      const std::uint64_t offset = next[partition]++;
      const char id = static_cast<char>(33 + written++);
      std::vector<internal::v1::JournalEntry> entries = {OutputEntry(partition, offset, id)};
      if (random.Below(3) != 0) entries.push_back(Mark(partition, offset + 1));
      place.Write(partition, entries);
      if (random.Below(2) == 0) {
        Must(place.publisher().LoadAuthority());
        place.clock().Advance(Micros::Seconds(static_cast<std::int64_t>(random.Below(2))));
        Must(place.publisher().RunOnce());
      }
      if (random.Below(3) == 0) {
        place.Kill();
        place.Start();
      }
    }
    for (std::uint16_t p = 0; p < kPublisherPartitions; ++p) place.Write(p, {Mark(p, next[p])});
    Must(place.publisher().LoadAuthority());
    while (Must(place.publisher().RunOnce())) {
    }
    std::set<std::string> ids;
    for (const AlertChange& change : place.Changes()) {
      const auto json = nlohmann::json::parse(change.data);
      EXPECT_TRUE(ids.insert(json["output_id"].get<std::string>()).second) << "seed " << seed;
    }
    EXPECT_EQ(ids.size(), written) << "seed " << seed;
  }
}

TEST(PublisherTest, ItsPlaceIsSavedInInputOffsets) {
  Installation place;
  place.Authorise();
  place.Start();
  Must(place.publisher().LoadAuthority());
  place.Write(0, {Mark(0, 17)});
  place.Write(1, {Mark(1, 5)});
  place.clock().Advance(Micros{kPositionPaceUs});
  Must(place.publisher().RunOnce());
  const log::Position saved =
      Must(log::LoadPosition(place.disk(), "/positions", "publisher", "safety", ShardId{0}));
  EXPECT_EQ(saved.next, (std::vector<Offset>{Offset{17}, Offset{5}}));
}

TEST(PublisherTest, AFlipUnderWayIsNoticedAndNothingOfTheDeposedIsPublished) {
  Installation place;
  place.Authorise();
  place.Start();
  Must(place.publisher().LoadAuthority());
  AlertStore control = Must(AlertStore::Open(place.database()));
  for (std::uint16_t p = 0; p < kPublisherPartitions; ++p) {
    FlipAll(control, p, kReleaseB);
  }
  place.Write(0, {OutputEntry(0, 1, 'x'), Mark(0, 2)});
  const auto refused = place.publisher().RunOnce();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  Must(place.publisher().LoadAuthority());
  Must(place.publisher().RunOnce());
  EXPECT_TRUE(place.Changes().empty());
}

TEST(PublisherTest, ABrokenJournalStopsWithAWord) {
  for (const std::string& bad :
       {std::string("\xff\xff"), OutputEntry(1, 1, 'x').SerializeAsString(),
        Mark(1, 3).SerializeAsString()}) {
    Installation place;
    place.Authorise();
    place.Start();
    Must(place.publisher().LoadAuthority());
    place.WriteRaw(bad);
    Must(place.publisher().RunOnce());
    EXPECT_EQ(place.counters().Get("journals_stopped").value(), 1u);
  }
}

TEST(PublisherTest, AJournalThatWasRemovedFromWhereItIsStopsWithAWordAndIsNotTriedForEver) {
  Installation place;
  place.Authorise();
  place.Start();
  Must(place.publisher().LoadAuthority());
  place.Write(0, {OutputEntry(0, 1, 'x'), Mark(0, 2)});
  Must(place.publisher().RunOnce());
  place.Kill();
  ASSERT_TRUE(place.disk().MakeFolders("/none").ok());
  for (std::uint64_t n = 2; n < 1'500; ++n) place.Write(0, {OutputEntry(0, n, 'y'), Mark(0, n)});
  const auto report = log::Retain(place.disk(), "/journal/" + kReleaseA,
                                  {"/none", {{"journal", Micros{1}, 0, {}}}}, Micros::Seconds(1));
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  ASSERT_GT(report->shards[0].segments_removed, 0u);
  place.Start();
  Must(place.publisher().LoadAuthority());
  EXPECT_FALSE(Must(place.publisher().RunOnce()));
  EXPECT_FALSE(Must(place.publisher().RunOnce()));
  EXPECT_EQ(place.counters().Get("journals_stopped").value(), 1u);
  EXPECT_EQ(place.counters().Get("journals_expired").value(), 1u);
  EXPECT_EQ(place.Changes().size(), 1u);
}

}  // namespace
}  // namespace telltale::publish
