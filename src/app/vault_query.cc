#include "app/vault_query.h"

#include <CLI/CLI.hpp>

#include "app/vault_client.h"
#include "base/ids.h"

namespace telltale::app {

using nlohmann::json;

Result<json> VaultQuestion::ToJson() const {
  json request{{"vehicles", json::array()}, {"purpose", purpose}, {"case", case_id}};
  if (vehicles.empty()) return Error{Code::kInvalid, "--vehicle is required (or --request)"};
  for (const std::string& one : vehicles) {
    const auto vehicle = VehicleRef::FromHex(one);
    if (!vehicle.ok()) {
      return Error{Code::kInvalid,
                   "--vehicle takes a vehicle_ref (32 hex digits); `telltale vehicles lookup` "
                   "turns a VIN into one"};
    }
    request["vehicles"].push_back(vehicle->ToHex());
  }
  ASSIGN_OR_RETURN(const std::int64_t from_us, ParseTime("--from", from));
  ASSIGN_OR_RETURN(const std::int64_t to_us, ParseTime("--to", to));
  if (from_us >= to_us) return Error{Code::kInvalid, "--from must be before --to"};
  request["from_us"] = from_us;
  request["to_us"] = to_us;
  if (!fields.empty()) request["fields"] = fields;
  request["class"] = quarantine ? "quarantine" : unknown ? "unknown" : "data";
  if (hold > 0) request["hold"] = hold;
  if (break_glass) request["break_glass"] = true;
  if (keep) request["keep"] = true;
  return request;
}

void AddQuestion(CLI::App& command, VaultQuestion& question) {
  command.add_option("--vehicle", question.vehicles, "vehicle_ref, 32 hex digits; may be repeated");
  command.add_option("--from", question.from,
                     "Event time, inclusive: RFC 3339 or microseconds UTC");
  command.add_option("--to", question.to, "Event time, exclusive");
  command.add_option("--purpose", question.purpose,
                     "One of the policy's purposes: `telltale vault policy show`");
  command.add_option("--case", question.case_id,
                     "The case or ticket this belongs to; no VIN, no place");
  command.add_option("--field", question.fields,
                     "Only this field, by its name in the contract; may be repeated");
  CLI::Option* quarantine = command.add_flag("--quarantine", question.quarantine,
                                             "What the door refused, instead of reports");
  command
      .add_flag("--unknown", question.unknown,
                "Fields that the contract had no place for, instead of sealed ones")
      ->excludes(quarantine);
  command.add_option("--hold", question.hold,
                     "What this hold keeps, instead of what none does; `telltale vault holds`");
}

}  // namespace telltale::app
