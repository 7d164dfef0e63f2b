// What the split promises of every report, with libprotobuf as the oracle.
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "contract/split_testing.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT: the oracle's vocabulary

class SplitTest : public ::testing::Test {
 protected:
  Kept One(const std::string& report, double offset_km = 0) {
    auto kept = SplitAll(splitter_, Batch({report}), offset_km);
    CHECK(kept.size() == 1);
    return kept[0];
  }
  std::shared_ptr<const Contract> contract_ = Load(ShippedFiles());
  Oracle oracle_{contract_};
  Splitter splitter_{contract_};
};

TEST_F(SplitTest, ThePartsTogetherAreTheReportAndTheOpenPartsHoldNothingSealed) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    RandomReports reports(oracle_, seed);
    for (int i = 0; i < 700; ++i) {
      const auto sent = reports.Next(1 + reports.random().Below(8), true);
      const std::string bytes = sent->SerializeAsString();
      const Kept split = One(bytes, 12'345.0);
      EXPECT_EQ(split.raw, bytes);
      EXPECT_EQ(split.report.content_hash, ContentHash(AsBytes(bytes)));
      ExpectWhole(oracle_, *sent, split);
      if (HasFailure()) FAIL() << "seed " << seed << " report " << i;
    }
  }
}

TEST_F(SplitTest, NestedSealedMembersAreCutOutOfEveryMessage) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(FindField(FindMessage(files, "FreezeFrame"), "speed_kmh"), PrivacySpec(2));
  SetSpec(FindField(FindMessage(files, "Dtc"), "status"), PrivacySpec(3));
  SetSpec(FindField(FindMessage(files, "TireState"), "temperature_c"), PrivacySpec(0));
  SetSpec(FindField(FindMessage(files, "Report"), "tires"), "\x28\x01");  // safety, as a whole
  const auto contract = Load(files);
  const Oracle oracle(contract);
  Splitter splitter(contract);
  RandomReports reports(oracle, 11);
  for (int i = 0; i < 700; ++i) {
    const auto sent = reports.Next(1 + reports.random().Below(4), true);
    const auto kept = SplitAll(splitter, Batch({sent->SerializeAsString()}));
    ExpectWhole(oracle, *sent, kept.at(0));
    if (HasFailure()) FAIL() << "report " << i;
  }
}

TEST_F(SplitTest, SeqAndEventTimeAreInNoPayload) {
  const Kept split = One(Identity(42) + Fixed<float>(10, 50.0f) + Fixed<double>(160, 52.5));
  EXPECT_EQ(split.report.seq, 42u);
  EXPECT_EQ(split.report.event_time, Micros{1'700'000'000'000'000});
  EXPECT_EQ(split.telemetry, Fixed<float>(10, 50.0f));
  EXPECT_EQ(split.safety, Fixed<float>(10, 50.0f));
  EXPECT_EQ(split.sealed, Fixed<double>(160, 52.5));
}

TEST_F(SplitTest, AReportWithoutFieldsIsAcceptedAndAllItsPartsAreEmpty) {
  const Kept split = One(Identity());
  EXPECT_EQ(split.report.refused, Reason::kNone);
  EXPECT_EQ(split.telemetry + split.safety + split.sealed + split.unknown, "");
}

TEST_F(SplitTest, AnUnknownFieldIsSealedAsSentAndCounted) {
  const std::string unknown = Delimited(900, "next year's sensor") + Varint(200'000'000, 1);
  const Kept split = One(Identity() + unknown);
  EXPECT_EQ(split.unknown, unknown);
  EXPECT_EQ(split.telemetry + split.sealed, "");
  ASSERT_EQ(split.unknown_fields.size(), 2u);
  EXPECT_EQ(split.unknown_fields[0].path, "");
  EXPECT_EQ(split.unknown_fields[0].number, 900u);
  EXPECT_EQ(split.unknown_fields[0].wire_type, 2);
  EXPECT_EQ(split.unknown_fields[0].bytes, 18u);
  EXPECT_EQ(split.unknown_fields[0].why, UnknownField::Why::kUndeclared);
  EXPECT_EQ(split.unknown_fields[1].number, 200'000'000u);
  EXPECT_EQ(split.unknown_fields[1].wire_type, 0);
  EXPECT_EQ(split.unknown_fields[1].bytes, 1u);
}

TEST_F(SplitTest, ADerivedFieldFromACarIsSealedAsUnknown) {
  std::string derived;
  AppendCell(derived, 0x47a851c000000000);
  AppendHeadingOctant(derived, 3);
  AppendVehicleClass(derived, 1);
  derived += Delimited(10'004, "also from 10,000") + Varint(10'002, 4);
  const Kept split = One(Identity() + derived);
  EXPECT_EQ(split.unknown, derived);
  EXPECT_EQ(split.unknown_fields.size(), 5u);
  EXPECT_EQ(split.telemetry + split.safety + split.sealed, "");
}

TEST_F(SplitTest, AFieldWithoutTheOptionIsSealed) {
  pb::FileDescriptorSet files = ShippedFiles();
  AddField(FindMessage(files, "Report"), "forgotten", 8'000, pb::FieldDescriptorProto::TYPE_FLOAT);
  Splitter splitter(Load(files));
  const std::string field = Fixed<float>(8'000, 1.0f);
  const auto kept = SplitAll(splitter, Batch({Identity() + field}));
  EXPECT_EQ(kept.at(0).sealed, field);
  EXPECT_EQ(kept.at(0).telemetry, "");
  EXPECT_EQ(kept.at(0).unknown_fields.size(), 0u);  // known, and sealed for want of a class
}

TEST_F(SplitTest, AnUnknownMemberIsSealedUnderItsParentAndKeepsItsPlaceInTheList) {
  const std::string plain = Delimited(120, Varint(1, 1) + Fixed<float>(2, 230.0f));
  const std::string mixed = Delimited(120, Varint(1, 2) + Varint(77, 9));
  const Kept split = One(Identity() + plain + plain + mixed + plain);
  EXPECT_EQ(split.telemetry, plain + plain + Delimited(120, Varint(1, 2)) + plain);
  EXPECT_EQ(split.unknown, Delimited(120, "") + Delimited(120, "") + Delimited(120, Varint(77, 9)));
  EXPECT_EQ(split.sealed, "");
  ASSERT_EQ(split.unknown_fields.size(), 1u);
  EXPECT_EQ(split.unknown_fields[0].path, "120.");
  EXPECT_EQ(split.unknown_fields[0].number, 77u);
}

// Another firmware's idea of the field: its neighbours pass, and it waits sealed for a contract.
TEST_F(SplitTest, AKnownNumberWithAnotherWireTypeIsSealedApart) {
  const std::string good = Fixed<float>(10, 1.0f);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Varint(10, 50), ""},                                // a float as varint
      {Fixed<double>(10, 50), ""},                         // as double
      {Delimited(31, "\x01"), ""},                         // a bool as bytes
      {Varint(120, 1), ""},                                // a message as varint
      {Fixed<float>(84, 1), ""},                           // a repeated number as fixed32
      {Varint(160, 1), ""},                                // a sealed field of another type
      {Fixed<float>(150, 1), ""},                          // the odometer as float
      {Delimited(120, Varint(2, 1)), Delimited(120, "")},  // a member of another type
  };
  for (const auto& [field, open] : cases) {
    const Kept split = One(Identity() + field + good);
    EXPECT_EQ(split.report.refused, Reason::kNone);
    EXPECT_EQ(split.telemetry, open + good);
    EXPECT_EQ(split.unknown, field);
    EXPECT_EQ(split.sealed, "");
    ASSERT_EQ(split.unknown_fields.size(), 1u);
    EXPECT_EQ(split.unknown_fields[0].why, UnknownField::Why::kWireType);
  }
}

TEST_F(SplitTest, ValuesAndPatternsSayWhichTextsStandOpenly) {
  pb::FileDescriptorSet files = ShippedFiles();
  auto* report = FindMessage(files, "Report");
  const auto open_text = [&](const char* name, int number, const std::string& spec) {
    SetSpec(AddField(report, name, number, pb::FieldDescriptorProto::TYPE_STRING),
            PrivacySpec(1) + spec);
  };
  open_text("gear_text", 8'001, Delimited(10, "D") + Delimited(10, "left front"));
  open_text("range_text", 8'002, Delimited(11, "[0-9]{1,3}\\.[0-9]"));
  Splitter splitter(Load(files));
  const auto is_open = [&](int number, std::string_view text) {
    const std::string field = Delimited(static_cast<std::uint32_t>(number), text);
    const auto kept = SplitAll(splitter, Batch({Identity() + field}));
    EXPECT_EQ(kept.at(0).telemetry + kept.at(0).unknown, field);
    return kept.at(0).unknown.empty();
  };
  EXPECT_TRUE(is_open(8'001, "D"));
  EXPECT_TRUE(is_open(8'001, "left front"));
  EXPECT_FALSE(is_open(8'001, "P"));  // a code, and not in the list
  EXPECT_FALSE(is_open(8'001, ""));
  EXPECT_TRUE(is_open(8'002, "412.5"));
  EXPECT_FALSE(is_open(8'002, "412.5 "));
  EXPECT_FALSE(is_open(8'002, "52.520008"));
}

TEST_F(SplitTest, AnExactPlaceInsideAnOpenMessageIsSealed) {
  const std::string place = Fixed<double>(6, 52.520008) + Fixed<double>(7, 13.404954);
  const Kept split = One(Identity() + Delimited(180, Varint(1, 1) + place));
  EXPECT_EQ(split.telemetry, Delimited(180, Varint(1, 1)));
  EXPECT_EQ(split.sealed, Delimited(180, place));
}

TEST_F(SplitTest, AnOpenTextThatIsNoCodeIsSealedAndCounted) {
  const Kept code = One(Identity() + Delimited(140, Delimited(1, "U0100-87")));
  EXPECT_EQ(code.telemetry, Delimited(140, Delimited(1, "U0100-87")));
  EXPECT_EQ(code.unknown, "");
  for (const char* text :
       {"52.520008,13.404954", "Anna Maria", "\xff\xfe", "", "ABCDEFGHIJKLMNOPQ"}) {
    const std::string field = Delimited(140, Delimited(1, text));
    const Kept split = One(Identity() + field);
    EXPECT_EQ(split.telemetry, Delimited(140, "")) << text;
    EXPECT_EQ(split.unknown, field) << text;
    ASSERT_EQ(split.unknown_fields.size(), 1u) << text;
    EXPECT_EQ(split.unknown_fields[0].why, UnknownField::Why::kText) << text;
  }
}

TEST_F(SplitTest, InvalidUtf8InASealedTextIsSealedAsSent) {
  const std::string field = Delimited(190, "\xc3\x28");
  const Kept split = One(Identity() + field);
  EXPECT_EQ(split.report.refused, Reason::kNone);
  EXPECT_EQ(split.sealed, field);
}

TEST_F(SplitTest, RepeatedNumbersPassPackedAndOneByOne) {
  std::string packed;
  for (const std::uint64_t n : {0ull, 300ull, 5ull}) AppendVarint(packed, n);
  const std::string fields = Delimited(84, packed) + Varint(84, 9) + Delimited(84, "");
  const Kept split = One(Identity() + fields);
  EXPECT_EQ(split.telemetry, fields);
  EXPECT_EQ(split.sealed, "");
}

TEST_F(SplitTest, EveryOccurrenceOfASingularFieldIsKeptInOrder) {
  const std::string twice = Fixed<float>(10, 1.0f) + Varint(131, 4) + Fixed<float>(10, 2.0f);
  const Kept split = One(Varint(1, 1) + twice + Identity(8));
  EXPECT_EQ(split.telemetry, twice);
  EXPECT_EQ(split.safety, Fixed<float>(10, 1.0f) + Fixed<float>(10, 2.0f));
  EXPECT_EQ(split.report.seq, 8u);
}

TEST_F(SplitTest, ThePlaceIsReadForTheDoorAndTheLastOneCounts) {
  const Kept split = One(Identity() + Fixed<double>(160, 1.0) + Fixed<double>(161, 13.5) +
                         Fixed<float>(163, 90.0f) + Fixed<double>(160, 52.5));
  EXPECT_EQ(split.report.latitude_deg, 52.5);
  EXPECT_EQ(split.report.longitude_deg, 13.5);
  EXPECT_EQ(split.report.heading_deg, 90.0);
  const Kept without = One(Identity());
  EXPECT_FALSE(without.report.latitude_deg || without.report.longitude_deg ||
               without.report.heading_deg);
}

TEST_F(SplitTest, AnOlderContractSealsWhatNewerFirmwareAdds) {
  pb::FileDescriptorSet files = ShippedFiles();
  pb::DescriptorProto* report = FindMessage(files, "Report");
  for (int i = report->field_size() - 1; i >= 0; --i) {
    const Field* field = contract_->FindByName(report->field(i).name());
    if (field->first_firmware != "2.0.0") continue;
    const int oneof = report->field(i).oneof_index();
    if (report->field(i).proto3_optional()) {
      report->mutable_oneof_decl()->DeleteSubrange(oneof, 1);
      for (auto& other : *report->mutable_field()) {
        if (other.has_oneof_index() && other.oneof_index() > oneof) {
          other.set_oneof_index(other.oneof_index() - 1);
        }
      }
    }
    report->mutable_field()->DeleteSubrange(i, 1);
  }
  const auto older = Load(files);
  Splitter splitter(older);
  const std::string known = Fixed<float>(10, 50.0f);
  const std::string added = Fixed<float>(12, 1.0f) + Delimited(120, Varint(1, 1));
  const auto kept = SplitAll(splitter, Batch({Identity() + known + added}));
  EXPECT_EQ(kept.at(0).telemetry, known);
  EXPECT_EQ(kept.at(0).unknown, added);
  EXPECT_EQ(kept.at(0).unknown_fields.size(), 2u);
  EXPECT_EQ(One(Identity() + known + added).telemetry, known + added);
}

TEST_F(SplitTest, DerivedFieldsDecodeUnderTheirContractNumbers) {
  std::string wire;
  AppendCell(wire, 0x47a851c000000000);
  AppendHeadingOctant(wire, 7);
  AppendVehicleClass(wire, 5);
  const auto report = oracle_.Decode(wire);
  ASSERT_TRUE(report);
  const auto& reflection = *report->GetReflection();
  const auto& descriptor = *report->GetDescriptor();
  EXPECT_EQ(reflection.GetUInt64(*report, descriptor.FindFieldByName("cell")), 0x47a851c000000000u);
  EXPECT_EQ(reflection.GetUInt32(*report, descriptor.FindFieldByName("heading_octant")), 7u);
  EXPECT_EQ(reflection.GetEnumValue(*report, descriptor.FindFieldByName("vehicle_class")), 5);
}

}  // namespace
}  // namespace telltale::contract
