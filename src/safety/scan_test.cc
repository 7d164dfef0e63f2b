#include "safety/scan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "safety/test_contract.h"

namespace telltale::safety {
namespace {

const char* const kYaml =
    "version: 1\n"
    "rules:\n"
    "- name: a\n"
    "  kind: threshold\n"
    "  fields: [acceleration_longitudinal_mps2, acceleration_lateral_mps2]\n"
    "  combine: max\n"
    "  direction: magnitude\n"
    "  level: {value: 1, unit: m/s2}\n"
    "  severity: LOW\n"
    "- name: b\n"
    "  kind: edge\n"
    "  field: is_aeb_engaged\n"
    "  severity: LOW\n";

constexpr std::uint8_t kLongitudinal = kSlotsFixed;
constexpr std::uint8_t kLateral = kSlotsFixed + 1;
constexpr std::uint8_t kAeb = kSlotsFixed + 2;
constexpr std::uint64_t kCellLevel12 = (std::uint64_t{2} << 61) | (std::uint64_t{1} << 36);

class ScanTest : public ::testing::Test {
 protected:
  Scanner::Outcome Scan(const telltale::v1::Report& report) {
    return scanner_.Scan(AsBytes(wire_ = report.SerializeAsString()), values_);
  }
  Scanner scanner_{testing::MustLoad(kYaml).slots};
  Values values_;
  std::string wire_;
};

TEST_F(ScanTest, SeesWhatProtobufWrote) {
  telltale::v1::Report report;
  report.set_seq(1'000'000);
  report.set_event_time_us(1'700'000'000'000'000);
  report.set_speed_kmh(81.5f);
  report.set_acceleration_longitudinal_mps2(-4.25f);
  report.set_is_aeb_engaged(true);
  report.set_cell(kCellLevel12);
  report.set_heading_octant(7);
  report.set_vehicle_class(telltale::v1::VEHICLE_CLASS_TRUCK);
  EXPECT_TRUE(Scan(report).whole);
  EXPECT_EQ(values_.number[kSlotSpeed], 81.5);
  EXPECT_EQ(values_.number[kLongitudinal], -4.25);
  EXPECT_FALSE(values_.Has(kLateral)) << "absent is not zero";
  EXPECT_EQ(values_.number[kAeb], 1);
  EXPECT_EQ(values_.cell, kCellLevel12);
  EXPECT_EQ(values_.number[kSlotOctant], 7);
  EXPECT_EQ(values_.number[kSlotClass], 3);
}

TEST_F(ScanTest, AFalseThatWasSaidIsThere) {
  telltale::v1::Report report;
  report.set_is_aeb_engaged(false);
  Scan(report);
  EXPECT_TRUE(values_.Has(kAeb));
  EXPECT_EQ(values_.number[kAeb], 0);
}

TEST_F(ScanTest, WhatIsNoNumberOrOutOfRangeCountsAsAbsent) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 1e9f}) {
    telltale::v1::Report report;
    report.set_acceleration_longitudinal_mps2(bad);
    EXPECT_EQ(Scan(report).out_of_range, 1u);
    EXPECT_FALSE(values_.Has(kLongitudinal));
  }
}

TEST_F(ScanTest, ACellFinerThanLevelTwelveIsNotSeen) {
  telltale::v1::Report report;
  report.set_cell(kCellLevel12 | 1);  // level 30
  EXPECT_TRUE(Scan(report).whole);
  EXPECT_FALSE(values_.Has(kSlotCell));
}

TEST_F(ScanTest, TheLastOfSeveralWinsAndOtherWireTypesAreStrangers) {
  telltale::v1::Report first;
  first.set_acceleration_longitudinal_mps2(-1);
  telltale::v1::Report second;
  second.set_acceleration_longitudinal_mps2(-2);
  std::string wire = first.SerializeAsString() + second.SerializeAsString();
  wire += std::string("\x58\x05", 2);  // field 11 as a varint
  EXPECT_TRUE(scanner_.Scan(AsBytes(wire), values_).whole);
  EXPECT_EQ(values_.number[kLongitudinal], -2);
}

TEST_F(ScanTest, AnyCutGivesNothingOrAPrefixAndNeverReadsBeyond) {
  telltale::v1::Report report;
  report.set_speed_kmh(50);
  report.set_acceleration_longitudinal_mps2(-3);
  report.add_dtcs()->set_code("P0301");
  report.set_cell(kCellLevel12);
  const std::string wire = report.SerializeAsString();
  for (std::size_t size = 0; size < wire.size(); ++size) {
    const std::string cut = wire.substr(0, size);
    const bool whole = scanner_.Scan(AsBytes(cut), values_).whole;
    if (!whole) {
      EXPECT_EQ(values_.present, 0u);
    }
  }
  SeededRandom random(3);
  for (int n = 0; n < 20'000; ++n) {
    std::string noise(random.Below(40), '\0');
    for (char& c : noise) c = static_cast<char>(random.Below(256));
    scanner_.Scan(AsBytes(noise), values_);
  }
}

}  // namespace
}  // namespace telltale::safety
