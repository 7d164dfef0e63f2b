#include "lake/table_builder.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/cell.h"
#include "lake/test_log.h"

namespace telltale::lake {
namespace {

class TableBuilderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto contract =
        contract::Contract::FromDescriptorSet(ReadContractDescriptor(TELLTALE_CONTRACT_DESC));
    ASSERT_TRUE(contract.ok());
    columns_ = TelemetryColumns(**contract, nullptr);
    builder_ = TableBuilder::Make(columns_, counters_).ValueOrDie();
  }
  void Append(std::string_view wire, std::uint64_t cell = 0) {
    log::RecordView record;
    record.firmware = "1.0.0";
    TelemetryPayload payload;
    payload.fields = AsBytes(wire);
    Intake::Accepted accepted;
    accepted.cell = cell;
    buffer_.Add(record, payload, accepted, PartitionConfig{1, 1, "d", "r", "e"});
    ASSERT_TRUE(builder_->AppendRow(buffer_.rows().back(), buffer_).ok());
  }
  std::string Get(const arrow::RecordBatch& batch, const std::string& column, std::int64_t row) {
    return batch.GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
  }
  std::uint64_t Count(Reason reason) { return counters_.Drops("lake", reason).value(); }

  Counters counters_;
  std::vector<Column> columns_;
  std::unique_ptr<TableBuilder> builder_;
  RowBuffer buffer_;
};

std::string Speed(float value) {
  v1::Report report;
  report.set_speed_kmh(value);
  return report.SerializeAsString();
}

TEST_F(TableBuilderTest, AFieldThatIsNotSetIsNullInEveryRowBeforeAndAfter) {
  Append("");
  Append(Speed(10));
  Append("");
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(batch->num_rows(), 3);
  EXPECT_EQ(Get(*batch, "speed_kmh", 0), "null");
  EXPECT_EQ(Get(*batch, "speed_kmh", 1), "10");
  EXPECT_EQ(Get(*batch, "speed_kmh", 2), "null");
}

TEST_F(TableBuilderTest, TheLastOfASingleFieldCountsAsInProtobuf) {
  Append(Speed(10) + Speed(20));
  const auto batch = builder_->Finish().ValueOrDie();
  EXPECT_EQ(Get(*batch, "speed_kmh", 0), "20");
}

TEST_F(TableBuilderTest, PiecesOfAListAreOneListPackedOrNot) {
  v1::Report report;
  report.add_misfire_counts(1);
  report.add_misfire_counts(2);
  std::string single;
  contract::AppendTag(single, 84, contract::WireType::kVarint);
  contract::AppendVarint(single, 3);
  Append(report.SerializeAsString() + Speed(1) + single);
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  const auto list =
      std::static_pointer_cast<arrow::ListArray>(batch->GetColumnByName("misfire_counts"));
  EXPECT_EQ(list->value_length(0), 3);
}

TEST_F(TableBuilderTest, NothingButACheckedCellReachesTheColumn) {
  v1::Report report;
  report.set_cell(0x123456789);  // what the payload says is not what is written
  const std::uint64_t held = CellParent((std::uint64_t{3} << 61) | (std::uint64_t{1} << 36), 9);
  Append(report.SerializeAsString());
  Append(report.SerializeAsString(), held);
  const auto batch = builder_->Finish().ValueOrDie();
  EXPECT_EQ(Get(*batch, "cell", 0), "null");
  EXPECT_EQ(Get(*batch, "cell", 1), std::to_string(static_cast<std::int64_t>(held)));
}

TEST_F(TableBuilderTest, WhatTellsTurnsIsReadAndCountedAndNeverAColumn) {
  v1::Report report;
  report.set_speed_kmh(50);
  report.set_yaw_rate_dps(3);
  report.set_acceleration_lateral_mps2(99);  // out of range: counted as ever
  report.set_heading_octant(6);
  Append(report.SerializeAsString());
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(Get(*batch, "speed_kmh", 0), "50");
  for (const char* name : {"yaw_rate_dps", "acceleration_lateral_mps2", "heading_octant"}) {
    EXPECT_EQ(batch->GetColumnByName(name), nullptr) << name;
  }
  EXPECT_EQ(Count(Reason::kOutOfRange), 1u);
}

TEST_F(TableBuilderTest, BrokenBytesNullTheRestOfTheRowAndAreCounted) {
  Append(Speed(10) + "\x0a");
  Append(std::string("\x52\x01x", 3));  // speed_kmh as text
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(Get(*batch, "speed_kmh", 0), "10");
  EXPECT_EQ(Get(*batch, "speed_kmh", 1), "null");
  EXPECT_EQ(Count(Reason::kReportMalformed), 1u);
  EXPECT_EQ(Count(Reason::kWrongWireType), 1u);
}

TEST_F(TableBuilderTest, ABuilderIsAsNewAfterFinish) {
  Append(Speed(10));
  (void)builder_->Finish().ValueOrDie();
  Append("");
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(batch->num_rows(), 1);
  EXPECT_EQ(Get(*batch, "speed_kmh", 0), "null");
}

// Contract with a signal in several fields: range_km (500) as double; from newer cars range_m (501)
// in metres, and range_text (502) as text; trip_km (504) fed by trip_m (503) too, which has a
// column of its own; source_text (505) into the enum motion_kind (506).
std::vector<TestField> SharedFields() {
  using Proto = google::protobuf::FieldDescriptorProto;
  v1::FieldSpec open;
  open.set_privacy(v1::FieldSpec::OPEN);
  const auto with_unit = [&](const char* unit) {
    v1::FieldSpec spec = open;
    spec.set_unit(unit);
    return spec;
  };
  v1::FieldSpec range_km = with_unit("km");
  range_km.set_min(0);
  range_km.set_max(1000);
  v1::FieldSpec range_m = with_unit("m");
  range_m.set_column("range_km");
  range_m.set_scale(0.001);
  v1::FieldSpec range_text = open;
  range_text.set_column("range_km");
  v1::FieldSpec trip_km = with_unit("km");
  auto* from = trip_km.add_from();
  from->set_field("trip_m");
  from->set_scale(0.001);
  v1::FieldSpec source_text = open;
  source_text.set_column("motion_kind");
  for (const auto& [text, name] :
       {std::pair{"gnss", "MOTION_SOURCE_GNSS"}, std::pair{"imu", "MOTION_SOURCE_IMU"}}) {
    auto* entry = source_text.add_map();
    entry->set_from(text);
    entry->set_to(name);
  }
  return {{"range_km", 500, Proto::TYPE_DOUBLE, range_km, ""},
          {"range_m", 501, Proto::TYPE_UINT32, range_m, ""},
          {"range_text", 502, Proto::TYPE_STRING, range_text, ""},
          {"trip_m", 503, Proto::TYPE_UINT32, with_unit("m"), ""},
          {"trip_km", 504, Proto::TYPE_FLOAT, trip_km, ""},
          {"source_text", 505, Proto::TYPE_STRING, source_text, ""},
          {"motion_kind", 506, Proto::TYPE_ENUM, open, ".telltale.v1.MotionSource"}};
}

class SharedColumnTest : public TableBuilderTest {
 protected:
  void SetUp() override {
    auto contract = contract::Contract::FromDescriptorSet(
        WithFields(ReadContractDescriptor(TELLTALE_CONTRACT_DESC), SharedFields()));
    ASSERT_TRUE(contract.ok()) << contract.error().ToString();
    columns_ = TelemetryColumns(**contract, nullptr);
    builder_ = TableBuilder::Make(columns_, counters_).ValueOrDie();
  }
  static std::string Varint(std::uint32_t number, std::uint64_t value) {
    std::string wire;
    contract::AppendTag(wire, number, contract::WireType::kVarint);
    contract::AppendVarint(wire, value);
    return wire;
  }
  static std::string Double(std::uint32_t number, double value) {
    std::string wire;
    contract::AppendTag(wire, number, contract::WireType::kFixed64);
    PutLe(wire, value);
    return wire;
  }
  static std::string String(std::uint32_t number, std::string_view text) {
    std::string wire;
    contract::AppendTag(wire, number, contract::WireType::kBytes);
    contract::AppendVarint(wire, text.size());
    return wire.append(text);
  }
};

TEST_F(SharedColumnTest, OneSignalOfThreeFirmwaresIsOneColumn) {
  Append(Double(500, 12.345));
  Append(Varint(501, 12'345));
  Append(String(502, "12.345"));
  Append("");
  Append(String(502, "12.345") + Varint(501, 1000) + Double(500, 7));
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  const auto& range = static_cast<const arrow::DoubleArray&>(*batch->GetColumnByName("range_km"));
  EXPECT_EQ(range.Value(0), 12.345);
  EXPECT_DOUBLE_EQ(range.Value(1), 12'345 / 1000.0);
  EXPECT_LE(std::abs(range.Value(1) - 12.345), std::nextafter(12.345, 13) - 12.345);
  EXPECT_EQ(range.Value(2), 12.345);
  EXPECT_TRUE(range.IsNull(3));
  EXPECT_EQ(range.Value(4), 12.345) << "the newest field is the best";
  EXPECT_EQ(batch->GetColumnByName("range_m"), nullptr);
  EXPECT_EQ(batch->GetColumnByName("range_text"), nullptr);
}

TEST_F(SharedColumnTest, AnOlderFieldKeepsItsColumnAndFeedsTheNewOne) {
  Append(Varint(503, 1500));
  const auto batch = builder_->Finish().ValueOrDie();
  EXPECT_EQ(Get(*batch, "trip_m", 0), "1500");
  EXPECT_EQ(Get(*batch, "trip_km", 0), "1.5");
}

TEST_F(SharedColumnTest, TextAndNumberOfAnEnumAreItsName) {
  Append(String(505, "imu"));
  Append(Varint(506, v1::MOTION_SOURCE_GNSS));
  Append(String(505, "magic"));
  Append(Varint(506, 99));
  const auto batch = builder_->Finish().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(Get(*batch, "motion_kind", 0), "MOTION_SOURCE_IMU");
  EXPECT_EQ(Get(*batch, "motion_kind", 1), "MOTION_SOURCE_GNSS");
  EXPECT_EQ(Get(*batch, "motion_kind", 2), "null");
  EXPECT_EQ(Get(*batch, "motion_kind", 3), "UNKNOWN_99");
  EXPECT_EQ(Count(Reason::kConversionFailed), 1u);
}

TEST_F(SharedColumnTest, WhatFailsOnTheWayIsCountedByItsReason) {
  Append(String(502, "far") + Double(500, 7));
  Append(Varint(501, 1'000'001));  // over 1000 km: the column's range
  Append(Double(501, 1));
  const auto batch = builder_->Finish().ValueOrDie();
  EXPECT_EQ(Get(*batch, "range_km", 0), "7");
  EXPECT_EQ(Get(*batch, "range_km", 1), "null");
  EXPECT_EQ(Count(Reason::kConversionFailed), 1u);
  EXPECT_EQ(Count(Reason::kOutOfRange), 1u);
  EXPECT_EQ(Count(Reason::kWrongWireType), 1u);
}

// Random reports, and counts of them made value by value.
class CoverageCountTest : public SharedColumnTest {
 protected:
  struct Told {
    std::uint64_t present = 0, out_of_range = 0, wrong_type = 0, failed = 0;
    std::int64_t first = 0, last = 0;
    double sum = 0;
  };

  Told& Of(std::uint32_t field) { return told_[{firmware_, field}]; }
  std::string Present(std::uint32_t field, std::string wire, double number) {
    Told& of = Of(field);
    if (of.present++ == 0) of.first = row_;
    of.last = row_;
    of.sum += number;
    return wire;
  }
  std::string MakeReport() {
    std::string wire;
    if (random_() % 3 != 0) {
      const auto speed = static_cast<float>(random_() % 600);
      wire += Speed(9999);  // the last one counts
      if (speed <= 400) {
        wire += Present(10, Speed(speed), static_cast<double>(speed));
      } else {
        wire += Speed(speed);
        ++Of(10).out_of_range;
      }
    }
    if (random_() % 4 == 0) wire += Present(503, Varint(503, 1500), 1500);
    if (random_() % 4 == 0) wire += Present(501, Varint(501, 12), 12);
    if (random_() % 4 == 0) {
      wire += String(502, "far");
      ++Of(502).failed;
    }
    if (random_() % 5 == 0) {
      wire += Double(506, 1);
      ++Of(506).wrong_type;
    }
    return wire;
  }
  void AddReport(std::int64_t row) {
    row_ = row;
    firmware_ = "1." + std::to_string(random_() % 3);
    ++reports_[firmware_];
    const std::string wire = MakeReport();
    log::RecordView record;
    record.firmware = firmware_;
    Intake::Accepted accepted;
    accepted.event_time = Micros{row};
    TelemetryPayload payload;
    payload.fields = AsBytes(wire);
    buffer_.Add(record, payload, accepted, PartitionConfig{1, 1, "d", "r", "e"});
  }
  static void ExpectEqual(const CoverageCounts& counts, const Told& told) {
    EXPECT_EQ(counts.present, told.present);
    EXPECT_EQ(counts.out_of_range, told.out_of_range);
    EXPECT_EQ(counts.wrong_type, told.wrong_type);
    EXPECT_EQ(counts.conversion_failed, told.failed);
    EXPECT_EQ(counts.values, told.present);
    EXPECT_EQ(counts.sum, told.sum);
    if (told.present == 0) return;
    EXPECT_EQ(counts.first_seen.value, told.first);
    EXPECT_EQ(counts.last_seen.value, told.last);
  }

  std::mt19937_64 random_{11};
  std::map<std::pair<std::string, std::uint32_t>, Told> told_;
  std::map<std::string, std::uint64_t> reports_;
  std::string firmware_;
  std::int64_t row_ = 0;
};

TEST_F(CoverageCountTest, CoverageIsWhatCountingOneByOneGives) {
  for (std::int64_t row = 0; row < 3000; ++row) AddReport(row);
  Coverage& coverage = builder_->CountCoverage();
  coverage.Begin(buffer_);
  for (std::size_t i = 0; i < buffer_.rows().size(); ++i) {
    ASSERT_TRUE(builder_->AppendRow(buffer_.rows()[i], buffer_).ok());
    if (i % 700 == 699) (void)builder_->Finish().ValueOrDie();  // files end anywhere
  }
  (void)builder_->Finish().ValueOrDie();
  ASSERT_EQ(coverage.slices().size(), reports_.size());
  for (std::size_t s = 0; s < coverage.slices().size(); ++s) {
    const std::string& firmware = coverage.slices()[s].firmware;
    EXPECT_EQ(coverage.slices()[s].reports, reports_[firmware]);
    for (const std::uint32_t field : {10u, 501u, 502u, 503u, 506u, 43u}) {
      SCOPED_TRACE(firmware + " " + std::to_string(field));
      ExpectEqual(coverage.counts(s, coverage.IndexOf(field)), told_[{firmware, field}]);
    }
  }
}

}  // namespace
}  // namespace telltale::lake
