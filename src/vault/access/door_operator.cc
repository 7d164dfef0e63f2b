// What operators and auditors ask beside rows; each is recorded.
#include "vault/access/describe.h"
#include "vault/access/door.h"

namespace telltale::vault {
namespace {

using access::Verb;
using nlohmann::json;

Result<VehicleRef> VehicleOf(const json& message) {
  const json ref = message.value("vehicle_ref", json());
  if (!ref.is_string()) return Error{Code::kInvalid, "vehicle_ref is required: 32 hex digits"};
  return VehicleRef::FromHex(ref.get<std::string>());
}

Status SendEnd(json answer, const Send& send) {
  answer["kind"] = "end";
  return send(answer.dump(-1, ' ', true, json::error_handler_t::replace));
}

}  // namespace

Status AccessDoor::EraseVehicle(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kOperate));
  return EraseFor(asker.caller, message, send);
}

Status AccessDoor::EraseFor(const Caller& caller, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "vehicle_ref", "job"}));
  ASSIGN_OR_RETURN(const VehicleRef vehicle, VehicleOf(message));
  ASSIGN_OR_RETURN(const std::string job, WordsOf(message, "job"));
  json answer;
  // Once: the job is asked about until it is done.
  const bool is_first = [&] {
    MutexLock lock(mutex_);
    return erasing_.insert(job).second;
  }();
  if (is_first) {
    AuditFields fields{{"job", AuditText(job)}};
    if (caller.uid) fields.emplace_back("uid", std::to_string(*caller.uid));
    const auto recorded = parts_.audit.Append("erase", fields);
    if (!recorded.ok()) {
      MutexLock lock(mutex_);
      erasing_.erase(job);
      return Annotate(recorded.error(), "nothing is erased without a record of it");
    }
  }
  RETURN_IF_ERROR(parts_.desk.Erase(vehicle, job, answer));
  RETURN_IF_ERROR(ForgetVehicle(vehicle));
  return SendEnd(std::move(answer), send);
}

Status AccessDoor::ListHolds(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kHold));
  RETURN_IF_ERROR(CheckKeys(message, {"op"}));
  json answer;
  RETURN_IF_ERROR(parts_.desk.ListHolds(answer));
  return SendEnd(std::move(answer), send);
}

Status AccessDoor::ShowPresence(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kSubjectExport));
  RETURN_IF_ERROR(CheckKeys(message, {"op", "vehicle_ref", "case"}));
  ASSIGN_OR_RETURN(const VehicleRef vehicle, VehicleOf(message));
  ASSIGN_OR_RETURN(const std::string case_id, WordsOf(message, "case"));
  AuditFields fields = Who(asker);
  fields.emplace_back("case", AuditText(case_id));
  const auto recorded = parts_.audit.Append("presence", fields);
  if (!recorded.ok()) return Annotate(recorded.error(), "nothing is told without a record of it");
  RETURN_IF_ERROR(RecordVehicles({vehicle}, *recorded));
  json answer;
  RETURN_IF_ERROR(parts_.desk.Presence(vehicle, answer));
  return SendEnd(std::move(answer), send);
}

Status AccessDoor::MakeReport(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kAudit));
  RETURN_IF_ERROR(CheckKeys(message, {"op", "at_us", "list"}));
  std::optional<Micros> at;
  if (message.contains("at_us")) {
    ASSIGN_OR_RETURN(const std::int64_t at_us, NumberOf(message, "at_us"));
    at = Micros{at_us};
  }
  const bool list = message.value("list", json(false)) == true;
  json answer;
  RETURN_IF_ERROR(parts_.desk.MakeReport(at, list, answer));
  AuditFields fields = Who(asker);
  fields.emplace_back("exit_code", answer["exit_code"].dump());
  const auto recorded = parts_.audit.Append("report", fields);
  if (!recorded.ok()) return Annotate(recorded.error(), "recording the report");
  return SendEnd(std::move(answer), send);
}

}  // namespace telltale::vault
