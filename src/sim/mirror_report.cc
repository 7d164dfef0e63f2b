#include "sim/mirror_report.h"

#include <optional>

#include "contract/telemetry_record.h"
#include "contract/wire.h"

namespace telltale::sim {
namespace {

using contract::WireType;

// Of ReportBatch.
constexpr std::uint32_t kBootCounter = 1;
constexpr std::uint32_t kBootRandom = 2;
constexpr std::uint32_t kReports = 10;

void ClearNumber(telltale::v1::Report& report, int number) {
  const google::protobuf::Reflection& fields = *report.GetReflection();
  if (const auto* field = report.GetDescriptor()->FindFieldByNumber(number)) {
    fields.ClearField(&report, field);
  }
  // A field that is younger than this program.
  fields.MutableUnknownFields(&report)->DeleteByNumber(number);
}

}  // namespace

VehicleClass ClassOf(const log::RecordView& record) {
  const std::optional<ByteSpan> payload =
      contract::OpenFieldsOf(record.header.flags, record.payload);
  if (!payload) return VehicleClass::kUnknown;
  contract::WireCursor cursor(*payload);
  while (!cursor.done()) {
    std::uint32_t number = 0;
    WireType type{};
    if (!cursor.ReadTag(number, type)) break;
    if (number != contract::kFieldVehicleClass || type != WireType::kVarint) {
      if (!cursor.Skip(type)) break;
      continue;
    }
    std::uint64_t value = 0;
    const bool known = cursor.ReadVarint(value) && value < kVehicleClassNames.size();
    return known ? static_cast<VehicleClass>(value) : VehicleClass::kUnknown;
  }
  return VehicleClass::kUnknown;
}

MirrorReports::MirrorReports(ContractOf contract_of, std::vector<std::string> leave_out)
    : contract_of_(std::move(contract_of)), leave_out_(std::move(leave_out)) {}

Result<MirrorReports::Prepared*> MirrorReports::For(std::uint32_t contract_number) {
  const auto known = prepared_.find(contract_number);
  if (known != prepared_.end()) return &known->second;
  ASSIGN_OR_RETURN(const auto contract, contract_of_(contract_number));
  Prepared prepared;
  prepared.splitter = std::make_unique<contract::Splitter>(contract);
  for (const std::string& name : leave_out_) {
    const contract::Field* field = contract->FindByName(name);
    if (field != nullptr) prepared.left_out.insert(static_cast<int>(field->number));
  }
  return &prepared_.emplace(contract_number, std::move(prepared)).first->second;
}

Result<telltale::v1::Report> MirrorReports::Encode(const log::RecordView& record,
                                                   double distance_km) {
  const Error broken{Code::kInvalid, "the payload is none of an open record"};
  ASSIGN_OR_RETURN(Prepared * prepared, For(record.header.contract_number));
  const std::optional<ByteSpan> payload =
      contract::OpenFieldsOf(record.header.flags, record.payload);
  if (!payload) return broken;
  body_.clear();
  contract::AppendTag(body_, contract::kFieldSeq, WireType::kVarint);
  contract::AppendVarint(body_, record.header.seq);
  contract::AppendTag(body_, contract::kFieldEventTimeUs, WireType::kVarint);
  contract::AppendVarint(body_, static_cast<std::uint64_t>(record.header.event_time.value));
  body_.append(AsText(*payload));
  batch_.clear();
  contract::AppendTag(batch_, kBootCounter, WireType::kVarint);
  contract::AppendVarint(batch_, 1);
  contract::AppendTag(batch_, kBootRandom, WireType::kFixed64);
  PutLe(batch_, std::uint64_t{1});
  contract::AppendTag(batch_, kReports, WireType::kBytes);
  contract::AppendVarint(batch_, body_.size());
  batch_.append(body_);

  telltale::v1::Report report;
  bool is_whole = false;
  const Status split = prepared->splitter->Split(
      AsBytes(batch_), distance_km, [](const contract::BatchHead&) {},
      [&](const contract::SplitReport& one) {
        is_whole =
            one.refused == Reason::kNone &&
            report.ParseFromArray(one.telemetry.data(), static_cast<int>(one.telemetry.size()));
      });
  if (!split.ok() || !is_whole) return broken;
  for (const int number : prepared->left_out) ClearNumber(report, number);
  return report;
}

}  // namespace telltale::sim
