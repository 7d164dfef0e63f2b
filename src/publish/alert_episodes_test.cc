// Which alert an episode goes on with after a flip: docs/formats/alerts-db.md, "Open at a flip".
#include <nlohmann/json.hpp>

#include "publish/alert_store.h"
#include "publish/alert_store_schema.h"
#include "publish/publish_testing.h"
#include "store/sqlite.h"

namespace telltale::publish {
namespace {

using Output = internal::v1::JournalEntry::Output;

constexpr std::int64_t kSecond = 1'000'000;

// Seconds of event time; input n is of second n.
Output Opens(char id, std::uint64_t offset, std::int64_t started) {
  Output output = MakeOutput(0, offset, id);
  output.set_event_time_us(static_cast<std::int64_t>(offset) * kSecond);
  output.mutable_alert()->set_started_at_us(started * kSecond);
  return output;
}
Output Closes(char id, std::uint64_t offset, std::int64_t started, std::int64_t ended = -1) {
  Output output = MakeOutput(0, offset, id, 2);
  output.set_event_time_us(static_cast<std::int64_t>(offset) * kSecond);
  output.mutable_alert()->set_started_at_us(started * kSecond);
  output.mutable_alert()->set_ended_at_us((ended < 0 ? static_cast<std::int64_t>(offset) : ended) *
                                          kSecond);
  return output;
}
Output OfRule(const std::string& rule, Output output) {
  output.mutable_alert()->set_rule(rule);
  return output;
}

// One vehicle, one partition, releases a, b, c.
class EpisodeTest : public ::testing::Test {
 protected:
  EpisodeTest() : store_(Must(AlertStore::Open(folder_.path + "/alerts.db"))) {
    EXPECT_TRUE(store_.InstallAuthority(kReleaseA, 1).ok());
    release_ = kReleaseA;
  }
  // What the release that speaks says of the inputs up to below `next`, one commit.
  void Says(std::uint64_t next, std::vector<Output> outputs) {
    Commitment commitment{.release = release_, .expected = {}, .parts = {}, .publish_time = {}};
    commitment.expected[PartitionId{0}] = Must(store_.ReadLanes())[PartitionId{0}].epoch;
    commitment.parts[PartitionId{0}] = {.next = Offset{next}, .outputs = std::move(outputs)};
    const Committed done = Must(store_.Commit(commitment));
    continued_ += done.continued;
    left_open_ += done.left_open;
  }
  void Flip(char release) {
    release_ = std::string(64, release);
    FlipAll(store_, 0, release_);
  }
  // "id revision state" of each change, by release.
  std::string Published() {
    std::string out;
    for (const AlertChange& change : Must(store_.ChangesAfter(0, 1u << 20))) {
      const auto json = nlohmann::json::parse(change.data);
      const std::string id = json["output_id"];
      const std::string state = json["state"];
      out += out.empty() ? "" : ", ";
      out += json["release"].get<std::string>()[0];
      out += ":";
      out += static_cast<char>(std::stoi(id.substr(0, 2), nullptr, 16));
      out += std::to_string(json["revision"].get<int>()) + (state == "OPEN" ? "" : "!");
    }
    return out;
  }

  TempFolder folder_;
  AlertStore store_;
  std::string release_;
  std::uint64_t continued_ = 0;
  std::uint64_t left_open_ = 0;
};

TEST_F(EpisodeTest, TheSameEpisodeIsClosedUnderItsOwnId) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {Closes('x', 12, 5)});
  EXPECT_EQ(Published(), "a:x1, b:x2!");
  EXPECT_EQ(continued_, 0u);
}

TEST_F(EpisodeTest, AnEpisodeOfTheNewReleaseThatWasOpenAtTheFlipClosesTheOneThatWasPublished) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {Closes('y', 12, 7)});
  EXPECT_EQ(Published(), "a:x1, b:x2!") << "y opened at 8, which was a's to say";
  EXPECT_EQ(continued_, 1u);
  EXPECT_EQ(left_open_, 0u);
}

TEST_F(EpisodeTest, ItMayHaveBegunLongBeforeTheOneThatWasPublished) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {Closes('y', 12, 1)});
  EXPECT_EQ(Published(), "a:x1, b:x2!");
}

TEST_F(EpisodeTest, OneThatOpensAfterTheFlipAndBeganBeforeGoesOnWithItsRevisionsRising) {
  Says(10, {Opens('x', 5, 3)});
  Flip('b');
  Says(13, {Opens('y', 12, 4)});
  Says(20, {Closes('y', 15, 4)});
  EXPECT_EQ(Published(), "a:x1, b:x2, b:x3!");
  EXPECT_EQ(continued_, 1u);
}

TEST_F(EpisodeTest, OneThatBeganAfterwardsIsAnotherAndTheOldOneIsLeftOpen) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {Opens('y', 12, 11), Closes('y', 13, 11), Opens('z', 15, 14)});
  EXPECT_EQ(Published(), "a:x1, b:y1, b:y2!, b:z1");
  EXPECT_EQ(left_open_, 1u) << "counted once";
}

TEST_F(EpisodeTest, OneThatEndedBeforeTheOpenOneBeganIsAnother) {
  Says(10, {Opens('x', 8, 8)});
  Flip('b');
  Says(20, {Closes('y', 12, 2, 6)});  // a silence: its end lies back
  EXPECT_EQ(Published(), "a:x1, b:y2!");
  EXPECT_EQ(left_open_, 1u);
}

TEST_F(EpisodeTest, WhatIsClosedIsNotTakenUpAgain) {
  Says(10, {Opens('x', 5, 5), Closes('x', 7, 5)});
  Flip('b');
  Says(20, {Closes('y', 12, 6), Opens('z', 15, 14)});
  EXPECT_EQ(Published(), "a:x1, a:x2!, b:y2!, b:z1");
  EXPECT_EQ(continued_, 0u);
}

TEST_F(EpisodeTest, ALongerEpisodeOfTheSameIdIsAHigherRevision) {
  Says(10, {Opens('x', 5, 5), Closes('x', 7, 5)});
  Flip('b');
  Says(20, {Closes('x', 12, 5)});
  EXPECT_EQ(Published(), "a:x1, a:x2!, b:x3!") << "no id has one revision twice";
}

TEST_F(EpisodeTest, OneEpisodeOverTwoClosesTheOneThatIsOpen) {
  Says(10, {Opens('x', 2, 2), Closes('x', 4, 2), Opens('y', 8, 8)});
  Flip('b');
  Says(20, {Closes('x', 12, 2)});
  EXPECT_EQ(Published(), "a:x1, a:x2!, a:y1, b:y2!");
}

TEST_F(EpisodeTest, OfTwoEpisodesTheOneOpenAtTheFlipGoesOnAndTheNextIsItsOwn) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {Closes('y', 12, 6), Opens('z', 12, 12)});
  EXPECT_EQ(Published(), "a:x1, b:x2!, b:z1");
}

TEST_F(EpisodeTest, AnotherRuleIsAnotherEpisode) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {OfRule("hot", Closes('y', 12, 6)), Closes('z', 13, 6)});
  EXPECT_EQ(Published(), "a:x1, b:y2!, b:x2!");
}

TEST_F(EpisodeTest, ThereAndBackTheFirstReleaseClosesItUnderTheSameId) {
  Says(10, {Opens('x', 5, 3)});
  Flip('b');
  Says(15, {Opens('y', 12, 4)});
  Flip('a');
  Says(30, {Closes('x', 20, 3)});
  EXPECT_EQ(Published(), "a:x1, b:x2, a:x3!");
}

TEST_F(EpisodeTest, AfterBothHaveClosedItALaterEndIsARevisionOfTheSameAlert) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(15, {Closes('y', 12, 6)});
  Flip('a');
  Says(30, {Closes('x', 20, 5)});
  EXPECT_EQ(Published(), "a:x1, b:x2!, a:x3!");
}

TEST_F(EpisodeTest, OverThreeReleasesItIsOneAlert) {
  Says(10, {Opens('x', 5, 3)});
  Flip('b');
  Says(15, {Opens('y', 12, 4)});
  Flip('c');
  Says(20, {Closes('z', 17, 4)});
  Flip('b');
  Says(30, {Closes('y', 25, 4)});
  EXPECT_EQ(Published(), "a:x1, b:x2, c:x3!, b:x4!");
}

TEST_F(EpisodeTest, AReleaseThatCameBackWithAnotherEpisodeDoesNotTakeUpItsOwnOldOne) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(20, {});
  Flip('a');  // x closed at 15, which was b's to say
  Says(30, {Closes('y', 25, 17)});
  EXPECT_EQ(Published(), "a:x1, a:y2!");
}

TEST_F(EpisodeTest, WhatWasLeftOpenLongAgoIsNotClosedByAnEpisodeThatBeganLater) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Says(100, {});
  Flip('c');
  Says(200, {Closes('z', 120, 90)});
  EXPECT_EQ(Published(), "a:x1, c:z2!");
  EXPECT_EQ(left_open_, 1u);
}

TEST_F(EpisodeTest, AFlipThatLastedForNoInputIsNone) {
  Says(10, {Opens('x', 5, 5)});
  Flip('b');
  Flip('c');
  Says(20, {Closes('z', 12, 7)});
  EXPECT_EQ(Published(), "a:x1, c:x2!");
}

TEST_F(EpisodeTest, InOneCommitOrInManyAndOverARestartTheNamesAreTheSame) {
  const std::vector<Output> outputs = {Opens('y', 12, 4), Closes('y', 15, 4), Opens('z', 16, 16),
                                       Closes('z', 18, 16)};
  Says(10, {Opens('x', 5, 4)});
  Flip('b');
  for (const Output& output : outputs) {
    Says(output.input_offset() + 1, {output});
    store_ = Must(AlertStore::Open(folder_.path + "/alerts.db"));
  }
  EXPECT_EQ(Published(), "a:x1, b:x2, b:x3!, b:z1, b:z2!");
}

TEST_F(EpisodeTest, AnErasedVehicleLeavesNoIdBehind) {
  Says(10, {Opens('x', 5, 3)});
  Flip('b');
  Says(20, {Opens('y', 12, 3)});
  VehicleRef ref;
  ref.bytes.fill(0x7f);
  EXPECT_EQ(Must(store_.EraseVehicle(ref)).changes, 2u);
  auto database = Must(store::Database::Open(
      folder_.path + "/alerts.db",
      {.application_id = 0x54544131, .migrations = kAlertMigrations, .read_only = true}));
  auto rows = Must(database.Prepare("SELECT count(*) FROM episode_ids"));
  ASSERT_TRUE(Must(rows.Step()));
  EXPECT_EQ(rows.Int(0), 0);
}

}  // namespace
}  // namespace telltale::publish
