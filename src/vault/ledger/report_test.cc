#include "vault/ledger/report_testing.h"

#include <nlohmann/json.hpp>

namespace telltale::vault {
namespace {

using Ordinals = std::vector<std::uint32_t>;

void ExpectOnly(const Report& report, FindingKind kind) {
  EXPECT_EQ(report.findings.size(), 1u) << Names(report.findings);
  EXPECT_TRUE(Has(report.findings, kind)) << Names(report.findings);
  EXPECT_EQ(report.verdict, IsViolation(kind) ? Verdict::kViolation : Verdict::kIncomplete);
}

TEST(ReportTest, AVaultInOrderIsCleanUntilAndAfterItsHoursAreDestroyed) {
  ReportWorld world;
  Report report = world.Make();
  EXPECT_EQ(report.verdict, Verdict::kClean) << Names(report.findings);
  EXPECT_EQ(ExitCodeOf(report.verdict), 0);
  for (std::int64_t hour = 0; hour < 10; ++hour) {
    world.input.sealed[0].oldest_at = {};
    report = world.Make(AtHour(48 + hour, 1));
    EXPECT_EQ(report.verdict, Verdict::kClean) << "in destruction: " << Names(report.findings);
    EXPECT_EQ(report.hours_in_destruction, 1u);
    world.Destroy(AtHour(48 + hour, 2));
    report = world.Make(AtHour(48 + hour, 1800));
    EXPECT_EQ(report.verdict, Verdict::kClean) << Names(report.findings);
    EXPECT_EQ(report.hours_in_destruction, 0u);
  }
  EXPECT_EQ(report.reconciliation.segments_destroyed, 10u);
}

TEST(ReportTest, AnHourStoredPastItsWindowIsNamedWithItsVehicles) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  world.Destroy(AtHour(48, 2));
  const Report report = world.Make(AtHour(50, 600));
  EXPECT_EQ(report.verdict, Verdict::kViolation);
  EXPECT_EQ(ExitCodeOf(report.verdict), 1);
  ASSERT_EQ(report.still_stored.size(), 1u);
  const ClassAnswer& answer = report.still_stored[0];
  EXPECT_EQ(answer.retention_class, RetentionClass::kPosition);
  EXPECT_EQ(answer.hours, 2u) << "hours 1 and 2";
  EXPECT_EQ(answer.ordinals, (Ordinals{1, 2, 3, 4}));
  EXPECT_EQ(answer.overdue[0].due_at, AtHour(49));
  EXPECT_TRUE(Has(report.findings, FindingKind::kKeyPastExpiry)) << "its key says so too";
}

TEST(ReportTest, AMomentInThePastIsAnsweredAsItWasThen) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  world.Destroy(AtHour(52));  // four hours late
  for (std::int64_t hour = 1; hour < 10; ++hour) world.Destroy(AtHour(48 + hour, 5));
  EXPECT_EQ(world.Make(AtHour(60)).verdict, Verdict::kClean);
  const Report then = world.Make(AtHour(60), AtHour(50));
  ASSERT_EQ(then.still_stored.size(), 1u);
  EXPECT_EQ(then.still_stored[0].ordinals, (Ordinals{0, 1, 2}));
  EXPECT_TRUE(then.exact);
  EXPECT_EQ(world.Make(AtHour(60), AtHour(47)).verdict, Verdict::kClean);
  EXPECT_EQ(world.Make(AtHour(60), AtHour(52)).verdict, Verdict::kClean);
}

TEST(ReportTest, AMomentBeforeTheLedgerOrAfterNowIsNotAnswered) {
  ReportWorld world;
  ExpectOnly(world.Make(AtHour(20), AtHour(-1)), FindingKind::kLedgerCannotAnswer);
  ExpectOnly(world.Make(AtHour(20), AtHour(21)), FindingKind::kLedgerCannotAnswer);
}

TEST(ReportTest, AShortenedWindowCountsFromTheMomentItWasShortened) {
  ReportWorld world;
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, 12, AtHour(20)).ok());
  EXPECT_EQ(world.Make(AtHour(20, 60)).hours_in_destruction, 9u) << "hours 0..8 are due at once";
  const Report report = world.Make(AtHour(20, 600));
  ASSERT_EQ(report.still_stored.size(), 1u);
  EXPECT_EQ(report.still_stored[0].hours, 9u);
  EXPECT_EQ(report.still_stored[0].overdue[0].due_at, AtHour(20));
  EXPECT_TRUE(world.Make(AtHour(20, 600), AtHour(19)).still_stored.empty()) << "not then";
  ASSERT_TRUE(world.ledger->SetWindow(RetentionClass::kPosition, 100, AtHour(21)).ok());
  EXPECT_EQ(world.Make(AtHour(21, 600)).still_stored.at(0).hours, 10u) << "never raised again";
}

TEST(ReportTest, HeldVehiclesAreListedApartWithBasisAndReview) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  OrdinalSet held;
  held.Add(Ordinal{1});
  ASSERT_TRUE(world.ledger->MarkHeld(7, PositionHour(0), held, AtHour(30)).ok());
  world.input.holds.push_back({7, "order 12/26 of a court", AtHour(100)});
  world.Destroy(AtHour(48, 5));
  world.input.catalogue.live.push_back({10, {RetentionClass::kHold, Hour{7}}, "hold-7-10", 50, 1});
  ++world.input.catalogue.next_segment;
  world.input.listing.files.push_back({"hold-7-10", 50});
  world.input.keys.hours.push_back({{RetentionClass::kHold, Hour{7}}, Hour{1 << 30}});
  Report report = world.Make(AtHour(48, 1000));
  EXPECT_EQ(report.verdict, Verdict::kClean) << Names(report.findings);
  ASSERT_EQ(report.held.size(), 1u);
  EXPECT_EQ(report.held[0].ordinals, (Ordinals{1}));
  EXPECT_EQ(report.held[0].basis, "order 12/26 of a court");
  EXPECT_EQ(report.held[0].review_at, AtHour(100));
  EXPECT_FALSE(report.held[0].review_overdue);
  EXPECT_EQ(world.Make(AtHour(48, 1000), AtHour(40)).held.at(0).hours, 0u) << "not past it then";

  ASSERT_TRUE(world.ledger->MarkHoldLifted(7, AtHour(48, 1200)).ok());
  world.input.holds.clear();
  report = world.Make(AtHour(48, 2000));
  EXPECT_TRUE(report.held.empty());
  EXPECT_TRUE(Has(report.findings, FindingKind::kKeyOfLiftedHold)) << Names(report.findings);
  EXPECT_TRUE(Has(report.findings, FindingKind::kSegmentOfDroppedHour));
}

TEST(ReportTest, HeldAndErasedVehiclesOfAnOverdueHourAreNotCounted) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  OrdinalSet held;
  held.Add(Ordinal{1});
  ASSERT_TRUE(world.ledger->MarkHeld(7, PositionHour(0), held, AtHour(30)).ok());
  ASSERT_TRUE(world.ledger->MarkErased(std::vector{Ordinal{2}}, AtHour(48, 700)).ok());
  Report report = world.Make(AtHour(48, 600));
  ASSERT_EQ(report.still_stored.size(), 1u);
  EXPECT_EQ(report.still_stored[0].ordinals, (Ordinals{0, 2})) << "erased later";
  EXPECT_TRUE(Has(report.findings, FindingKind::kHoldUnknown)) << "no such hold in the list";
  report = world.Make(AtHour(48, 700));
  EXPECT_EQ(report.still_stored.at(0).ordinals, (Ordinals{0}));
  EXPECT_EQ(report.erased_vehicles, 1u);
  ASSERT_TRUE(world.ledger->MarkErased(std::vector{Ordinal{0}}, AtHour(48, 800)).ok());
  EXPECT_TRUE(world.Make(AtHour(48, 800)).still_stored.empty());
}

TEST(ReportTest, FramesAcceptedPastTheWindowAreSaidForEver) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  ASSERT_TRUE(world.ledger->Note(PositionHour(0), Ordinal{1}, 3, AtHour(48, 1)).ok());
  ASSERT_TRUE(world.ledger->Commit().ok());
  world.Destroy(AtHour(48, 5));
  const Report report = world.Make(AtHour(48, 1000));
  ExpectOnly(report, FindingKind::kAcceptedPastWindow);
  EXPECT_EQ(report.late_frames, 3u);
  EXPECT_EQ(report.accepted_late.at(0).last_stored, AtHour(48, 1));
  EXPECT_EQ(report.expired_on_arrival, 1u);
}

TEST(ReportTest, TheStreamExportsAndTransportKeysHaveTheirTimesToo) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = AtHour(-6);
  ExpectOnly(world.Make(), FindingKind::kStreamPastRetention);
  world.input.sealed[0].oldest_at = AtHour(9);
  world.input.exports.push_back({"export 3", AtHour(19)});
  ExpectOnly(world.Make(), FindingKind::kExportPastExpiry);
  world.input.exports[0].expires_at = AtHour(21);
  world.input.transport_keys.push_back({"seal 2026-01", AtHour(19)});
  ExpectOnly(world.Make(), FindingKind::kTransportKeyPastExpiry);
}

TEST(ReportTest, EveryOffsetTheGatewaysSealedIsAccountedFor) {
  ReportWorld world;
  world.input.sealed[0].next = 40;
  Report report = world.Make();
  EXPECT_EQ(report.verdict, Verdict::kClean) << "five wait";
  EXPECT_EQ(report.partitions.at(0).waiting, 5u);
  world.input.sealed[0].next = 34;
  ExpectOnly(world.Make(), FindingKind::kVaultAheadOfLog);
  world.input.sealed[0].next = 40;
  world.input.account.Add(PartitionId{0}, Offset{37}, Outcome::kStored, AtHour(10));
  report = world.Make();
  ExpectOnly(report, FindingKind::kOffsetGap);
  EXPECT_NE(report.findings[0].place.find("partition 0 offsets 35..36"), std::string::npos);
}

TEST(ReportTest, ARepeatedOffsetAndAPartitionNobodyReadsAreSaid) {
  ReportWorld world;
  world.input.account.Add(PartitionId{0}, Offset{3}, Outcome::kStored, AtHour(10));
  ExpectOnly(world.Make(), FindingKind::kOffsetRepeated);
  ReportWorld other;
  other.input.sealed.push_back({PartitionId{1}, 0, 5, AtHour(19)});
  ExpectOnly(other.Make(), FindingKind::kPartitionNotConsumed);
}

TEST(ReportTest, ABrokenAuditChainMakesItIncomplete) {
  ReportWorld world;
  world.input.audit_problem = "entry 3 does not follow";
  ExpectOnly(world.Make(), FindingKind::kAuditChainBroken);
}

TEST(ReportTest, AnHourWhoseFileIsGoneIsStillCountedByTheIndex) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  ASSERT_TRUE(world.ledger->Fold(AtHour(20)).ok());
  world.ledger.reset();
  ASSERT_TRUE(world.disk.Remove("/vault/ledger/hours/position-500000").ok());
  world.MustOpen(AtHour(20));
  const Report report = world.Make(AtHour(48, 600));
  EXPECT_TRUE(Has(report.findings, FindingKind::kLedgerHourUnreadable)) << Names(report.findings);
  EXPECT_EQ(report.still_stored.at(0).overdue.at(0).vehicles, 3u);
}

TEST(ReportTest, LongListsAreCutUnlessAskedFor) {
  ReportWorld world;
  world.input.sealed[0].oldest_at = {};
  for (std::uint32_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(world.ledger->Note(PositionHour(0), Ordinal{i}, 1, AtHour(1)).ok());
  }
  ASSERT_TRUE(world.ledger->Commit().ok());
  EXPECT_EQ(world.Make(AtHour(49)).still_stored.at(0).ordinals.size(), kOrdinalsListed);
  world.input.list = true;
  EXPECT_EQ(world.Make(AtHour(49)).still_stored.at(0).ordinals.size(), 500u);
}

TEST(ReportTest, JsonAndTextSayTheVerdictTheNumbersAndWhatToDo) {
  ReportWorld world;
  world.input.listing.files.push_back({"planted", 9});
  const Report report = world.Make();
  const auto json = nlohmann::json::parse(report.ToJson());
  EXPECT_EQ(json.at("verdict"), "incomplete");
  EXPECT_EQ(json.at("partitions").at(0).at("stored"), 30);
  EXPECT_EQ(json.at("partitions").at(0).at("dropped_expired"), 1);
  EXPECT_EQ(json.at("reconciliation").at("next_segment"), 10);
  EXPECT_EQ(json.at("findings").at(0).at("kind"), "segment_unlisted");
  EXPECT_EQ(json.at("findings").at(0).at("place"), "planted");
  const std::string text = report.ToText();
  EXPECT_NE(text.find("INCOMPLETE segment_unlisted: planted"), std::string::npos) << text;
  EXPECT_NE(text.find("sealed 35 = 30 stored"), std::string::npos) << text;
  EXPECT_NE(text.find("still stored past the window: nobody"), std::string::npos) << text;
}

}  // namespace
}  // namespace telltale::vault
