// Wire bytes of reports into Arrow columns: no message object per report. Values of one width go
// straight to their row of a column (fixed_column.h); of text, lists and messages each column has a
// builder, with nulls added in runs when it is touched again. Columns that several fields feed get
// their value at the row's end (fed_columns.h).
#pragma once

#include <arrow/api.h>

#include <memory>
#include <vector>

#include "base/counters.h"
#include "lake/columns.h"
#include "lake/coverage.h"
#include "lake/fed_columns.h"
#include "lake/fixed_column.h"
#include "lake/row_buffer.h"
#include "lake/values.h"

namespace telltale::lake {

std::shared_ptr<arrow::Schema> ArrowSchema(const std::vector<Column>& columns);

// One column and what is below it.
class ColumnBuilder {
 public:
  ColumnBuilder(const Column& column, arrow::ArrayBuilder* builder);

  const Column& column() const { return *column_; }
  arrow::ArrayBuilder* builder() const { return builder_; }
  std::int64_t length() const { return builder_->length(); }
  arrow::Status PadTo(std::int64_t rows);

  // What had to be nulled is counted by the caller through these.
  struct Nulled {
    std::uint64_t out_of_range = 0;
    std::uint64_t wrong_type = 0;
    std::uint64_t malformed = 0;
    std::uint64_t conversion_failed = 0;
  };
  // A field that occurs once.
  arrow::Status Append(const WireField& field, Nulled& nulled);
  // All occurrences of a repeated field, as one list.
  arrow::Status AppendList(const std::vector<WireField>& fields, Nulled& nulled);
  // A value that is already decoded.
  arrow::Status AppendScalar(const Scalar& value);
  // Of the last Append().
  ValueVerdict verdict() const { return verdict_; }

 private:
  arrow::Status AppendElement(const WireField& field, Nulled& nulled);
  arrow::Status AppendStruct(ByteSpan message, Nulled& nulled);
  arrow::Status AppendPacked(const WireField& field, Nulled& nulled);

  const Column* column_;
  arrow::ArrayBuilder* builder_;  // of the list when repeated
  arrow::ArrayBuilder* element_;  // of one value
  std::vector<ColumnBuilder> members_;
  std::vector<WireField> found_;  // scratch, one per member
  std::vector<bool> is_found_;
  Scalar scalar_;
  ValueVerdict verdict_ = ValueVerdict::kOk;
};

// Builds record batches of a table with `columns` (which must outlive it).
class TableBuilder {
 public:
  static arrow::Result<std::unique_ptr<TableBuilder>> Make(const std::vector<Column>& columns,
                                                           Counters& counters);

  // Counts what AppendRow() sees from here on. Begin() with the rows of a hand-off comes first.
  Coverage& CountCoverage();

  // One report, `row` being one of `rows`, which outlive the call only.
  arrow::Status AppendRow(const Row& row, const RowBuffer& rows);
  // One change of the arrivals.
  arrow::Status AppendArrival(const ArrivalKey& key, const ArrivalDelta& delta,
                              const PartitionConfig& config);
  // What one firmware sent of one field on one day.
  arrow::Status AppendCoverage(const Coverage::Slice& slice, const Coverage::Field& field,
                               const CoverageCounts& counts, const PartitionConfig& config);
  std::int64_t rows() const { return row_; }
  // Hands over what was built and starts anew.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Finish();

 private:
  TableBuilder() = default;
  // One column: `fixed` or `builder`, and what a payload's value is held against.
  struct Slot {
    const Column* column = nullptr;
    std::unique_ptr<FixedColumn> fixed;
    std::unique_ptr<arrow::ArrayBuilder> arrow_builder;
    std::unique_ptr<ColumnBuilder> builder;
    WireType wire = WireType::kVarint;
    ValueRange range{};
    // Of a payload's field.
    std::int64_t last_row = -1;
    std::size_t last_occurrence = 0;                // builder: index in occurrences_
    ValueVerdict last_verdict = ValueVerdict::kOk;  // fixed
    std::uint32_t coverage_field = Coverage::kNoField;
  };

  arrow::Status AppendPayload(ByteSpan fields);
  arrow::Status SetFixed(Slot& slot, const WireField& field);
  ValueVerdict Store(Slot& slot, const WireField& field, arrow::Status& status);
  arrow::Status SetValue(Slot& slot, const Scalar& value);
  arrow::Status AppendFed();
  std::uint64_t& CountOf(ValueVerdict verdict);
  void CountNulled(const Slot& slot, ValueVerdict verdict, int by);
  void CountColumns(const arrow::ArrayVector& arrays);
  arrow::Status AppendRepeated(Slot& slot);
  arrow::Status Text(StampId id, std::string_view value);
  arrow::Status Integer(std::int32_t id, std::int64_t value);
  arrow::Status Boolean(StampId id, bool value);
  arrow::Status Time(StampId id, Micros value);
  arrow::Status Identity(VehicleRef vehicle, BootId boot);
  arrow::Status Stamps(Micros receipt, Micros log_time, const PartitionConfig& config,
                       std::uint32_t contract, PartitionId partition, Offset offset);
  Slot& At(std::int32_t id) { return slots_[slot_of_id_[static_cast<std::size_t>(id)]]; }

  struct Occurrence {
    Slot* slot;
    WireField field;
  };

  const std::vector<Column>* columns_ = nullptr;
  std::shared_ptr<arrow::Schema> schema_;  // of all columns
  std::shared_ptr<arrow::Schema> told_;    // of those that are not withheld
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> slot_of_field_;  // by field number; kNoSlot; from kFedBase on in fed_
  std::vector<std::uint32_t> slot_of_id_;     // by column id below 11,000
  std::int64_t row_ = 0;
  std::vector<Occurrence> occurrences_;  // scratch of one row: of columns with a builder
  std::vector<WireField> list_;          // scratch
  Scalar scalar_;                        // scratch
  std::unique_ptr<FedColumns> fed_;
  std::unique_ptr<Coverage> coverage_;  // null: nothing is counted
  VehicleRef hex_of_;                   // whose text hex_ is
  std::string hex_;
  ColumnBuilder::Nulled nulled_;
  std::uint64_t ignored_ = 0;  // CountOf() a value that is fine

  Counter* out_of_range_ = nullptr;
  Counter* wrong_type_ = nullptr;
  Counter* malformed_ = nullptr;
  Counter* conversion_failed_ = nullptr;
};

}  // namespace telltale::lake
