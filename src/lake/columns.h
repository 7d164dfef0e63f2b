// Which columns a table has: a tree of Iceberg types made from the contract at run time. The
// numbers of columns are the contract's (design, section 5): a field n is column n; a field inside
// a message 100,000 + 1,000 x its parent's column + n; the element of a list 90,000 + n.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "contract/contract.h"

namespace telltale::lake {

// Iceberg types that we write.
enum class ColumnType {
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kString,
  kBinary,
  kDecimal20,  // decimal(20, 0): an unsigned 64-bit number fits, and nothing smaller has room
  kTimestamp,  // timestamptz, microseconds UTC
  kStruct,
};

// How the value lies on the wire.
enum class Encoding {
  kNone,  // not from the payload: a stamp
  kBool,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kSint32,
  kSint64,
  kFixed32,
  kFixed64,
  kSfixed32,
  kSfixed64,
  kFloat,
  kDouble,
  kEnum,
  kString,
  kBytes,
  kMessage,
};

enum class TextRule { kNone, kDtcCode };

struct Feeder;

struct Column {
  std::int32_t id = 0;
  std::string name;
  ColumnType type = ColumnType::kBoolean;
  bool required = false;
  bool repeated = false;
  std::int32_t element_id = 0;  // repeated only
  std::uint32_t number = 0;     // field number in its message; 0 = a stamp
  Encoding encoding = Encoding::kNone;
  std::optional<double> min;
  std::optional<double> max;
  TextRule text_rule = TextRule::kNone;
  std::vector<std::pair<std::int32_t, std::string>> enum_values;
  std::vector<Column> members;  // kStruct
  // Read, checked and counted as any other, but no column of the table: TellsTurns().
  bool is_withheld = false;
  std::string doc;         // unit and VSS path, for people
  std::string field_name;  // of a contract field
  // Who feeds it, best first, where that is more than one field's value as it is (or where that
  // field feeds another column, too). Then `min` and `max` are of what the owner's field carries,
  // these of what stands in the column.
  std::vector<Feeder> feeders;
  std::optional<double> column_min;
  std::optional<double> column_max;
};

// A field that feeds a column: its own or another's.
struct Feeder {
  Column raw;  // how its values are read, and its own range; `number` is the field's
  contract::Transform transform;  // into the column; `map` sorted by `from`
};

// Column numbers of what is not a contract field. Never renumbered.
enum StampId : std::int32_t {
  kVehicleRefId = 10'100,
  kBootCounterId = 10'101,
  kBootRandomId = 10'102,
  kFirmwareId = 10'103,
  kReceivedAtId = 10'110,
  kLogTimeId = 10'111,
  kReleaseId = 10'112,
  kAuthorityEpochId = 10'113,
  kContractVersionId = 10'114,
  kConfigSeqId = 10'115,
  kPartitionId = 10'116,
  kOffsetId = 10'117,
  kIsLateId = 10'120,
  kIsPastHorizonId = 10'121,
  kHourId = 10'130,  // table arrivals
  kReceivedId = 10'131,
  kMissingId = 10'132,
  kLateId = 10'133,
  kDuplicateId = 10'134,
  kDayId = 10'140,  // table coverage
  kFieldNumberId = 10'141,
  kFieldNameId = 10'142,
  kFieldColumnsId = 10'143,
  kReportsId = 10'144,
  kPresentId = 10'145,
  kNullOutOfRangeId = 10'146,
  kWrongTypeId = 10'147,
  kConversionFailedId = 10'148,
  kFirstSeenId = 10'149,
  kLastSeenId = 10'150,
  kValueCountId = 10'151,
  kValueMinId = 10'152,
  kValueMaxId = 10'153,
  kValueSumId = 10'154,
};

// Which way a car goes, or how it turns: with the speed that is the shape of its way, and a shape
// fits a road map in one place (docs/attacks.md). Such a field is no column of the lake, nor is one
// that these feed. Rules read them in the streams.
bool TellsTurns(const std::vector<contract::Field>& fields, const contract::Field& field);

// Columns of `telemetry`: identity, every open contract field in number order, stamps.
// A field that feeds another's column has none of its own; that column has feeders.
// Those that are withheld are among them.
// `skipped` receives the names of open fields whose shape has no column number (a list inside a
// message, or nesting too deep for 31 bits); they stay in the stream.
std::vector<Column> TelemetryColumns(const contract::Contract& contract,
                                     std::vector<std::string>* skipped);
// Columns of `arrivals`.
std::vector<Column> ArrivalsColumns();
// Columns of `coverage`.
std::vector<Column> CoverageColumns();

// {"type": "struct", "schema-id": 0, "fields": [...]}: an Iceberg schema, of what is not withheld.
std::string IcebergSchemaJson(const std::vector<Column>& columns);

}  // namespace telltale::lake
