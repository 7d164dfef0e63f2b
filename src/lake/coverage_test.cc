#include "lake/coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

namespace telltale::lake {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

class CoverageTest : public ::testing::Test {
 protected:
  void AddField(std::uint32_t number) {
    Column column;
    column.number = number;
    column.name = column.field_name = "field_" + std::to_string(number);
    columns_.push_back(std::move(column));
  }
  void AddRow(std::int64_t day, const std::string& firmware, std::int64_t log_time = 1) {
    log::RecordView record;
    record.firmware = firmware;
    record.log_time = Micros{log_time};
    record.offset = Offset{rows_.rows().size()};
    record.header.receipt_time = Micros{40 * kDayUs};
    Intake::Accepted accepted;
    accepted.event_time = Micros{day * kDayUs + static_cast<std::int64_t>(rows_.rows().size())};
    rows_.Add(record, {}, accepted, PartitionConfig{1, 1, "d", "r", "e"});
  }
  Coverage Counted() {
    FedColumns fed(columns_);
    Coverage coverage(columns_, fed);
    std::sort(rows_.rows().begin(), rows_.rows().end(), [](const Row& a, const Row& b) {
      return std::tie(a.day, a.offset) < std::tie(b.day, b.offset);
    });
    coverage.Begin(rows_);
    for (const Row& row : rows_.rows()) coverage.NextRow(row);
    return coverage;
  }

  std::vector<Column> columns_;
  RowBuffer rows_;
};

TEST_F(CoverageTest, ReportsAreCountedByDayAndFirmware) {
  AddField(10);
  for (int i = 0; i < 3; ++i) AddRow(20, "1.0.0", 7 - i);
  AddRow(20, "2.0.0");
  AddRow(21, "1.0.0");
  AddRow(20, "1.0.0", 3);
  const Coverage coverage = Counted();
  ASSERT_EQ(coverage.slices().size(), 3u);
  EXPECT_EQ(coverage.slices()[0].reports, 4u);
  EXPECT_EQ(coverage.slices()[0].newest.offset, Offset{0}) << "the newest by log time";
  EXPECT_EQ(coverage.slices()[1].firmware, "2.0.0");
  EXPECT_EQ(coverage.slices()[1].reports, 1u);
  EXPECT_EQ(coverage.slices()[2].day, 21);
  EXPECT_EQ(coverage.shared_reports(), 0u);
}

TEST_F(CoverageTest, StretchesAreOfOneSliceAndRiseInTime) {
  AddField(10);
  for (const char* firmware : {"a", "a", "b", "b", "a"}) AddRow(20, firmware);
  rows_.rows()[1].event_time = Micros{0};
  const Coverage coverage = Counted();
  std::vector<std::pair<std::int64_t, std::uint32_t>> stretches;
  for (const auto& stretch : coverage.stretches())
    stretches.push_back({stretch.end, stretch.slice});
  EXPECT_EQ(stretches,
            (std::vector<std::pair<std::int64_t, std::uint32_t>>{{1, 0}, {2, 0}, {4, 1}, {5, 0}}));
}

TEST_F(CoverageTest, MemoryIsBoundedAndTheSlicesWithMostReportsKeepTheirName) {
  for (std::uint32_t number = 1; number <= 100; ++number) AddField(number);
  for (std::int64_t day = 0; day < 300; ++day) AddRow(day, "wild");  // a clock that runs away
  for (int i = 0; i < 5; ++i) AddRow(400, "1.0.0");
  const Coverage coverage = Counted();
  EXPECT_LE(coverage.slices().size() * coverage.fields().size(), kCoverageKeysMax);
  ASSERT_EQ(coverage.slices().size(), 100u);
  EXPECT_EQ(coverage.slices()[0].day, 400);
  EXPECT_EQ(coverage.slices()[0].reports, 5u);
  EXPECT_EQ(coverage.slices().back().firmware, "");
  EXPECT_EQ(coverage.slices().back().day, 40) << "of its receipt";
  EXPECT_EQ(coverage.shared_reports(), 300u - 98u);
  std::uint64_t reports = 0;
  for (const Coverage::Slice& slice : coverage.slices()) reports += slice.reports;
  EXPECT_EQ(reports, 305u);
}

TEST_F(CoverageTest, WhatWasNulledIsCountedByReasonAndCanBeTakenBack) {
  AddField(10);
  AddRow(20, "1.0.0");
  Coverage coverage = Counted();
  const std::uint32_t field = coverage.IndexOf(10);
  coverage.CountNulled(field, ValueVerdict::kOutOfRange, 1);
  coverage.CountNulled(field, ValueVerdict::kOutOfRange, -1);
  coverage.CountNulled(field, ValueVerdict::kWrongType, 1);
  coverage.CountNulled(field, ValueVerdict::kConversionFailed, 1);
  const CoverageCounts& counts = coverage.counts(0, field);
  EXPECT_EQ(counts.out_of_range, 0u);
  EXPECT_EQ(counts.wrong_type, 1u);
  EXPECT_EQ(counts.conversion_failed, 1u);
  EXPECT_EQ(coverage.IndexOf(11), Coverage::kNoField);
}

TEST_F(CoverageTest, AFieldNamesEveryColumnThatItFeeds) {
  AddField(10);
  AddField(11);
  const Column own = columns_[0];
  columns_[1].feeders = {{columns_[1], {}}, {own, {}}};
  columns_[0].feeders = {{own, {}}};
  const Coverage coverage(columns_, FedColumns(columns_));
  ASSERT_EQ(coverage.fields().size(), 2u);
  EXPECT_EQ(coverage.fields()[0].columns, "field_10,field_11");
  EXPECT_EQ(coverage.fields()[1].columns, "field_11");
}

}  // namespace
}  // namespace telltale::lake
