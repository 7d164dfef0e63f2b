#include "lake/table_builder.h"

#include <arrow/util/decimal.h>
#include <arrow/util/key_value_metadata.h>

#include <bit>
#include <cmath>

#include "base/cell.h"
#include "base/utf8.h"
#include "lake/coverage_arrays.h"
#include "lake/iceberg.h"

namespace telltale::lake {
namespace {

constexpr std::uint32_t kNoSlot = 0xffffffffu;
constexpr std::uint32_t kFedBase = 0x80000000u;
constexpr std::size_t kIdsBelow = 11'000;
// Of every row until the config records carry the publisher's (design: authority starts at 1).
constexpr std::int64_t kFirstAuthorityEpoch = 1;

std::shared_ptr<arrow::KeyValueMetadata> FieldId(std::int32_t id) {
  return arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(id)});
}

std::shared_ptr<arrow::DataType> ScalarType(const Column& column) {
  switch (column.type) {
    case ColumnType::kBoolean:
      return arrow::boolean();
    case ColumnType::kInt:
      return arrow::int32();
    case ColumnType::kLong:
      return arrow::int64();
    case ColumnType::kFloat:
      return arrow::float32();
    case ColumnType::kDouble:
      return arrow::float64();
    case ColumnType::kString:
      return arrow::utf8();
    case ColumnType::kBinary:
      return arrow::binary();
    case ColumnType::kDecimal20:
      return arrow::decimal128(20, 0);
    case ColumnType::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case ColumnType::kStruct:
      break;
  }
  return nullptr;
}

std::shared_ptr<arrow::Field> ArrowField(const Column& column) {
  std::shared_ptr<arrow::DataType> type;
  if (column.type == ColumnType::kStruct) {
    arrow::FieldVector members;
    for (const Column& member : column.members) members.push_back(ArrowField(member));
    type = arrow::struct_(std::move(members));
  } else {
    type = ScalarType(column);
  }
  if (column.repeated) {
    type = arrow::list(arrow::field("element", type, true, FieldId(column.element_id)));
  }
  return arrow::field(column.name, type, !column.required, FieldId(column.id));
}

arrow::Status Append(arrow::ArrayBuilder* to, const Column& column, const Scalar& value) {
  switch (column.type) {
    case ColumnType::kBoolean:
      return static_cast<arrow::BooleanBuilder*>(to)->Append(value.boolean);
    case ColumnType::kInt:
      return static_cast<arrow::Int32Builder*>(to)->Append(
          static_cast<std::int32_t>(value.integer));
    case ColumnType::kLong:
      return static_cast<arrow::Int64Builder*>(to)->Append(value.integer);
    case ColumnType::kTimestamp:
      return static_cast<arrow::TimestampBuilder*>(to)->Append(value.integer);
    case ColumnType::kFloat:
      return static_cast<arrow::FloatBuilder*>(to)->Append(value.float32);
    case ColumnType::kDouble:
      return static_cast<arrow::DoubleBuilder*>(to)->Append(value.float64);
    case ColumnType::kString:
      return static_cast<arrow::StringBuilder*>(to)->Append(value.text);
    case ColumnType::kBinary:
      return static_cast<arrow::BinaryBuilder*>(to)->Append(value.text);
    case ColumnType::kDecimal20:
      return static_cast<arrow::Decimal128Builder*>(to)->Append(
          arrow::Decimal128(0, value.unsigned64));
    case ColumnType::kStruct:
      break;
  }
  return arrow::Status::Invalid("a message is no scalar");
}

inline arrow::Status Set(FixedColumn& to, ColumnType type, std::int64_t row, const Scalar& value) {
  switch (type) {
    case ColumnType::kBoolean:
      return to.Set(row, value.boolean);
    case ColumnType::kInt:
      return to.Set(row, static_cast<std::int32_t>(value.integer));
    case ColumnType::kFloat:
      return to.Set(row, value.float32);
    case ColumnType::kDouble:
      return to.Set(row, value.float64);
    default:
      return to.Set(row, value.integer);
  }
}

}  // namespace

std::shared_ptr<arrow::Schema> ArrowSchema(const std::vector<Column>& columns) {
  arrow::FieldVector fields;
  for (const Column& column : columns) fields.push_back(ArrowField(column));
  return arrow::schema(std::move(fields));
}

ColumnBuilder::ColumnBuilder(const Column& column, arrow::ArrayBuilder* builder)
    : column_(&column), builder_(builder), element_(builder) {
  if (column.repeated) element_ = static_cast<arrow::ListBuilder*>(builder)->value_builder();
  if (column.type != ColumnType::kStruct) return;
  for (std::size_t i = 0; i < column.members.size(); ++i) {
    members_.emplace_back(column.members[i], element_->child(static_cast<int>(i)));
  }
  found_.resize(members_.size());
  is_found_.resize(members_.size());
}

arrow::Status ColumnBuilder::PadTo(std::int64_t rows) {
  const std::int64_t missing = rows - builder_->length();
  return missing > 0 ? builder_->AppendNulls(missing) : arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendScalar(const Scalar& value) {
  return lake::Append(element_, *column_, value);
}

arrow::Status ColumnBuilder::Append(const WireField& field, Nulled& nulled) {
  return AppendElement(field, nulled);
}

arrow::Status ColumnBuilder::AppendElement(const WireField& field, Nulled& nulled) {
  if (column_->type == ColumnType::kStruct) {
    verdict_ = field.type == WireType::kBytes ? ValueVerdict::kOk : ValueVerdict::kWrongType;
    if (verdict_ == ValueVerdict::kOk) return AppendStruct(field.bytes, nulled);
    ++nulled.wrong_type;
    return element_->AppendNull();
  }
  verdict_ = DecodeScalar(*column_, field, scalar_);
  if (verdict_ == ValueVerdict::kOk) return lake::Append(element_, *column_, scalar_);
  ++(verdict_ == ValueVerdict::kOutOfRange ? nulled.out_of_range : nulled.wrong_type);
  return element_->AppendNull();
}

arrow::Status ColumnBuilder::AppendStruct(ByteSpan message, Nulled& nulled) {
  is_found_.assign(members_.size(), false);
  WireReader reader(message);
  WireField field;
  while (reader.Next(field)) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].column_->number != field.number) continue;
      found_[i] = field;  // the last one counts
      is_found_[i] = true;
    }
  }
  if (!reader.ok()) ++nulled.malformed;
  ARROW_RETURN_NOT_OK(static_cast<arrow::StructBuilder*>(element_)->Append());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    ARROW_RETURN_NOT_OK(is_found_[i] ? members_[i].AppendElement(found_[i], nulled)
                                     : members_[i].builder_->AppendNull());
  }
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendPacked(const WireField& field, Nulled& nulled) {
  WireReader reader(field.bytes);
  WireField single;
  single.number = field.number;
  single.type = WireTypeOf(column_->encoding);
  while (reader.NextPacked(single)) ARROW_RETURN_NOT_OK(AppendElement(single, nulled));
  if (!reader.ok()) ++nulled.malformed;
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendList(const std::vector<WireField>& fields, Nulled& nulled) {
  ARROW_RETURN_NOT_OK(static_cast<arrow::ListBuilder*>(builder_)->Append());
  for (const WireField& field : fields) {
    const bool is_packed = field.type == WireType::kBytes && IsPackable(*column_);
    ARROW_RETURN_NOT_OK(is_packed ? AppendPacked(field, nulled) : AppendElement(field, nulled));
  }
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<TableBuilder>> TableBuilder::Make(const std::vector<Column>& columns,
                                                                Counters& counters) {
  auto table = std::unique_ptr<TableBuilder>(new TableBuilder());
  table->columns_ = &columns;
  table->schema_ = ArrowSchema(columns);
  arrow::FieldVector told;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!columns[i].is_withheld) told.push_back(table->schema_->field(static_cast<int>(i)));
  }
  table->told_ = arrow::schema(std::move(told));
  table->slot_of_id_.assign(kIdsBelow, kNoSlot);
  for (std::size_t number = 0; number < columns.size(); ++number) {
    const Column& column = columns[number];
    const auto& type = table->schema_->field(static_cast<int>(number))->type();
    Slot slot;
    slot.column = &column;
    if (const int width = FixedWidthOf(column); width > 0) {
      slot.fixed = std::make_unique<FixedColumn>(type, width, column.type == ColumnType::kBoolean);
    } else {
      ARROW_RETURN_NOT_OK(arrow::MakeBuilder(FilePool(), type, &slot.arrow_builder));
      slot.builder = std::make_unique<ColumnBuilder>(column, slot.arrow_builder.get());
    }
    slot.wire = WireTypeOf(column.encoding);
    slot.range = RangeOf(column);
    table->slots_.push_back(std::move(slot));
    if (column.id > 0 && static_cast<std::size_t>(column.id) < kIdsBelow) {
      table->slot_of_id_[static_cast<std::size_t>(column.id)] = static_cast<std::uint32_t>(number);
    }
    if (column.number == 0) continue;
    if (table->slot_of_field_.size() <= column.number) {
      table->slot_of_field_.resize(column.number + 1, kNoSlot);
    }
    table->slot_of_field_[column.number] = static_cast<std::uint32_t>(number);
  }
  table->fed_ = std::make_unique<FedColumns>(columns);
  const auto& fed = table->fed_->fields();
  for (std::size_t i = 0; i < fed.size(); ++i) {
    const std::uint32_t field = fed[i].raw->number;
    if (table->slot_of_field_.size() <= field) table->slot_of_field_.resize(field + 1, kNoSlot);
    table->slot_of_field_[field] = kFedBase + static_cast<std::uint32_t>(i);
  }
  table->out_of_range_ = &counters.Drops("lake", Reason::kOutOfRange);
  table->wrong_type_ = &counters.Drops("lake", Reason::kWrongWireType);
  table->malformed_ = &counters.Drops("lake", Reason::kReportMalformed);
  table->conversion_failed_ = &counters.Drops("lake", Reason::kConversionFailed);
  return table;
}

Coverage& TableBuilder::CountCoverage() {
  if (coverage_ != nullptr) return *coverage_;
  coverage_ = std::make_unique<Coverage>(*columns_, *fed_);
  for (Slot& slot : slots_) {
    const Column& column = *slot.column;
    const bool is_counted_whole = column.number != 0 && column.feeders.empty();
    if (is_counted_whole) slot.coverage_field = coverage_->IndexOf(column.number);
  }
  return *coverage_;
}

arrow::Status TableBuilder::Text(StampId id, std::string_view value) {
  return static_cast<arrow::StringBuilder*>(At(id).arrow_builder.get())->Append(value);
}

arrow::Status TableBuilder::Integer(std::int32_t id, std::int64_t value) {
  Slot& slot = At(id);
  if (slot.fixed == nullptr) {  // an unsigned 64-bit number, as a decimal
    scalar_.integer = value;
    scalar_.unsigned64 = static_cast<std::uint64_t>(value);
    return slot.builder->AppendScalar(scalar_);
  }
  if (slot.column->type == ColumnType::kInt) {
    return slot.fixed->Set(row_, static_cast<std::int32_t>(value));
  }
  return slot.fixed->Set(row_, value);
}

arrow::Status TableBuilder::Boolean(StampId id, bool value) {
  return At(id).fixed->Set(row_, value);
}

arrow::Status TableBuilder::Time(StampId id, Micros value) { return Integer(id, value.value); }

arrow::Status TableBuilder::Identity(VehicleRef vehicle, BootId boot) {
  if (hex_.empty() || vehicle != hex_of_) {
    hex_of_ = vehicle;
    hex_ = vehicle.ToHex();
  }
  ARROW_RETURN_NOT_OK(Text(kVehicleRefId, hex_));
  ARROW_RETURN_NOT_OK(Integer(kBootCounterId, boot.counter));
  constexpr char kDigits[] = "0123456789abcdef";
  char random[16];
  for (unsigned i = 0; i < 16; ++i) random[i] = kDigits[(boot.random >> (60 - 4 * i)) & 15];
  return Text(kBootRandomId, std::string_view(random, sizeof(random)));
}

arrow::Status TableBuilder::Stamps(Micros receipt, Micros log_time, const PartitionConfig& config,
                                   std::uint32_t contract, PartitionId partition, Offset offset) {
  ARROW_RETURN_NOT_OK(Integer(kReceivedAtId, receipt.value));
  ARROW_RETURN_NOT_OK(Integer(kLogTimeId, log_time.value));
  ARROW_RETURN_NOT_OK(Text(kReleaseId, config.release));
  ARROW_RETURN_NOT_OK(Integer(kAuthorityEpochId, kFirstAuthorityEpoch));
  ARROW_RETURN_NOT_OK(Integer(kContractVersionId, contract));
  ARROW_RETURN_NOT_OK(Integer(kConfigSeqId, static_cast<std::int64_t>(config.config_seq)));
  ARROW_RETURN_NOT_OK(Integer(kPartitionId, partition.value));
  return Integer(kOffsetId, static_cast<std::int64_t>(offset.value));
}

std::uint64_t& TableBuilder::CountOf(ValueVerdict verdict) {
  switch (verdict) {
    case ValueVerdict::kOutOfRange:
      return nulled_.out_of_range;
    case ValueVerdict::kWrongType:
      return nulled_.wrong_type;
    case ValueVerdict::kConversionFailed:
      return nulled_.conversion_failed;
    case ValueVerdict::kOk:
      break;
  }
  return ignored_;
}

void TableBuilder::CountNulled(const Slot& slot, ValueVerdict verdict, int by) {
  CountOf(verdict) += static_cast<std::uint64_t>(std::int64_t{by});  // wraps, and back
  if (coverage_ != nullptr) coverage_->CountNulled(slot.coverage_field, verdict, by);
}

ValueVerdict TableBuilder::Store(Slot& slot, const WireField& field, arrow::Status& status) {
  const Column& column = *slot.column;
  if (column.encoding == Encoding::kFloat) {  // most fields of most reports
    if (field.type != WireType::kFixed32) return ValueVerdict::kWrongType;
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    const auto wide = static_cast<double>(value);
    if (!std::isfinite(value) || !(wide >= slot.range.lowest && wide <= slot.range.highest)) {
      return ValueVerdict::kOutOfRange;
    }
    status = slot.fixed->Set(row_, value);
    return ValueVerdict::kOk;
  }
  const ValueVerdict verdict = DecodeScalar(column, field, scalar_);
  if (verdict == ValueVerdict::kOk) status = Set(*slot.fixed, column.type, row_, scalar_);
  return verdict;
}

arrow::Status TableBuilder::SetValue(Slot& slot, const Scalar& value) {
  if (slot.fixed != nullptr) return Set(*slot.fixed, slot.column->type, row_, value);
  ARROW_RETURN_NOT_OK(slot.builder->PadTo(row_));
  return slot.builder->AppendScalar(value);
}

arrow::Status TableBuilder::AppendFed() {
  arrow::Status status;
  fed_->Resolve(
      [&](std::uint32_t column, const Scalar& value) {
        if (status.ok()) status = SetValue(slots_[column], value);
      },
      [&](std::uint32_t index) {
        const FedColumns::Field& field = fed_->fields()[index];
        if (field.nulled != ValueVerdict::kOk) ++CountOf(field.nulled);
        if (coverage_ == nullptr) return;
        coverage_->CountFed(coverage_->IndexOf(field.raw->number), field);
      });
  return status;
}

arrow::Status TableBuilder::SetFixed(Slot& slot, const WireField& field) {
  if (slot.last_row == row_) {  // the last one counts
    if (slot.last_verdict != ValueVerdict::kOk) CountNulled(slot, slot.last_verdict, -1);
    slot.fixed->SetNull(row_);
  }
  arrow::Status status;
  slot.last_verdict = Store(slot, field, status);
  slot.last_row = row_;
  if (slot.last_verdict != ValueVerdict::kOk) CountNulled(slot, slot.last_verdict, 1);
  return status;
}

arrow::Status TableBuilder::AppendRepeated(Slot& slot) {
  list_.clear();
  for (const Occurrence& occurrence : occurrences_) {
    if (occurrence.slot == &slot) list_.push_back(occurrence.field);
  }
  ARROW_RETURN_NOT_OK(slot.builder->PadTo(row_));
  return slot.builder->AppendList(list_, nulled_);
}

arrow::Status TableBuilder::AppendPayload(ByteSpan fields) {
  occurrences_.clear();
  WireReader reader(fields);
  WireField field;
  while (reader.Next(field)) {
    // A number that is no column: sealed at the door, or of a contract newer than this hand-off's.
    if (field.number >= slot_of_field_.size()) continue;
    const std::uint32_t number = slot_of_field_[field.number];
    if (number >= kFedBase) {
      if (number != kNoSlot) fed_->See(number - kFedBase, field);
      continue;
    }
    if (field.number == contract::kFieldCell) continue;
    Slot& slot = slots_[number];
    if (slot.fixed != nullptr) {
      ARROW_RETURN_NOT_OK(SetFixed(slot, field));
      continue;
    }
    if (slot.last_row == row_ && !slot.column->repeated) {
      occurrences_[slot.last_occurrence].field = field;  // the last one counts
      continue;
    }
    if (slot.last_row != row_) slot.last_occurrence = occurrences_.size();
    slot.last_row = row_;
    occurrences_.push_back({&slot, field});
  }
  if (!reader.ok()) ++nulled_.malformed;
  for (std::size_t i = 0; i < occurrences_.size(); ++i) {
    Slot& slot = *occurrences_[i].slot;
    if (slot.column->repeated) {
      if (slot.last_occurrence == i) ARROW_RETURN_NOT_OK(AppendRepeated(slot));
      continue;
    }
    ARROW_RETURN_NOT_OK(slot.builder->PadTo(row_));
    ARROW_RETURN_NOT_OK(slot.builder->Append(occurrences_[i].field, nulled_));
    if (coverage_ == nullptr || slot.builder->verdict() == ValueVerdict::kOk) continue;
    coverage_->CountNulled(slot.coverage_field, slot.builder->verdict(), 1);
  }
  return fed_->has_seen() ? AppendFed() : arrow::Status::OK();
}

arrow::Status TableBuilder::AppendRow(const Row& row, const RowBuffer& rows) {
  // The caller has sorted the rows: their bytes lie anywhere. The next ones come while these are
  // read.
  if (&row + 1 < rows.end()) __builtin_prefetch((&row + 1)->fields.data());
  if (coverage_ != nullptr) coverage_->NextRow(row);
  ARROW_RETURN_NOT_OK(Identity(row.vehicle, row.boot));
  ARROW_RETURN_NOT_OK(Integer(contract::kFieldSeq, static_cast<std::int64_t>(row.seq)));
  ARROW_RETURN_NOT_OK(Integer(contract::kFieldEventTimeUs, row.event_time.value));
  const std::string& firmware = rows.firmwares()[row.firmware];
  if (IsUtf8(firmware)) {
    ARROW_RETURN_NOT_OK(Text(kFirmwareId, firmware));
  } else {
    ++nulled_.out_of_range;
    ARROW_RETURN_NOT_OK(At(kFirmwareId).arrow_builder->AppendNull());
  }
  ARROW_RETURN_NOT_OK(AppendPayload(row.fields));
  if (row.cell != 0) {
    CHECK(CellLevel(row.cell) <= kCoarseCellLevel);  // a finer one is never written
    const std::uint32_t number = slot_of_id_[contract::kFieldCell];
    if (number != kNoSlot) {
      if (slots_[number].builder) ARROW_RETURN_NOT_OK(slots_[number].builder->PadTo(row_));
      ARROW_RETURN_NOT_OK(Integer(contract::kFieldCell, static_cast<std::int64_t>(row.cell)));
    }
  }
  ARROW_RETURN_NOT_OK(Stamps(row.receipt_time, row.log_time, rows.configs()[row.config],
                             row.contract, row.partition, row.offset));
  ARROW_RETURN_NOT_OK(Boolean(kIsLateId, row.is_late));
  ARROW_RETURN_NOT_OK(Boolean(kIsPastHorizonId, row.is_past_horizon));
  ++row_;
  return arrow::Status::OK();
}

arrow::Status TableBuilder::AppendArrival(const ArrivalKey& key, const ArrivalDelta& delta,
                                          const PartitionConfig& config) {
  ARROW_RETURN_NOT_OK(Identity(key.vehicle, key.boot));
  ARROW_RETURN_NOT_OK(Integer(kHourId, key.hour.value));
  ARROW_RETURN_NOT_OK(Integer(kReceivedId, delta.received));
  ARROW_RETURN_NOT_OK(Integer(kMissingId, delta.missing));
  ARROW_RETURN_NOT_OK(Integer(kLateId, delta.late));
  ARROW_RETURN_NOT_OK(Integer(kDuplicateId, delta.duplicate));
  ARROW_RETURN_NOT_OK(Stamps(delta.receipt_time, delta.log_time, config, config.contract_number,
                             delta.partition, delta.offset));
  ++row_;
  return arrow::Status::OK();
}

arrow::Status TableBuilder::AppendCoverage(const Coverage::Slice& slice,
                                           const Coverage::Field& field,
                                           const CoverageCounts& counts,
                                           const PartitionConfig& config) {
  const auto count = [&](StampId id, std::uint64_t value) {
    return Integer(id, static_cast<std::int64_t>(value));
  };
  ARROW_RETURN_NOT_OK(Time(kDayId, StartOfDay(slice.day)));
  if (IsUtf8(slice.firmware)) {
    ARROW_RETURN_NOT_OK(Text(kFirmwareId, slice.firmware));
  } else {
    ARROW_RETURN_NOT_OK(At(kFirmwareId).arrow_builder->AppendNull());
  }
  ARROW_RETURN_NOT_OK(Integer(kFieldNumberId, field.number));
  ARROW_RETURN_NOT_OK(Text(kFieldNameId, field.name));
  ARROW_RETURN_NOT_OK(Text(kFieldColumnsId, field.columns));
  ARROW_RETURN_NOT_OK(count(kReportsId, slice.reports));
  ARROW_RETURN_NOT_OK(count(kPresentId, counts.present));
  ARROW_RETURN_NOT_OK(count(kNullOutOfRangeId, counts.out_of_range));
  ARROW_RETURN_NOT_OK(count(kWrongTypeId, counts.wrong_type));
  ARROW_RETURN_NOT_OK(count(kConversionFailedId, counts.conversion_failed));
  ARROW_RETURN_NOT_OK(count(kValueCountId, counts.values));
  if (counts.present != 0) {
    ARROW_RETURN_NOT_OK(Time(kFirstSeenId, counts.first_seen));
    ARROW_RETURN_NOT_OK(Time(kLastSeenId, counts.last_seen));
  }
  if (counts.values != 0) {
    ARROW_RETURN_NOT_OK(At(kValueMinId).fixed->Set(row_, counts.min));
    ARROW_RETURN_NOT_OK(At(kValueMaxId).fixed->Set(row_, counts.max));
    ARROW_RETURN_NOT_OK(At(kValueSumId).fixed->Set(row_, counts.sum));
  }
  const Row& newest = slice.newest;
  ARROW_RETURN_NOT_OK(Stamps(newest.receipt_time, newest.log_time, config, newest.contract,
                             newest.partition, newest.offset));
  ++row_;
  return arrow::Status::OK();
}

void TableBuilder::CountColumns(const arrow::ArrayVector& arrays) {
  const auto& times =
      static_cast<const arrow::TimestampArray&>(*arrays[slot_of_id_[contract::kFieldEventTimeUs]]);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.coverage_field == Coverage::kNoField) continue;
    // A hand-off may hold one minute of one car: sums of what is withheld would tell it.
    const bool is_number = IsNumber(*slot.column) && !slot.column->is_withheld &&
                           slot.column->number != contract::kFieldCell;
    CountColumn(*arrays[i], times.raw_values(), slot.coverage_field, is_number, *coverage_);
  }
  coverage_->EndFile();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> TableBuilder::Finish() {
  arrow::ArrayVector arrays;
  arrays.reserve(slots_.size());
  for (Slot& slot : slots_) {
    std::shared_ptr<arrow::Array> array;
    if (slot.fixed != nullptr) {
      ARROW_ASSIGN_OR_RAISE(array, slot.fixed->Finish(row_));
    } else {
      ARROW_RETURN_NOT_OK(slot.builder->PadTo(row_));
      ARROW_RETURN_NOT_OK(slot.arrow_builder->Finish(&array));
    }
    arrays.push_back(std::move(array));
    slot.last_row = -1;
  }
  if (coverage_ != nullptr) CountColumns(arrays);
  out_of_range_->Add(nulled_.out_of_range);
  wrong_type_->Add(nulled_.wrong_type);
  malformed_->Add(nulled_.malformed);
  conversion_failed_->Add(nulled_.conversion_failed);
  nulled_ = {};
  const std::int64_t rows = row_;
  row_ = 0;
  arrow::ArrayVector told;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].column->is_withheld) told.push_back(std::move(arrays[i]));
  }
  return arrow::RecordBatch::Make(told_, rows, std::move(told));
}

}  // namespace telltale::lake
