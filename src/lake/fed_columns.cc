#include "lake/fed_columns.h"

#include <algorithm>

namespace telltale::lake {
namespace {

void Keep(ValueVerdict& kept, ValueVerdict verdict) {
  if (kept == ValueVerdict::kOk) kept = verdict;
}

}  // namespace

FedColumns::FedColumns(const std::vector<Column>& columns) {
  for (std::size_t index = 0; index < columns.size(); ++index) {
    if (columns[index].feeders.empty()) continue;
    Group group;
    group.column = static_cast<std::uint32_t>(index);
    group.owner = &columns[index];
    for (const Feeder& feeder : columns[index].feeders) group.fields.push_back(FieldOf(feeder));
    for (const std::uint32_t field : group.fields) {
      fields_[field].fed.push_back(group.column);
      groups_of_[field].push_back(static_cast<std::uint32_t>(groups_.size()));
    }
    groups_.push_back(std::move(group));
  }
}

std::uint32_t FedColumns::FieldOf(const Feeder& feeder) {
  const auto at = std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) {
    return field.raw->number == feeder.raw.number;
  });
  if (at != fields_.end()) return static_cast<std::uint32_t>(at - fields_.begin());
  fields_.emplace_back().raw = &feeder.raw;
  groups_of_.emplace_back();
  return static_cast<std::uint32_t>(fields_.size() - 1);
}

void FedColumns::DecodeAll() {
  for (const std::uint32_t index : here_) {
    Field& field = fields_[index];
    field.raw_verdict = DecodeScalar(*field.raw, field.wire, field.value);
    field.outcome = field.raw_verdict;
    field.nulled = ValueVerdict::kOk;
    field.number.reset();
    if (field.raw_verdict == ValueVerdict::kOk) field.number = NumberOf(*field.raw, field.value);
    for (const std::uint32_t group : groups_of_[index]) groups_[group].is_touched = true;
  }
}

const Scalar* FedColumns::Choose(const Group& group) {
  bool is_chosen = false;
  for (std::size_t i = 0; i < group.fields.size(); ++i) {
    Field& field = fields_[group.fields[i]];
    if (!field.is_here) continue;
    ValueVerdict verdict = field.raw_verdict;
    if (verdict == ValueVerdict::kOk) {
      verdict =
          Convert(*group.owner, group.owner->feeders[i], field.value, is_chosen ? spare_ : chosen_);
      Keep(field.outcome, verdict);
    }
    if (is_chosen) continue;  // of interest for the field's outcome alone
    Keep(field.nulled, verdict);
    is_chosen = verdict == ValueVerdict::kOk;
  }
  return is_chosen ? &chosen_ : nullptr;
}

}  // namespace telltale::lake
