#include "publish/alert_store.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "publish/publish_testing.h"

namespace telltale::publish {
namespace {

class AlertStoreTest : public ::testing::Test {
 protected:
  AlertStoreTest() : store_(Must(AlertStore::Open(":memory:"))) {
    EXPECT_TRUE(store_.InstallAuthority(kReleaseA, 2).ok());
    Look();
  }

  void Look() {
    for (const auto& [partition, lanes] : Must(store_.ReadLanes())) {
      authority_[partition] = lanes.epoch;
    }
  }
  Commitment Of(std::uint64_t next, std::vector<internal::v1::JournalEntry::Output> outputs) {
    Commitment commitment{.release = kReleaseA,
                          .expected = authority_,
                          .parts = {},
                          .publish_time = Micros{1'700'000'000'700'000}};
    commitment.parts[PartitionId{0}] = {.next = Offset{next}, .outputs = std::move(outputs)};
    return commitment;
  }
  std::vector<AlertChange> Changes() { return Must(store_.ChangesAfter(0, 1u << 20)); }
  Offset Position() { return Must(store_.ReadPositions())[PartitionId{0}]; }

  AlertStore store_;
  std::map<PartitionId, AuthorityEpoch> authority_;
};

TEST_F(AlertStoreTest, AnAlertItsChangeAndThePositionAreCommittedTogether) {
  const Committed done = Must(store_.Commit(Of(8, {MakeOutput(0, 7, 'x')})));
  EXPECT_EQ(done.opened, 1u);
  EXPECT_EQ(done.changes, 1u);
  EXPECT_EQ(Position(), Offset{8});
  const auto changes = Changes();
  ASSERT_EQ(changes.size(), 1u);
  const auto json = nlohmann::json::parse(changes[0].data);
  EXPECT_EQ(json["output_id"], HexEncode(std::string(16, 'x')));
  EXPECT_EQ(json["state"], "OPEN");
  EXPECT_EQ(json["severity"], "HIGH");
  EXPECT_EQ(json["boot_random"], "18364758544493064720");
  EXPECT_EQ(json["seq"], 47);
  EXPECT_EQ(json["first_seq"], 38);
  EXPECT_EQ(json["publish_time_us"], 1'700'000'000'700'000);
  EXPECT_EQ(json["peak_value"], -5.5);
  EXPECT_FALSE(json.contains("ended_at_us"));
  EXPECT_FALSE(json.contains("cell"));
  EXPECT_EQ(changes[0].data.find('\n'), std::string::npos);
}

TEST_F(AlertStoreTest, ARepeatIsNoChange) {
  Must(store_.Commit(Of(8, {MakeOutput(0, 7, 'x')})));
  const Committed below_position = Must(store_.Commit(Of(8, {MakeOutput(0, 7, 'x')})));
  EXPECT_EQ(below_position.repeats, 1u);
  const Committed same_version = Must(store_.Commit(Of(10, {MakeOutput(0, 9, 'x')})));
  EXPECT_EQ(same_version.repeats, 1u);
  EXPECT_EQ(Changes().size(), 1u);
  EXPECT_EQ(Position(), Offset{10});
}

TEST_F(AlertStoreTest, AHigherRevisionReplacesAndALowerNeverDoes) {
  Must(store_.Commit(Of(8, {MakeOutput(0, 7, 'x', 2)})));
  const Committed lower = Must(store_.Commit(Of(10, {MakeOutput(0, 9, 'x', 1)})));
  EXPECT_EQ(lower.superseded, 1u);
  EXPECT_EQ(Changes().size(), 1u);
  const auto list = nlohmann::json::parse(Must(store_.ListJson(10)));
  ASSERT_EQ(list["alerts"].size(), 1u);
  EXPECT_EQ(list["alerts"][0]["state"], "CLOSED");
  EXPECT_EQ(list["alerts"][0]["revision"], 2);
}

TEST_F(AlertStoreTest, AHigherAuthorityEpochReplacesAnyRevision) {
  Must(store_.Commit(Of(8, {MakeOutput(0, 7, 'x', 2)})));
  FlipAll(store_, 0, kReleaseB);
  Look();
  Commitment flipped = Of(10, {MakeOutput(0, 9, 'x', 1)});
  flipped.release = kReleaseB;
  EXPECT_EQ(Must(store_.Commit(flipped)).changes, 1u);
  EXPECT_EQ(Changes().size(), 2u);
}

TEST_F(AlertStoreTest, ADeposedReleaseCommitsNothing) {
  FlipAll(store_, 0, kReleaseB);
  Commitment late = Of(8, {MakeOutput(0, 7, 'x')});
  late.parts[PartitionId{1}] = {.next = Offset{5}, .outputs = {MakeOutput(1, 4, 'y')}};
  const auto refused = store_.Commit(late);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_TRUE(Changes().empty()) << "not even for the partition it still has";
  EXPECT_TRUE(Must(store_.ReadPositions()).empty());
}

TEST_F(AlertStoreTest, NothingBelowThePlaceOfAFlipIsPublished) {
  Must(store_.Commit(Of(50, {})));
  FlipAll(store_, 0, kReleaseB);
  Look();
  Commitment flipped = Of(60, {MakeOutput(0, 49, 'x'), MakeOutput(0, 50, 'y')});
  flipped.release = kReleaseB;
  const Committed done = Must(store_.Commit(flipped));
  EXPECT_EQ(done.repeats, 1u);
  EXPECT_EQ(done.changes, 1u);
}

TEST_F(AlertStoreTest, WhatWouldLeaveAGapIsRefused) {
  Must(store_.Commit(Of(50, {})));
  Commitment late = Of(60, {});
  late.parts[PartitionId{0}].from = Offset{51};
  EXPECT_EQ(store_.Commit(late).error().code, Code::kRefused);
  EXPECT_EQ(Position(), Offset{50});
}

TEST_F(AlertStoreTest, AuthorityIsInstalledOnceWhoeverAsksAgain) {
  EXPECT_TRUE(store_.InstallAuthority(kReleaseB, 2).ok());
  const auto lanes = Must(store_.ReadLanes());
  EXPECT_EQ(lanes.size(), 2u);
  EXPECT_EQ(lanes.at(PartitionId{1}), FirstLanes(kReleaseA));
  EXPECT_FALSE(InstallFirstAuthority("/nowhere", "not hex", 2).ok());
}

TEST_F(AlertStoreTest, ACellFinerThanLevelTwelveIsLeftOut) {
  auto fine = MakeOutput(0, 1, 'x');
  fine.mutable_alert()->set_cell((std::uint64_t{2} << 61) | 1);
  auto coarse = MakeOutput(0, 2, 'y');
  coarse.mutable_alert()->set_cell((std::uint64_t{2} << 61) | (std::uint64_t{1} << 36));
  const Committed done = Must(store_.Commit(Of(3, {fine, coarse})));
  EXPECT_EQ(done.cells_refused, 1u);
  const auto changes = Changes();
  EXPECT_FALSE(nlohmann::json::parse(changes[0].data).contains("cell"));
  EXPECT_EQ(nlohmann::json::parse(changes[1].data)["cell"], "4000001000000000");
}

TEST_F(AlertStoreTest, ChangesComeInPiecesByNumber) {
  std::vector<internal::v1::JournalEntry::Output> outputs;
  for (int n = 0; n < 20; ++n) {
    outputs.push_back(MakeOutput(0, static_cast<std::uint64_t>(n), static_cast<char>('a' + n)));
  }
  Must(store_.Commit(Of(20, outputs)));
  std::uint64_t after = 0;
  std::size_t seen = 0;
  while (true) {
    const auto piece = Must(store_.ChangesAfter(after, 1000));
    if (piece.empty()) break;
    EXPECT_LT(piece.size(), 5u);
    for (const AlertChange& change : piece) EXPECT_EQ(change.number, ++after);
    seen += piece.size();
  }
  EXPECT_EQ(seen, 20u);
  EXPECT_EQ(Must(store_.NewestChange()), 20u);
  EXPECT_EQ(nlohmann::json::parse(Must(store_.ListJson(3)))["alerts"].size(), 3u);
  EXPECT_TRUE(Must(store_.ChangesAfter(UINT64_MAX, 1000)).empty());
}

TEST_F(AlertStoreTest, AJournalPlaceIsKeptByReleaseAndShard) {
  const log::Position place{.next = {Offset{4}}, .segment = 2, .byte = 77};
  ASSERT_TRUE(store_.KeepJournalPositions({{kReleaseA, ShardId{0}, place}}).ok());
  const auto kept = Must(store_.ReadJournalPosition(kReleaseA, ShardId{0}));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->byte, 77u);
  EXPECT_FALSE(Must(store_.ReadJournalPosition(kReleaseB, ShardId{0})));
}

}  // namespace
}  // namespace telltale::publish
