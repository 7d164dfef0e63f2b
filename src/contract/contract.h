// contract/ - reads the vehicle contract's descriptors at run time: what each field is, where it
// may go (the split), which column it becomes. A new field needs no rebuild.
//   in      FileDescriptorSet bytes (<data>/contracts/<digest>.desc), ReportBatch bytes from cars
//   out     field table to lake/, split reports to gateway/
//   owns    nothing
//   thread  a Contract is immutable: any thread; a Splitter belongs to one thread
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/reasons.h"
#include "base/result.h"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
}  // namespace google::protobuf

namespace telltale::contract {

// The contract's own privacy classes (contract/telltale/v1/options.proto).
enum class Privacy {
  kOpen,      // may lie in the open streams and the lake
  kPrecise,   // exact place: sealed only
  kIdentity,  // names a person or car: sealed only
  kLinking,   // re-identifies by its value (odometer): sealed as sent, open with a per-owner offset
};

enum class ValueType {
  kBool,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kFloat,
  kDouble,
  kEnum,
  kString,
  kBytes,
  kMessage
};

// How a value becomes a column's: docs/contract.md, "One column, several fields". Downstream work:
// the streams keep what the car sent.
struct Transform {
  double scale = 1;  // column value = value x scale + offset, computed as double; never 0
  double offset = 0;
  std::vector<std::pair<std::string, std::string>> map;  // value as text -> column's value as text
  bool is_identity() const { return scale == 1 && offset == 0 && map.empty(); }
};

// An older field of the same message that feeds a field's column too.
struct Source {
  std::string field;
  Transform transform;
};

struct Field {
  std::uint32_t number = 0;
  std::string name;
  std::string column;  // lake column; the name unless the option says otherwise. The name of
                       // another field: feeds that one's column
  std::string unit;    // UCUM text, "" = none
  std::optional<double> min;
  std::optional<double> max;
  Privacy privacy = Privacy::kIdentity;  // a field without the option is sealed
  bool safety = false;                   // goes to stream `safety` too
  bool derived = false;  // from 10,000: made by the platform; sealed as unknown from a car
  std::string vss_path;
  std::string first_firmware;
  std::vector<std::string> values;  // OPEN text: all that may stand openly; other text is sealed
  std::string pattern;              // OPEN text: RE2 syntax, of the whole value
  Transform transform;              // into its column
  std::vector<Source> from;         // older fields that feed its column, best first
  ValueType type = ValueType::kBool;
  bool repeated = false;
  std::vector<std::pair<std::int32_t, std::string>> enum_values;  // kEnum: number, name
  std::vector<Field> members;                                     // kMessage, in number order
};

// Numbers that the door and the lake need by name. Derived values are contract fields from 10,000.
inline constexpr std::uint32_t kFieldSeq = 1;
inline constexpr std::uint32_t kFieldEventTimeUs = 2;
inline constexpr std::uint32_t kFieldFirstDerived = 10'000;
inline constexpr std::uint32_t kFieldCell = 10'001;           // fixed64, S2 cell id
inline constexpr std::uint32_t kFieldHeadingOctant = 10'002;  // uint32, 0 = north, clockwise, 0-7
inline constexpr std::uint32_t kFieldVehicleClass = 10'003;   // enum VehicleClass

class Contract {
 public:
  // The digest (hex SHA-256 of `bytes`) is the caller's to check: this library links no crypto, so
  // that telltale-lake can use it beside Arrow's own OpenSSL.
  //   kInvalid  not a FileDescriptorSet, no message telltale.v1.Report, or an option out of bounds
  static Result<std::shared_ptr<const Contract>> FromDescriptorSet(std::string_view bytes);
  ~Contract();

  const std::vector<Field>& fields() const { return fields_; }  // of Report, in number order
  const Field* FindByNumber(std::uint32_t number) const;
  const Field* FindByName(std::string_view name) const;
  // For oracles in tests and for readers that decode with libprotobuf.
  const google::protobuf::Descriptor* report_descriptor() const { return report_; }
  const google::protobuf::Descriptor* batch_descriptor() const { return batch_; }

 private:
  Contract() = default;
  std::vector<Field> fields_;
  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  const google::protobuf::Descriptor* report_ = nullptr;
  const google::protobuf::Descriptor* batch_ = nullptr;
};

// The head of a ReportBatch.
struct BatchHead {
  BootId boot;
  std::string_view firmware;
  std::optional<BootId> previous_boot;
  std::uint64_t previous_last_seq = 0;
  std::uint32_t unknown_fields = 0;  // of the batch itself: kept nowhere, to be counted
};

// A field that the contract has no place for, as far as it may be told: never its value.
struct UnknownField {
  enum class Why : std::uint8_t {
    kUndeclared,  // no such number, or a derived one
    kWireType,    // a known number with another wire type
    kText,        // an OPEN text that may not stand openly
  };
  std::string_view path;  // "" in Report; "60." in the message that field 60 is; of the Splitter
  std::uint32_t number = 0;
  std::uint8_t wire_type = 0;  // as on the wire: 0 varint, 1 fixed64, 2 bytes, 5 fixed32
  Why why = Why::kUndeclared;
  std::uint32_t bytes = 0;  // of the value, without tag and length
};

// One report, split. The buffers belong to the Splitter and are valid during the callback.
struct SplitReport {
  ByteSpan raw;                    // the Report's bytes as sent
  Reason refused = Reason::kNone;  // not kNone: only `raw` (and seq when readable) is meaningful
  std::uint64_t seq = 0;
  Micros event_time;  // as sent
  std::uint64_t content_hash = 0;
  std::string_view safety;     // wire bytes, may be empty
  std::string_view telemetry;  // wire bytes of every open field, may be empty
  std::string_view sealed;     // wire bytes as sent: exact place, identity, linking
  std::string_view unknown;    // wire bytes as sent of what the contract has no place for
  std::span<const UnknownField> unknown_fields;  // what lies in `unknown`, in order
  bool odometer_overflow = false;
  // The exact place, for deriving the cell; never leaves the door otherwise.
  std::optional<double> latitude_deg;
  std::optional<double> longitude_deg;
  std::optional<double> heading_deg;
};

// One pass over the bytes from a descriptor table; allow-list: what is not known and open is
// sealed.
class Splitter {
 public:
  explicit Splitter(std::shared_ptr<const Contract> contract);
  ~Splitter();

  //   kInvalid  not a ReportBatch (reason kBatchMalformed / kTooManyReports in the caller's count);
  //             nothing was called
  // Reads the head first (fields may come in any order), then calls `head` once and `report` for
  // each Report in order. `odometer_offset_km` is added to LINKING distances in the open copy.
  Status Split(ByteSpan batch, double odometer_offset_km,
               const std::function<void(const BatchHead&)>& head,
               const std::function<void(const SplitReport&)>& report);
  // Why Split() last failed.
  Reason reason() const { return reason_; }

 private:
  struct Table;
  std::shared_ptr<const Contract> contract_;
  std::unique_ptr<Table> table_;
  Reason reason_ = Reason::kNone;
};

// Appends the wire bytes of a derived field.
void AppendCell(std::string& wire, std::uint64_t cell);
void AppendHeadingOctant(std::string& wire, std::uint32_t octant);
void AppendVehicleClass(std::string& wire, std::uint32_t vehicle_class);

}  // namespace telltale::contract
