// What one vehicle's people may know: who looked, as what, why and when; no name, no number.
#include <fmt/format.h>

#include <map>

#include "vault/access/describe.h"
#include "vault/access/door.h"

namespace telltale::vault {
namespace {

using access::Verb;
using nlohmann::json;

constexpr std::size_t kHashDigits = 64;
constexpr std::array kShown = {"at",   "op",      "role",  "purpose", "case",
                               "form", "from_us", "to_us", "class",   "break_glass"};

json EntryOf(std::string_view line) {
  return line.size() > kHashDigits ? json::parse(line.substr(kHashDigits + 1), nullptr, false)
                                   : json();
}

std::uint64_t NumberIn(const json& entry, const char* key) {
  const json value = entry.value(key, json());
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

}  // namespace

Status AccessDoor::ExportSubject(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kSubjectExport));
  RETURN_IF_ERROR(CheckKeys(message, {"op", "vehicle", "case"}));
  ASSIGN_OR_RETURN(const std::string case_id, WordsOf(message, "case"));
  const json ref = message.value("vehicle", json());
  if (!ref.is_string()) return Error{Code::kInvalid, "vehicle is required: a vehicle_ref"};
  ASSIGN_OR_RETURN(const VehicleRef vehicle, VehicleRef::FromHex(ref.get<std::string>()));
  AuditFields fields = Who(asker);
  fields.emplace_back("case", AuditText(case_id));
  const auto recorded = parts_.audit.Append("subject_export", fields);
  if (!recorded.ok()) return Annotate(recorded.error(), "nothing is told without a record of it");
  ASSIGN_OR_RETURN(const std::vector<VehicleRef> known, RecordVehicles({vehicle}, *recorded));
  if (known.empty()) {
    return Error{Code::kNotFound,
                 "the vault has no key of this vehicle: nothing of it was stored, or it was "
                 "erased, and then no entry can be told to be about it"};
  }
  std::map<std::uint64_t, json> accesses;  // by intent
  Status failed;
  const auto linked = parts_.audit.List(1, UINT64_MAX, [&](std::string_view line) {
    const json entry = EntryOf(line);
    if (!entry.is_object() || entry.value("event", "") != "vehicle") return;
    const auto salt = HexDecode(entry.value("salt", ""));
    if (!salt.ok()) return;
    const auto tag = parts_.tags.Tag(vehicle, *salt);
    if (!tag.ok()) failed = tag.error();
    if (tag.ok() && *tag == entry.value("tag", "")) {
      accesses[NumberIn(entry, "intent")] = json::object();
    }
  });
  if (!linked.ok()) return linked.error();
  RETURN_IF_ERROR(failed);
  const auto described = parts_.audit.List(1, UINT64_MAX, [&](std::string_view line) {
    const json entry = EntryOf(line);
    if (!entry.is_object()) return;
    const std::string event = entry.value("event", "");
    const bool is_outcome = event == "outcome";
    if (!is_outcome && event != "intent" && event != "subject_export") return;
    const auto found = accesses.find(NumberIn(entry, is_outcome ? "intent" : "n"));
    if (found == accesses.end()) return;
    if (is_outcome) {
      // The request's: how many of the rows were this vehicle's is not recorded.
      found->second["rows_of_request"] = entry.value("rows", 0);
      found->second["result"] = entry.value("result", "");
      return;
    }
    for (const char* key : kShown) {
      if (entry.contains(key)) found->second[key] = entry[key];
    }
    if (event == "subject_export") found->second["op"] = event;
  });
  if (!described.ok()) return described.error();
  json listed = json::array();
  for (auto& [intent, one] : accesses) listed.push_back(std::move(one));
  return send(Dump(json{{"kind", "end"},
                        {"vehicle", vehicle.ToHex()},
                        {"accesses", listed},
                        {"verified", described->problem.empty()}}));
}

}  // namespace telltale::vault
