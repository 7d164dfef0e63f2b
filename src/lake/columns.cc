#include "lake/columns.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "contract/transforms.h"

namespace telltale::lake {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr std::int64_t kNestedBase = 100'000;
constexpr std::int64_t kNestedStride = 1'000;
constexpr std::int32_t kElementBase = 90'000;

// Lateral acceleration, yaw rate, steering wheel, roll rate (a car rolls outward in a bend),
// octant.
constexpr std::array<std::uint32_t, 5> kTurnFields = {12, 14, 16, 17,
                                                      contract::kFieldHeadingOctant};

Encoding EncodingOf(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_BOOL:
      return Encoding::kBool;
    case FieldDescriptor::TYPE_INT32:
      return Encoding::kInt32;
    case FieldDescriptor::TYPE_INT64:
      return Encoding::kInt64;
    case FieldDescriptor::TYPE_UINT32:
      return Encoding::kUint32;
    case FieldDescriptor::TYPE_UINT64:
      return Encoding::kUint64;
    case FieldDescriptor::TYPE_SINT32:
      return Encoding::kSint32;
    case FieldDescriptor::TYPE_SINT64:
      return Encoding::kSint64;
    case FieldDescriptor::TYPE_FIXED32:
      return Encoding::kFixed32;
    case FieldDescriptor::TYPE_FIXED64:
      return Encoding::kFixed64;
    case FieldDescriptor::TYPE_SFIXED32:
      return Encoding::kSfixed32;
    case FieldDescriptor::TYPE_SFIXED64:
      return Encoding::kSfixed64;
    case FieldDescriptor::TYPE_FLOAT:
      return Encoding::kFloat;
    case FieldDescriptor::TYPE_DOUBLE:
      return Encoding::kDouble;
    case FieldDescriptor::TYPE_ENUM:
      return Encoding::kEnum;
    case FieldDescriptor::TYPE_STRING:
      return Encoding::kString;
    case FieldDescriptor::TYPE_BYTES:
      return Encoding::kBytes;
    case FieldDescriptor::TYPE_MESSAGE:
      return Encoding::kMessage;
    case FieldDescriptor::TYPE_GROUP:
      return Encoding::kNone;
  }
  return Encoding::kNone;
}

ColumnType TypeOf(Encoding encoding) {
  switch (encoding) {
    case Encoding::kBool:
      return ColumnType::kBoolean;
    case Encoding::kInt32:
    case Encoding::kSint32:
    case Encoding::kSfixed32:
      return ColumnType::kInt;
    case Encoding::kUint32:
    case Encoding::kFixed32:
    case Encoding::kInt64:
    case Encoding::kSint64:
    case Encoding::kSfixed64:
      return ColumnType::kLong;
    case Encoding::kUint64:
    case Encoding::kFixed64:
      return ColumnType::kDecimal20;
    case Encoding::kFloat:
      return ColumnType::kFloat;
    case Encoding::kDouble:
      return ColumnType::kDouble;
    case Encoding::kEnum:
    case Encoding::kString:
      return ColumnType::kString;
    case Encoding::kBytes:
      return ColumnType::kBinary;
    case Encoding::kMessage:
      return ColumnType::kStruct;
    case Encoding::kNone:
      break;
  }
  return ColumnType::kBinary;
}

std::string DocOf(const contract::Field& field) {
  std::string doc = field.unit.empty() ? "" : "unit " + field.unit;
  if (!field.vss_path.empty()) doc += (doc.empty() ? "" : "; ") + ("VSS " + field.vss_path);
  if (field.privacy == contract::Privacy::kLinking) {
    doc += std::string(doc.empty() ? "" : "; ") + "with a random offset of the owner";
  }
  return doc;
}

std::string ColumnName(const contract::Field& field) {
  return field.column.empty() ? field.name : field.column;
}

// The allow-list: exact place and identity have no column, whatever else is true of them. A linking
// field's open copy carries an offset; only a top-level distance has one.
bool HasColumn(const contract::Field& field, bool top_level) {
  return field.privacy == contract::Privacy::kOpen ||
         (top_level && field.privacy == contract::Privacy::kLinking);
}

class TreeBuilder {
 public:
  explicit TreeBuilder(std::vector<std::string>* skipped) : skipped_(skipped) {}

  std::vector<Column> Members(const std::vector<contract::Field>& fields, const Descriptor& message,
                              std::int32_t parent_id, const std::string& path) {
    std::vector<Column> columns;
    const bool top_level = parent_id == 0;
    for (const contract::Field& field : fields) {
      if (top_level && field.number <= contract::kFieldEventTimeUs) continue;  // in the header
      if (!HasColumn(field, top_level)) continue;
      if (top_level && contract::FeedsAnother(fields, field)) continue;
      const FieldDescriptor* described = message.FindFieldByNumber(static_cast<int>(field.number));
      const std::string name = path + ColumnName(field);
      std::optional<Column> column;
      if (described != nullptr) column = Make(field, *described, parent_id, name);
      if (column && top_level) {
        AddFeeders(fields, message, field, *column);
        column->is_withheld = TellsTurns(fields, field);
      }
      if (column.has_value()) {
        columns.push_back(std::move(*column));
      } else if (skipped_ != nullptr) {
        skipped_->push_back(name);
      }
    }
    return columns;
  }

 private:
  // Nothing where a column gets its own field's value as it is: nearly always.
  void AddFeeders(const std::vector<contract::Field>& fields, const Descriptor& message,
                  const contract::Field& owner, Column& column) {
    const auto feeders = contract::FeedersOf(fields, owner);
    const bool feeds_others = std::any_of(fields.begin(), fields.end(), [&](const auto& field) {
      return std::any_of(field.from.begin(), field.from.end(),
                         [&](const auto& source) { return source.field == owner.name; });
    });
    if (feeders.size() == 1 && owner.transform.is_identity() && !feeds_others) return;
    for (const contract::Feeder& feeder : feeders) {
      const FieldDescriptor* described =
          message.FindFieldByNumber(static_cast<int>(feeder.field->number));
      if (described == nullptr) continue;
      auto raw = Make(*feeder.field, *described, 0, feeder.field->name);
      if (!raw) continue;
      Feeder made{std::move(*raw), *feeder.transform};
      std::sort(made.transform.map.begin(), made.transform.map.end());
      column.feeders.push_back(std::move(made));
    }
    const contract::Transform& own = owner.transform;
    if (!own.map.empty()) return;  // what stands in the column is the map's to say
    const auto moved = [&](double limit) { return limit * own.scale + own.offset; };
    if (owner.min) column.column_min = moved(*owner.min);
    if (owner.max) column.column_max = moved(*owner.max);
    if (own.scale < 0) std::swap(column.column_min, column.column_max);
  }

  std::optional<Column> Make(const contract::Field& field, const FieldDescriptor& described,
                             std::int32_t parent_id, const std::string& path) {
    const bool top_level = parent_id == 0;
    const std::int64_t id = top_level ? static_cast<std::int64_t>(field.number)
                                      : kNestedBase + kNestedStride * parent_id + field.number;
    if (id > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
    if (!top_level && (field.number >= kNestedStride || described.is_repeated())) {
      return std::nullopt;
    }
    Column column;
    column.id = static_cast<std::int32_t>(id);
    column.name = ColumnName(field);
    column.field_name = field.name;
    column.number = field.number;
    column.encoding = EncodingOf(described);
    column.type = TypeOf(column.encoding);
    if (column.encoding == Encoding::kNone) return std::nullopt;
    // An S2 cell id is 64 bits that nobody adds up: a long with the same bits, as BigQuery does.
    if (top_level && field.number == contract::kFieldCell) column.type = ColumnType::kLong;
    column.repeated = described.is_repeated();
    if (column.repeated) {
      column.element_id = kElementBase + static_cast<std::int32_t>(field.number);
    }
    column.min = field.min;
    column.max = field.max;
    column.enum_values = field.enum_values;
    column.doc = DocOf(field);
    if (described.full_name() == "telltale.v1.Dtc.code") column.text_rule = TextRule::kDtcCode;
    if (column.type == ColumnType::kStruct) {
      column.members = Members(field.members, *described.message_type(), column.id, path + ".");
      if (column.members.empty()) return std::nullopt;  // nothing open inside
    }
    return column;
  }

  std::vector<std::string>* skipped_;
};

Column Stamp(std::int32_t id, std::string name, ColumnType type, bool required) {
  Column column;
  column.id = id;
  column.name = std::move(name);
  column.type = type;
  column.required = required;
  return column;
}

void AppendStamps(std::vector<Column>& columns) {
  columns.push_back(Stamp(kReceivedAtId, "received_at", ColumnType::kTimestamp, true));
  columns.push_back(Stamp(kLogTimeId, "log_time", ColumnType::kTimestamp, true));
  columns.push_back(Stamp(kReleaseId, "release", ColumnType::kString, true));
  columns.push_back(Stamp(kAuthorityEpochId, "authority_epoch", ColumnType::kLong, true));
  columns.push_back(Stamp(kContractVersionId, "contract_version", ColumnType::kLong, true));
  columns.push_back(Stamp(kConfigSeqId, "config_seq", ColumnType::kLong, true));
  columns.push_back(Stamp(kPartitionId, "partition", ColumnType::kInt, true));
  columns.push_back(Stamp(kOffsetId, "offset", ColumnType::kLong, true));
}

std::vector<Column> IdentityColumns() {
  return {Stamp(kVehicleRefId, "vehicle_ref", ColumnType::kString, true),
          Stamp(kBootCounterId, "boot_counter", ColumnType::kLong, true),
          Stamp(kBootRandomId, "boot_random", ColumnType::kString, true)};
}

nlohmann::ordered_json TypeJson(const Column& column);

nlohmann::ordered_json ScalarJson(const Column& column) {
  switch (column.type) {
    case ColumnType::kBoolean:
      return "boolean";
    case ColumnType::kInt:
      return "int";
    case ColumnType::kLong:
      return "long";
    case ColumnType::kFloat:
      return "float";
    case ColumnType::kDouble:
      return "double";
    case ColumnType::kString:
      return "string";
    case ColumnType::kBinary:
      return "binary";
    case ColumnType::kDecimal20:
      return "decimal(20, 0)";
    case ColumnType::kTimestamp:
      return "timestamptz";
    case ColumnType::kStruct:
      break;
  }
  return nullptr;
}

nlohmann::ordered_json FieldsJson(const std::vector<Column>& columns) {
  nlohmann::ordered_json fields = nlohmann::ordered_json::array();
  for (const Column& column : columns) {
    if (column.is_withheld) continue;
    nlohmann::ordered_json field = {{"id", column.id},
                                    {"name", column.name},
                                    {"required", column.required},
                                    {"type", TypeJson(column)}};
    if (!column.doc.empty()) field["doc"] = column.doc;
    fields.push_back(std::move(field));
  }
  return fields;
}

nlohmann::ordered_json TypeJson(const Column& column) {
  nlohmann::ordered_json type;
  if (column.type == ColumnType::kStruct) {
    type = {{"type", "struct"}, {"fields", FieldsJson(column.members)}};
  } else {
    type = ScalarJson(column);
  }
  if (!column.repeated) return type;
  return {{"type", "list"},
          {"element-id", column.element_id},
          {"element-required", false},
          {"element", std::move(type)}};
}

}  // namespace

bool TellsTurns(const std::vector<contract::Field>& fields, const contract::Field& field) {
  const auto is_one = [](std::uint32_t number) {
    return std::find(kTurnFields.begin(), kTurnFields.end(), number) != kTurnFields.end();
  };
  if (is_one(field.number)) return true;
  const auto feeders = contract::FeedersOf(fields, field);
  return std::any_of(feeders.begin(), feeders.end(),
                     [&](const contract::Feeder& feeder) { return is_one(feeder.field->number); });
}

std::vector<Column> TelemetryColumns(const contract::Contract& contract,
                                     std::vector<std::string>* skipped) {
  std::vector<Column> columns = IdentityColumns();
  columns.push_back(Stamp(contract::kFieldSeq, "seq", ColumnType::kLong, true));
  columns.push_back(Stamp(contract::kFieldEventTimeUs, "event_time", ColumnType::kTimestamp, true));
  columns.push_back(Stamp(kFirmwareId, "firmware", ColumnType::kString, false));
  TreeBuilder builder(skipped);
  for (Column& column : builder.Members(contract.fields(), *contract.report_descriptor(), 0, "")) {
    columns.push_back(std::move(column));
  }
  AppendStamps(columns);
  columns.push_back(Stamp(kIsLateId, "is_late", ColumnType::kBoolean, true));
  columns.push_back(Stamp(kIsPastHorizonId, "is_past_horizon", ColumnType::kBoolean, true));
  return columns;
}

std::vector<Column> ArrivalsColumns() {
  std::vector<Column> columns = IdentityColumns();
  columns.push_back(Stamp(kHourId, "hour", ColumnType::kTimestamp, true));
  columns.push_back(Stamp(kReceivedId, "received", ColumnType::kLong, true));
  columns.push_back(Stamp(kMissingId, "missing", ColumnType::kLong, true));
  columns.push_back(Stamp(kLateId, "late", ColumnType::kLong, true));
  columns.push_back(Stamp(kDuplicateId, "duplicate", ColumnType::kLong, true));
  AppendStamps(columns);
  return columns;
}

std::vector<Column> CoverageColumns() {
  std::vector<Column> columns;
  columns.push_back(Stamp(kDayId, "day", ColumnType::kTimestamp, true));
  columns.push_back(Stamp(kFirmwareId, "firmware", ColumnType::kString, false));
  columns.push_back(Stamp(kFieldNumberId, "field", ColumnType::kInt, true));
  columns.push_back(Stamp(kFieldNameId, "field_name", ColumnType::kString, true));
  columns.push_back(Stamp(kFieldColumnsId, "columns", ColumnType::kString, true));
  columns.push_back(Stamp(kReportsId, "reports", ColumnType::kLong, true));
  columns.push_back(Stamp(kPresentId, "present", ColumnType::kLong, true));
  columns.push_back(Stamp(kNullOutOfRangeId, "null_out_of_range", ColumnType::kLong, true));
  columns.push_back(Stamp(kWrongTypeId, "wrong_type", ColumnType::kLong, true));
  columns.push_back(Stamp(kConversionFailedId, "conversion_failed", ColumnType::kLong, true));
  columns.push_back(Stamp(kFirstSeenId, "first_seen", ColumnType::kTimestamp, false));
  columns.push_back(Stamp(kLastSeenId, "last_seen", ColumnType::kTimestamp, false));
  columns.push_back(Stamp(kValueCountId, "value_count", ColumnType::kLong, true));
  columns.push_back(Stamp(kValueMinId, "value_min", ColumnType::kDouble, false));
  columns.push_back(Stamp(kValueMaxId, "value_max", ColumnType::kDouble, false));
  columns.push_back(Stamp(kValueSumId, "value_sum", ColumnType::kDouble, false));
  AppendStamps(columns);
  return columns;
}

std::string IcebergSchemaJson(const std::vector<Column>& columns) {
  const nlohmann::ordered_json schema = {
      {"type", "struct"}, {"schema-id", 0}, {"fields", FieldsJson(columns)}};
  return schema.dump();
}

}  // namespace telltale::lake
