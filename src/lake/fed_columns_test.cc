#include "lake/fed_columns.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>

namespace telltale::lake {
namespace {

Column Of(std::uint32_t number, Encoding encoding, std::string name) {
  Column column;
  column.number = number;
  column.encoding = encoding;
  column.name = name;
  column.field_name = std::move(name);
  return column;
}

WireField Varint(std::uint64_t value) { return {0, WireType::kVarint, value, {}}; }
WireField Double(double value) {
  return {0, WireType::kFixed64, std::bit_cast<std::uint64_t>(value), {}};
}
WireField Text(std::string_view text) { return {0, WireType::kBytes, 0, AsBytes(text)}; }

// Column range_km of field 10, km as double from 0 to 1000; fed by 97, metres up to 2,000,000,
// best; then its own; then 8, kilometres as text. Field 8 has column old_range, too.
class FedColumnsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Column own = Of(10, Encoding::kDouble, "range_km");
    own.min = own.column_min = 0;
    own.max = own.column_max = 1000;
    Column metres = Of(97, Encoding::kUint32, "range_m");
    metres.max = 2'000'000;
    const Column text = Of(8, Encoding::kString, "old_range");
    Column range = own;
    range.feeders = {{metres, {0.001, 0, {}}}, {own, {}}, {text, {}}};
    Column old = text;
    old.feeders = {{text, {}}};
    columns_ = {Of(50, Encoding::kFloat, "speed_kmh"), range, old};
    fed_ = std::make_unique<FedColumns>(columns_);
    for (std::uint32_t i = 0; i < fed_->fields().size(); ++i) {
      index_[fed_->fields()[i].raw->number] = i;
    }
  }
  void See(std::uint32_t number, const WireField& field) { fed_->See(index_.at(number), field); }
  // What stands in the columns after the row, "-" for null.
  std::string Row() {
    std::map<std::uint32_t, std::string> set;
    counted_.clear();
    fed_->Resolve(
        [&](std::uint32_t column, const Scalar& value) {
          set[column] = column == 1 ? std::to_string(value.float64) : std::string(value.text);
        },
        [&](std::uint32_t field) { counted_.push_back(fed_->fields()[field].raw->number); });
    const auto shown = [&](std::uint32_t column) {
      return set.contains(column) ? set[column] : std::string("-");
    };
    return shown(1) + " " + shown(2);
  }
  const FedColumns::Field& Field(std::uint32_t number) { return fed_->fields()[index_.at(number)]; }

  std::vector<Column> columns_;
  std::unique_ptr<FedColumns> fed_;
  std::map<std::uint32_t, std::uint32_t> index_;
  std::vector<std::uint32_t> counted_;
};

TEST_F(FedColumnsTest, OnlyFieldsOfSharedOrTransformedColumnsComeHere) {
  EXPECT_EQ(fed_->fields().size(), 3u);
  EXPECT_FALSE(index_.contains(50));
  EXPECT_EQ(Field(8).fed, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(Field(97).fed, (std::vector<std::uint32_t>{1}));
}

TEST_F(FedColumnsTest, EachFeederAloneFillsTheColumn) {
  See(97, Varint(12'345));
  EXPECT_EQ(Row(), "12.345000 -");
  See(10, Double(2.5));
  EXPECT_EQ(Row(), "2.500000 -");
  See(8, Text("77"));
  EXPECT_EQ(Row(), "77.000000 77") << "an old field keeps the column of its own";
  EXPECT_EQ(Row(), "- -");
}

TEST_F(FedColumnsTest, TheBestWinsWhateverOrderTheyCameIn) {
  See(8, Text("1"));
  See(10, Double(2));
  See(97, Varint(3000));
  EXPECT_EQ(Row(), "3.000000 1");
  See(97, Varint(3000));
  See(8, Text("1"));
  EXPECT_EQ(Row(), "3.000000 1");
}

TEST_F(FedColumnsTest, TheLastOfOneFieldCounts) {
  See(10, Double(5000));
  See(10, Double(6));
  EXPECT_EQ(Row(), "6.000000 -");
  EXPECT_EQ(Field(10).nulled, ValueVerdict::kOk);
  EXPECT_EQ(counted_, (std::vector<std::uint32_t>{10}));
}

TEST_F(FedColumnsTest, ABetterOneThatFailsIsCountedAndTheNextIsUsed) {
  See(97, Varint(2'000'001));  // its own range
  See(10, Double(7));
  EXPECT_EQ(Row(), "7.000000 -");
  EXPECT_EQ(Field(97).nulled, ValueVerdict::kOutOfRange);
  EXPECT_EQ(Field(97).outcome, ValueVerdict::kOutOfRange);
  See(97, Varint(1'500'000));  // in its range, not in the column's
  See(8, Text("8"));
  EXPECT_EQ(Row(), "8.000000 8");
  EXPECT_EQ(Field(97).nulled, ValueVerdict::kOutOfRange);
  EXPECT_EQ(Field(97).number, 1'500'000.0);
  See(97, Text("x"));
  EXPECT_EQ(Row(), "- -");
  EXPECT_EQ(Field(97).nulled, ValueVerdict::kWrongType);
}

TEST_F(FedColumnsTest, AWorseOneThatNobodyNeededIsNotCountedAsNulled) {
  See(10, Double(7));
  See(8, Text("no-number"));
  EXPECT_EQ(Row(), "7.000000 no-number");
  EXPECT_EQ(Field(8).nulled, ValueVerdict::kOk);
  EXPECT_EQ(Field(8).outcome, ValueVerdict::kConversionFailed) << "the coverage tells all the same";
  See(8, Text("no-number"));
  EXPECT_EQ(Row(), "- no-number");
  EXPECT_EQ(Field(8).nulled, ValueVerdict::kConversionFailed);
}

TEST_F(FedColumnsTest, ARowForgetsTheRowBefore) {
  See(97, Varint(1000));
  (void)Row();
  EXPECT_FALSE(fed_->has_seen());
  See(8, Text("4"));
  EXPECT_EQ(Row(), "4.000000 4");
  EXPECT_EQ(counted_, (std::vector<std::uint32_t>{8}));
}

}  // namespace
}  // namespace telltale::lake
