#include "lake/coverage.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "lake/iceberg.h"

namespace telltale::lake {
namespace {

std::uint64_t KeyOf(const Row& row) {
  return (std::uint64_t{static_cast<std::uint32_t>(row.day)} << 32) | row.firmware;
}

// Consecutive rows of one key, and later all of it.
struct Run {
  std::uint64_t key = 0;
  std::uint64_t reports = 0;
  const Row* newest = nullptr;
};

// By key, each once. Rows come sorted by day and vehicle, so their runs are far fewer than they.
std::vector<Run> RunsOf(const std::vector<Row>& rows) {
  std::vector<Run> runs;
  for (const Row& row : rows) {
    const std::uint64_t key = KeyOf(row);
    if (runs.empty() || runs.back().key != key) runs.push_back({key, 0, &row});
    Run& run = runs.back();
    ++run.reports;
    if (row.log_time > run.newest->log_time) run.newest = &row;
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
    return std::tie(a.key, a.newest) < std::tie(b.key, b.newest);
  });
  std::size_t kept = 0;
  for (const Run& run : runs) {
    if (kept == 0 || runs[kept - 1].key != run.key) {
      runs[kept++] = run;
      continue;
    }
    Run& whole = runs[kept - 1];
    whole.reports += run.reports;
    if (run.newest->log_time > whole.newest->log_time) whole.newest = run.newest;
  }
  runs.resize(kept);
  return runs;
}

}  // namespace

Coverage::Coverage(const std::vector<Column>& columns, const FedColumns& fed) {
  std::map<std::uint32_t, Field> by_number;
  for (const Column& column : columns) {
    if (column.number == 0 || !column.feeders.empty()) continue;
    by_number[column.number] = {column.number, column.field_name, column.name, column.is_withheld};
  }
  for (const FedColumns::Field& one : fed.fields()) {
    Field field{one.raw->number, one.raw->field_name, "", false};
    for (const std::uint32_t index : one.fed) {
      field.columns += (field.columns.empty() ? "" : ",") + columns[index].name;
      field.is_withheld = field.is_withheld || columns[index].is_withheld;
    }
    by_number[field.number] = std::move(field);
  }
  for (auto& [number, field] : by_number) {
    index_of_.resize(number + 1, kNoField);
    index_of_[number] = static_cast<std::uint32_t>(fields_.size());
    fields_.push_back(std::move(field));
  }
  slices_max_ =
      std::max<std::size_t>(2, kCoverageKeysMax / std::max<std::size_t>(1, fields_.size()));
}

std::uint32_t Coverage::IndexOf(std::uint32_t number) const {
  return number < index_of_.size() ? index_of_[number] : kNoField;
}

std::uint64_t Coverage::shared_reports() const {
  return has_shared_ ? slices_[shared_].reports : 0;
}

void Coverage::Begin(const RowBuffer& rows) {
  std::vector<Run> runs = RunsOf(rows.rows());
  slices_.clear();
  slice_of_.clear();
  stretches_.clear();
  key_.reset();
  has_shared_ = runs.size() > slices_max_;
  if (has_shared_) {  // a car whose clock is wild must not crowd out what thousands send
    std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
      return std::tie(b.reports, a.key) < std::tie(a.reports, b.key);
    });
  }
  const std::size_t own = has_shared_ ? slices_max_ - 1 : runs.size();
  for (std::size_t i = 0; i < own; ++i) {
    const Row& newest = *runs[i].newest;
    slice_of_[runs[i].key] = static_cast<std::uint32_t>(i);
    slices_.push_back({newest.day, rows.firmwares()[newest.firmware], 0, newest});
  }
  if (has_shared_) {
    const auto newest = std::max_element(
        runs.begin() + static_cast<std::ptrdiff_t>(own), runs.end(),
        [](const Run& a, const Run& b) { return a.newest->log_time < b.newest->log_time; });
    shared_ = static_cast<std::uint32_t>(slices_.size());
    const Row& row = *newest->newest;
    slices_.push_back({DayOf(row.receipt_time), "", 0, row});
  }
  counts_.assign(slices_.size() * fields_.size(), {});
}

void Coverage::NextRow(const Row& row) {
  const std::uint64_t key = KeyOf(row);
  if (stretches_.empty() || key != key_ || row.event_time < time_) {
    if (key != key_) {
      const auto at = slice_of_.find(key);
      slice_ = at == slice_of_.end() ? shared_ : at->second;
      key_ = key;
    }
    stretches_.push_back({stretches_.empty() ? 0 : stretches_.back().end, slice_});
  }
  time_ = row.event_time;
  ++stretches_.back().end;
  ++slices_[slice_].reports;
}

void Coverage::CountNulled(std::uint32_t field, ValueVerdict verdict, int by) {
  CoverageCounts& to = counts(slice_, field);
  const auto step = static_cast<std::uint64_t>(std::int64_t{by});  // wraps, and back
  switch (verdict) {
    case ValueVerdict::kOk:
      break;
    case ValueVerdict::kOutOfRange:
      to.out_of_range += step;
      break;
    case ValueVerdict::kWrongType:
      to.wrong_type += step;
      break;
    case ValueVerdict::kConversionFailed:
      to.conversion_failed += step;
      break;
  }
}

void Coverage::CountFed(std::uint32_t field, const FedColumns::Field& value) {
  if (value.outcome != ValueVerdict::kOk) return CountNulled(field, value.outcome, 1);
  CoverageCounts& to = counts(slice_, field);
  to.AddSeen(time_, time_, 1);
  if (value.number && !fields_[field].is_withheld)
    to.AddNumbers(1, *value.number, *value.number, *value.number);
}

}  // namespace telltale::lake
