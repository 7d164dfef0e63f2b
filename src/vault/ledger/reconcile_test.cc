#include "vault/ledger/reconcile.h"

#include <nlohmann/json.hpp>
#include <set>

#include "vault/ledger/report_testing.h"

namespace telltale::vault {
namespace {

std::vector<Finding> FindingsOf(ReportWorld& world) {
  return Reconcile(world.input.listing, world.input.keys, world.input.catalogue,
                   world.ledger->View(), world.input.now)
      .findings;
}

void ExpectOne(ReportWorld& world, FindingKind kind, const std::string& place) {
  const std::vector<Finding> findings = FindingsOf(world);
  ASSERT_EQ(findings.size(), 1u) << Names(findings);
  EXPECT_EQ(findings[0].kind, kind) << Names(findings);
  EXPECT_EQ(findings[0].place, place);
}

TEST(ReconcileTest, BooksInOrderHaveNoFinding) {
  ReportWorld world;
  EXPECT_TRUE(FindingsOf(world).empty()) << Names(FindingsOf(world));
}

TEST(ReconcileTest, AFileNobodyKnowsIsFound) {
  ReportWorld world;
  world.input.listing.files.push_back({"position-4-99", 10});
  ExpectOne(world, FindingKind::kSegmentUnlisted, "position-4-99");
}

TEST(ReconcileTest, AFileThatIsMissingOrShortIsFound) {
  ReportWorld world;
  world.input.listing.files[3].bytes = 99;
  ExpectOne(world, FindingKind::kSegmentFileShort, "position-3-3: 99 bytes of 100");
  world.input.listing.files.erase(world.input.listing.files.begin() + 3);
  ExpectOne(world, FindingKind::kSegmentFileMissing, "position-3-3");
}

TEST(ReconcileTest, AMissingSegmentNumberIsFoundAlsoAtTheEnd) {
  ReportWorld world;
  world.input.catalogue.next_segment += 2;
  ExpectOne(world, FindingKind::kSegmentNumberMissing, "segments 10..11");
  world.input.catalogue.next_segment -= 2;
  world.input.catalogue.live.erase(world.input.catalogue.live.begin() + 4);
  world.input.listing.files.erase(world.input.listing.files.begin() + 4);
  ExpectOne(world, FindingKind::kSegmentNumberMissing, "segment 4");
  world.input.catalogue.gone.push_back({4, 5, Gone::kReplaced, 0});
  EXPECT_TRUE(FindingsOf(world).empty()) << "replaced ones need no receipt";
}

TEST(ReconcileTest, ANumberThatIsThereTwiceOrGoneWithoutReceiptIsFound) {
  ReportWorld world;
  world.input.catalogue.gone.push_back({4, 6, Gone::kDestroyed, 3});
  std::vector<Finding> findings = FindingsOf(world);
  EXPECT_TRUE(Has(findings, FindingKind::kSegmentNumberTwice)) << Names(findings);
  ReportWorld other;
  other.Destroy(AtHour(19));
  other.input.catalogue.gone[0].audit_entry = 0;
  ExpectOne(other, FindingKind::kDestroyedWithoutReceipt, "segment 0");
}

TEST(ReconcileTest, AKeyThatOutlivedItsHourIsFound) {
  ReportWorld world;
  const HourKeyInfo key = world.input.keys.hours[0];
  world.Destroy(AtHour(19));
  EXPECT_TRUE(FindingsOf(world).empty());
  world.input.keys.hours.push_back(key);
  ExpectOne(world, FindingKind::kKeyOfDroppedHour, "position hour 500000");
}

TEST(ReconcileTest, AKeyPastItsTimeIsFoundWhateverTheLedgerSays) {
  ReportWorld world;
  world.input.keys.hours.push_back({{RetentionClass::kUnknown, kFirstHour}, HourOf(AtHour(20))});
  EXPECT_TRUE(FindingsOf(world).empty()) << "its destruction may run at this moment";
  world.input.now = AtHour(20, 300);
  ExpectOne(world, FindingKind::kKeyPastExpiry, "unknown hour 500000");
}

TEST(ReconcileTest, ALiveHourWithoutItsKeyIsFound) {
  ReportWorld world;
  world.input.keys.hours.erase(world.input.keys.hours.begin() + 2);
  ExpectOne(world, FindingKind::kKeyMissing, "position hour 500002");
}

TEST(ReconcileTest, SegmentsThatTheLedgerDoesNotKnowOrCallsDroppedAreFound) {
  ReportWorld world;
  world.AddSegment(15);
  ExpectOne(world, FindingKind::kHourNotInLedger, "position hour 500015");
  ReportWorld other;
  const SegmentFact segment = other.input.catalogue.live[0];
  const ListedFile file = other.input.listing.files[0];
  other.Destroy(AtHour(19));
  other.input.catalogue.gone.clear();
  other.input.catalogue.live.push_back(segment);
  other.input.listing.files.push_back(file);
  ExpectOne(other, FindingKind::kSegmentOfDroppedHour, "position hour 500000");
}

TEST(ReconcileTest, ALedgerThatKnowsFewerFramesThanAreStoredIsFound) {
  ReportWorld world;
  world.input.catalogue.live[5].frames = 4;
  ExpectOne(world, FindingKind::kLedgerFramesShort, "position hour 500005: 3 frames of 4");
}

TEST(ReconcileTest, AHoldWithoutLedgerOrKeyIsFound) {
  ReportWorld world;
  world.input.catalogue.live.push_back({10, {RetentionClass::kHold, Hour{7}}, "hold", 1, 1});
  ++world.input.catalogue.next_segment;
  world.input.listing.files.push_back({"hold", 1});
  const std::vector<Finding> findings = FindingsOf(world);
  EXPECT_EQ(findings.size(), 2u) << Names(findings);
  EXPECT_TRUE(Has(findings, FindingKind::kHoldUnknown));
  EXPECT_TRUE(Has(findings, FindingKind::kKeyMissing));
}

TEST(ReconcileTest, AuditFieldsAreJsonWithCountsAndAFewPlaces) {
  ReportWorld world;
  for (int i = 0; i < 50; ++i) {
    world.input.listing.files.push_back({"planted \"" + std::to_string(i), 1});
  }
  const Reconciliation result = Reconcile(world.input.listing, world.input.keys,
                                          world.input.catalogue, world.ledger->View(), AtHour(20));
  std::string object = "{";
  for (const auto& [name, value] : AuditFieldsOf(result)) {
    object += (object.size() > 1 ? "," : "") + ("\"" + name + "\":" + value);
  }
  const auto json = nlohmann::json::parse(object + "}");
  EXPECT_EQ(json.at("verdict"), "incomplete");
  EXPECT_EQ(json.at("findings").at("segment_unlisted"), 50);
  EXPECT_EQ(json.at("places").size(), kFindingsAudited);
  EXPECT_EQ(json.at("files"), 60);
}

TEST(FindingsTest, EveryKindHasANameOfItsOwnAndAdvice) {
  std::set<std::string_view> names;
  for (int i = 0; i < kFindingKinds; ++i) {
    const auto kind = static_cast<FindingKind>(i);
    EXPECT_TRUE(names.insert(NameOf(kind)).second) << i;
    EXPECT_FALSE(AdviceOn(kind).empty()) << NameOf(kind);
  }
  EXPECT_EQ(VerdictOf({{FindingKind::kOffsetGap, ""}, {FindingKind::kHourPastWindow, ""}}),
            Verdict::kViolation);
  EXPECT_EQ(ExitCodeOf(Verdict::kIncomplete), 2);
}

}  // namespace
}  // namespace telltale::vault
