// Columns that several fields feed, or one field with a transform, within one row: takes the
// fields as they come, decides at the row's end which value each column gets and what is to be
// counted. Pure, no Arrow. Nothing here runs for a contract without such columns.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lake/convert.h"

namespace telltale::lake {

class FedColumns {
 public:
  // `columns` must outlive it.
  explicit FedColumns(const std::vector<Column>& columns);

  // A field that feeds a column here. Its own column, if it has one, is among them.
  struct Field {
    const Column* raw = nullptr;
    std::vector<std::uint32_t> fed;  // indexes into the columns, rising
    // Of the row that Resolve() was last called for.
    ValueVerdict outcome = ValueVerdict::kOk;  // the worst of all columns it feeds
    // What was nulled on the way to the values: not of a field that a better one made needless.
    ValueVerdict nulled = ValueVerdict::kOk;
    std::optional<double> number;  // as sent, of a number that was in range
    // Of the row at hand.
    WireField wire;
    bool is_here = false;
    ValueVerdict raw_verdict = ValueVerdict::kOk;
    Scalar value;
  };
  const std::vector<Field>& fields() const { return fields_; }

  // One occurrence of fields()[field]; the last of a row counts.
  void See(std::uint32_t field, const WireField& wire) {
    Field& seen = fields_[field];
    seen.wire = wire;
    if (seen.is_here) return;
    seen.is_here = true;
    here_.push_back(field);
  }
  bool has_seen() const { return !here_.empty(); }

  // At the row's end: `set(column index, value)` for each column that gets a value, then
  // `count(field index)` for each field that came, whose outcome, nulled and number then hold.
  template <typename Set, typename Count>
  void Resolve(const Set& set, const Count& count) {
    DecodeAll();
    for (Group& group : groups_) {
      if (!group.is_touched) continue;
      group.is_touched = false;
      if (const Scalar* value = Choose(group)) set(group.column, *value);
    }
    for (const std::uint32_t field : here_) {
      count(field);
      fields_[field].is_here = false;
    }
    here_.clear();
  }

 private:
  struct Group {
    std::uint32_t column = 0;
    const Column* owner = nullptr;
    std::vector<std::uint32_t> fields;  // by feeder
    bool is_touched = false;
  };

  std::uint32_t FieldOf(const Feeder& feeder);
  void DecodeAll();
  // The column's value, or null. Valid until the next call.
  const Scalar* Choose(const Group& group);

  std::vector<Field> fields_;
  std::vector<Group> groups_;
  std::vector<std::vector<std::uint32_t>> groups_of_;  // by field
  std::vector<std::uint32_t> here_;
  Scalar chosen_;
  Scalar spare_;
};

}  // namespace telltale::lake
