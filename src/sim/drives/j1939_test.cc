#include "sim/drives/j1939.h"

#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;
using Bytes = std::vector<std::uint8_t>;
using Outcome = J1939Decoder::Outcome;

TEST(J1939Test, KnowsTheGroupsOfTheStandardWithoutADatabase) {
  const J1939Decoder decoder{std::nullopt};
  RowCounts counts;
  Report report;
  const auto take = [&](std::uint32_t pgn, const Bytes& data) {
    return decoder.Take(pgn, 0, data, report, counts);
  };
  EXPECT_EQ(take(61444, {0x60, 0x7D, 0x84, 0x48, 0x14, 0x00, 0xF0, 0x84}), Outcome::kValues);
  EXPECT_EQ(take(65265, {0xF7, 0x80, 0x0C, 0x04, 0, 0, 0, 0xFF}), Outcome::kValues);
  EXPECT_EQ(take(65262, {0x6F, 0x3F, 0x39, 0x2B, 0xFF, 0xFF, 0xFF, 0xFF}), Outcome::kValues);
  EXPECT_EQ(take(65276, {0xFF, 0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}), Outcome::kValues);
  EXPECT_EQ(take(65271, {0xFF, 0xFF, 0xFF, 0xFF, 0x09, 0x01, 0x08, 0x01}), Outcome::kValues);
  EXPECT_EQ(take(65248, {0xFF, 0xFF, 0xFF, 0xFF, 0x47, 0xB0, 0x01, 0x00}), Outcome::kValues);
  EXPECT_EQ(take(61443, {0xDD, 0x32, 0x0C, 0xFF, 0xFF, 0x0C, 0x60, 0x7D}), Outcome::kValues);
  EXPECT_EQ(take(65266, {0x37, 0x00, 0, 0, 0x87, 0x01, 0x00, 0xFF}), Outcome::kValues);
  EXPECT_EQ(report.engine_speed_rpm(), 649);
  EXPECT_EQ(report.speed_kmh(), 12.5f);
  EXPECT_TRUE(report.is_parking_brake_engaged());
  EXPECT_EQ(report.coolant_temperature_c(), 71);
  EXPECT_FLOAT_EQ(report.oil_temperature_c(), 72.78125f);
  EXPECT_FLOAT_EQ(report.fuel_level_percent(), 74.8f);
  EXPECT_FLOAT_EQ(report.low_voltage_battery_v(), 13.25f);
  EXPECT_FLOAT_EQ(report.control_module_v(), 13.2f);
  EXPECT_EQ(report.odometer_km(), 13832.875);
  EXPECT_EQ(report.accelerator_pedal_percent(), 20);
  EXPECT_EQ(report.engine_load_percent(), 12);
  EXPECT_FLOAT_EQ(report.fuel_rate_lph(), 2.75f);
  EXPECT_EQ(take(64892, Bytes(8, 0)), Outcome::kUnknown);
}

TEST(J1939Test, NotAvailableAndErrorAreNoValues) {
  const J1939Decoder decoder{std::nullopt};
  for (const std::uint8_t top : Bytes{0xFB, 0xFE, 0xFF}) {
    RowCounts counts;
    Report report;
    EXPECT_EQ(decoder.Take(61444, 0, Bytes(8, top), report, counts), Outcome::kNothing);
    EXPECT_EQ(counts.values_dropped[static_cast<std::size_t>(ValueDrop::kSentinel)], 1u);
    EXPECT_FALSE(report.has_engine_speed_rpm());
  }
  RowCounts counts;
  Report report;
  EXPECT_EQ(decoder.Take(61444, 0, Bytes(3), report, counts), Outcome::kNothing);
  EXPECT_EQ(counts.values_dropped[static_cast<std::size_t>(ValueDrop::kMalformed)], 1u);
}

TEST(J1939Test, ADatabaseBesideTheRecordingGoesFirst) {
  const auto dbc = Dbc::Parse(
      "BO_ 2364540158 EEC1: 8 X\n SG_ EngineSpeed : 24|16@1+ (0.25,0) [0|0] \"rpm\" X\n"
      "BA_ \"SPN\" SG_ 2364540158 EngineSpeed 190;\n");
  ASSERT_TRUE(dbc.ok());
  const J1939Decoder decoder{*dbc};
  RowCounts counts;
  Report report;
  decoder.Take(61444, 0, Bytes{0x60, 0x7D, 0x84, 0x48, 0x14, 0, 0xF0, 0x84}, report, counts);
  EXPECT_EQ(report.engine_speed_rpm(), 1298);
}

TEST(J1939Test, ActiveCodesGiveLampAndCountOfTheEngine) {
  const Bytes message = {0x43, 0xFF, 0xD4, 0x03, 0x09, 0x7E, 0x90, 0x0C, 0x14, 0x02};
  const auto dm1 = ReadDm1(message);
  ASSERT_TRUE(dm1);
  ASSERT_EQ(dm1->codes.size(), 2u);
  EXPECT_EQ(dm1->codes[0].spn, 980u);
  EXPECT_EQ(dm1->codes[0].fmi, 9);
  EXPECT_EQ(dm1->codes[0].occurrences, 126);
  EXPECT_EQ(dm1->codes[1].spn, 3216u);
  const J1939Decoder decoder{std::nullopt};
  RowCounts counts;
  Report report;
  EXPECT_EQ(decoder.Take(65226, 0, message, report, counts), Outcome::kValues);
  EXPECT_TRUE(report.is_mil_on());
  EXPECT_EQ(report.dtc_count(), 2u);
  EXPECT_EQ(report.dtcs_size(), 0);
  Report other;
  EXPECT_EQ(decoder.Take(65226, 0x3D, message, other, counts), Outcome::kNothing);
}

TEST(J1939Test, NoActiveCodeIsCountedAsNone) {
  const auto dm1 = ReadDm1(Bytes{0x00, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF});
  ASSERT_TRUE(dm1);
  EXPECT_EQ(dm1->is_mil_on, false);
  EXPECT_TRUE(dm1->codes.empty());
  EXPECT_EQ(ReadDm1(Bytes{0xC0, 0xFF})->is_mil_on, std::nullopt);
  EXPECT_FALSE(ReadDm1(Bytes{0x43}));
}

}  // namespace
}  // namespace telltale::sim
