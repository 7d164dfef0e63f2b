// The open copy of the odometer: value plus the owner's offset, or nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "contract/report_oracle.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT: the oracle's vocabulary
using Type = pb::FieldDescriptorProto::Type;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(OdometerTest, IsSealedAsSentAndOpenWithTheOffset) {
  Splitter splitter(Load(ShippedFiles()));
  const std::string sent = Fixed<double>(150, 12'345.6);
  const auto kept = SplitAll(splitter, Batch({Identity() + sent}), 500'000.25);
  EXPECT_EQ(kept.at(0).sealed, sent);
  EXPECT_EQ(kept.at(0).telemetry, Fixed<double>(150, 12'345.6 + 500'000.25));
  EXPECT_EQ(kept.at(0).safety, "");
  EXPECT_FALSE(kept.at(0).report.odometer_overflow);
}

TEST(OdometerTest, IsNotOpenWhenItIsNoDistanceOrDoesNotFit) {
  Splitter splitter(Load(ShippedFiles()));
  for (const double value : {-0.1, -kInfinity, kInfinity, std::nan("")}) {
    const std::string sent = Fixed<double>(150, value);
    const auto kept = SplitAll(splitter, Batch({Identity() + sent}), 1'000.0);
    EXPECT_EQ(kept.at(0).sealed, sent) << value;
    EXPECT_EQ(kept.at(0).telemetry, "") << value;
    EXPECT_TRUE(kept.at(0).report.odometer_overflow) << value;
    EXPECT_EQ(kept.at(0).report.refused, Reason::kNone) << value;
  }
}

TEST(OdometerTest, AnOffsetThatIsNoneOpensNothing) {
  Splitter splitter(Load(ShippedFiles()));
  for (const double offset : {-1.0, kInfinity, std::nan("")}) {
    const auto kept = SplitAll(splitter, Batch({Identity() + Fixed<double>(150, 1.0)}), offset);
    EXPECT_EQ(kept.at(0).telemetry, "");
    EXPECT_TRUE(kept.at(0).report.odometer_overflow);
  }
}

TEST(OdometerTest, TheFlagIsOfOneReportAlone) {
  Splitter splitter(Load(ShippedFiles()));
  const auto kept = SplitAll(splitter, Batch({Identity() + Fixed<double>(150, -1.0),
                                              Identity() + Fixed<double>(150, 1.0)}));
  EXPECT_TRUE(kept.at(0).report.odometer_overflow);
  EXPECT_FALSE(kept.at(1).report.odometer_overflow);
}

struct WholeCase {
  Type type;
  std::uint64_t largest;
  bool has_sign;
};

class WholeDistanceTest : public ::testing::TestWithParam<WholeCase> {
 protected:
  // The open value of `sent` (as the type's own encoding) in a contract whose odometer has `type`.
  std::optional<std::string> Open(std::int64_t sent, const std::string& unit, double offset_km) {
    pb::FileDescriptorSet files = ShippedFiles();
    auto* field = AddField(FindMessage(files, "Report"), "whole_odometer", 8'000, GetParam().type);
    SetSpec(field, PrivacySpec(4) + UnitSpec(unit));
    Splitter splitter(Load(files));
    const std::string wire = Encode(sent);
    const auto kept = SplitAll(splitter, Batch({Identity() + wire}), offset_km);
    EXPECT_EQ(kept.at(0).sealed, wire);
    if (kept.at(0).report.odometer_overflow) {
      EXPECT_EQ(kept.at(0).telemetry, "");
      return std::nullopt;
    }
    return kept.at(0).telemetry;
  }
  static std::string Encode(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    switch (GetParam().type) {
      case Type::FieldDescriptorProto_Type_TYPE_SINT32:
      case Type::FieldDescriptorProto_Type_TYPE_SINT64:
        return Varint(8'000, (bits << 1) ^ static_cast<std::uint64_t>(value >> 63));
      case Type::FieldDescriptorProto_Type_TYPE_FIXED32:
        return Fixed<std::uint32_t>(8'000, static_cast<std::uint32_t>(bits));
      case Type::FieldDescriptorProto_Type_TYPE_SFIXED32:
        return Fixed<std::int32_t>(8'000, static_cast<std::int32_t>(value));
      case Type::FieldDescriptorProto_Type_TYPE_FIXED64:
      case Type::FieldDescriptorProto_Type_TYPE_SFIXED64:
        return Fixed<std::uint64_t>(8'000, bits);
      default:
        return Varint(8'000, bits);
    }
  }
};

TEST_P(WholeDistanceTest, GetsAWholeOffsetInItsOwnUnitAndEncoding) {
  EXPECT_EQ(Open(123'456, "km", 1'000.4), Encode(124'456));
  EXPECT_EQ(Open(123'457, "km", 1'000.4), Encode(124'457));
  EXPECT_EQ(Open(123'456, "m", 1'000.4), Encode(123'456 + 1'000'400));
  EXPECT_EQ(Open(0, "km", 0), Encode(0));
}

TEST_P(WholeDistanceTest, OpensNothingWhenNegativeOrOverItsType) {
  const auto largest = static_cast<std::int64_t>(GetParam().largest);
  EXPECT_EQ(Open(largest - 10, "km", 10), Encode(largest));
  EXPECT_EQ(Open(largest - 9, "km", 10), std::nullopt);
  if (GetParam().has_sign) {
    EXPECT_EQ(Open(-1, "km", 10), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, WholeDistanceTest,
    ::testing::Values(WholeCase{Type::FieldDescriptorProto_Type_TYPE_INT32, INT32_MAX, true},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_INT64, INT64_MAX, true},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_UINT32, UINT32_MAX, false},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_UINT64, UINT64_MAX, false},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_SINT32, INT32_MAX, true},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_SINT64, INT64_MAX, true},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_FIXED32, UINT32_MAX, false},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_FIXED64, UINT64_MAX, false},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_SFIXED32, INT32_MAX, true},
                      WholeCase{Type::FieldDescriptorProto_Type_TYPE_SFIXED64, INT64_MAX, true}));

TEST(LinkingTest, AFloatDistanceKeepsItsTypeAndOverflowsToNothing) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(AddField(FindMessage(files, "Report"), "float_odometer", 8'000,
                   pb::FieldDescriptorProto::TYPE_FLOAT),
          PrivacySpec(4) + UnitSpec("m"));
  Splitter splitter(Load(files));
  const auto fits = SplitAll(splitter, Batch({Identity() + Fixed<float>(8'000, 500.0f)}), 2.0);
  EXPECT_EQ(fits.at(0).telemetry, Fixed<float>(8'000, 2'500.0f));
  const auto infinite = SplitAll(
      splitter, Batch({Identity() + Fixed<float>(8'000, std::numeric_limits<float>::infinity())}));
  EXPECT_TRUE(infinite.at(0).report.odometer_overflow);
}

TEST(LinkingTest, AValueWithoutAUnitOfLengthIsSealedOnly) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(AddField(FindMessage(files, "Report"), "engine_hours_h", 8'000,
                   pb::FieldDescriptorProto::TYPE_DOUBLE),
          PrivacySpec(4) + UnitSpec("h"));
  Splitter splitter(Load(files));
  const std::string sent = Fixed<double>(8'000, 4'321.0);
  const auto kept = SplitAll(splitter, Batch({Identity() + sent}), 1'000.0);
  EXPECT_EQ(kept.at(0).sealed, sent);
  EXPECT_EQ(kept.at(0).telemetry, "");
  EXPECT_FALSE(kept.at(0).report.odometer_overflow);
}

}  // namespace
}  // namespace telltale::contract
