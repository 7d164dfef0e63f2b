#include "lake/table_builder.h"

#include <gtest/gtest.h>

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
  const std::uint64_t held = (std::uint64_t{3} << 61) | (std::uint64_t{1} << 36);
  Append(report.SerializeAsString());
  Append(report.SerializeAsString(), held);
  const auto batch = builder_->Finish().ValueOrDie();
  EXPECT_EQ(Get(*batch, "cell", 0), "null");
  EXPECT_EQ(Get(*batch, "cell", 1), std::to_string(static_cast<std::int64_t>(held)));
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

}  // namespace
}  // namespace telltale::lake
