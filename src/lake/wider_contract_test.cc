// A contract that grows changes nothing for the cars that are on the road: whatever fields it gets,
// the bytes of an old car fill the same columns with the same values, and the new columns are null.
#include <gtest/gtest.h>

#include <set>

#include "base/test_rounds.h"
#include "contract/random_contract_testing.h"
#include "lake/table_builder.h"

namespace telltale::lake {
namespace {

using contract::testing::Batch;
using contract::testing::Load;
using contract::testing::Oracle;
using contract::testing::RandomContract;
using contract::testing::RandomReports;
using contract::testing::ShippedFiles;
using contract::testing::SplitAll;

class Table {
 public:
  explicit Table(std::shared_ptr<const contract::Contract> contract)
      : splitter_(contract), columns_(TelemetryColumns(*contract, nullptr)) {
    builder_ = TableBuilder::Make(columns_, counters_).ValueOrDie();
  }
  // One report as a car sends it, through this contract's split.
  void Append(const std::string& report) {
    const auto kept = SplitAll(splitter_, Batch({report}));
    log::RecordView record;
    record.firmware = "1.0.0";
    record.header.seq = kept.at(0).report.seq;
    TelemetryPayload payload;
    payload.fields = AsBytes(kept.at(0).telemetry);
    buffer_.Add(record, payload, Intake::Accepted{}, PartitionConfig{1, 1, "d", "r", "e"});
    CHECK(builder_->AppendRow(buffer_.rows().back(), buffer_).ok());
  }
  std::shared_ptr<arrow::RecordBatch> Finish() {
    auto batch = builder_->Finish().ValueOrDie();
    CHECK(batch->ValidateFull().ok());
    return batch;
  }
  const std::vector<Column>& columns() const { return columns_; }

 private:
  contract::Splitter splitter_;
  Counters counters_;
  std::vector<Column> columns_;
  std::unique_ptr<TableBuilder> builder_;
  RowBuffer buffer_;
};

TEST(WiderContractTest, BytesOfOldCarsFillTheOldColumnsAlikeAndTheNewOnesAreNull) {
  const auto old_contract = Load(ShippedFiles());
  const Oracle oracle(old_contract);
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(25); ++seed) {
    Table old_table(old_contract);
    Table new_table(Load(RandomContract(seed).Next()));
    RandomReports cars(oracle, seed);
    for (int i = 0; i < 12; ++i) {
      const std::string report = cars.Next(1 + cars.random().Below(6), false)->SerializeAsString();
      old_table.Append(report);
      new_table.Append(report);
    }
    const auto old_rows = old_table.Finish();
    const auto new_rows = new_table.Finish();
    std::set<std::string> old_names;
    for (const Column& column : old_table.columns()) {
      old_names.insert(column.name);
      if (column.is_withheld) continue;
      const auto now = new_rows->GetColumnByName(column.name);
      ASSERT_NE(now, nullptr) << "seed " << seed << ": " << column.name;
      EXPECT_TRUE(now->Equals(old_rows->GetColumnByName(column.name)))
          << "seed " << seed << ": " << column.name;
    }
    for (const Column& column : new_table.columns()) {
      if (old_names.contains(column.name) || column.is_withheld) continue;
      EXPECT_EQ(new_rows->GetColumnByName(column.name)->null_count(), 12)
          << "seed " << seed << ": " << column.name;
    }
  }
}

TEST(WiderContractTest, OldColumnsKeepTheirNumbersAndTypes) {
  const auto old_columns = TelemetryColumns(*Load(ShippedFiles()), nullptr);
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(25); ++seed) {
    const auto new_columns = TelemetryColumns(*Load(RandomContract(seed).Next()), nullptr);
    std::map<std::int32_t, const Column*> by_id;
    for (const Column& column : new_columns) by_id[column.id] = &column;
    EXPECT_EQ(by_id.size(), new_columns.size()) << "seed " << seed;
    for (const Column& column : old_columns) {
      ASSERT_TRUE(by_id.contains(column.id)) << "seed " << seed << ": " << column.name;
      EXPECT_EQ(by_id[column.id]->name, column.name);
      EXPECT_EQ(by_id[column.id]->type, column.type) << column.name;
      EXPECT_EQ(by_id[column.id]->repeated, column.repeated) << column.name;
    }
  }
}

}  // namespace
}  // namespace telltale::lake
