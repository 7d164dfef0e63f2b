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
  std::string doc;              // unit and VSS path, for people
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
};

// Columns of `telemetry`: identity, every open contract field in number order, stamps.
// `skipped` receives the names of open fields whose shape has no column number (a list inside a
// message, or nesting too deep for 31 bits); they stay in the stream.
std::vector<Column> TelemetryColumns(const contract::Contract& contract,
                                     std::vector<std::string>* skipped);
// Columns of `arrivals`.
std::vector<Column> ArrivalsColumns();

// {"type": "struct", "schema-id": 0, "fields": [...]}: an Iceberg schema.
std::string IcebergSchemaJson(const std::vector<Column>& columns);

}  // namespace telltale::lake
