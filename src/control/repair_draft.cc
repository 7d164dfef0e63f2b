#include "control/repair_draft.h"

namespace telltale::control {
namespace {

using nlohmann::json;

json Kept(const json& object, const char* name) {
  return object.is_object() ? object.value(name, json()) : json();
}

// Where the candidate spoke in this rollout.
json LanesOf(const RepairParts& parts) {
  json lanes = json::array();
  for (const json& row : Kept(parts.ledger, "items")) {
    if (Kept(row, "rollout") != parts.rollout.at("id")) continue;
    if (Kept(row, "release") != parts.rollout.at("candidate")) continue;
    json lane;
    for (const char* name : {"partition", "lot_from", "lot_to", "authority_epoch", "from_offset",
                             "to_offset", "config_seq"}) {
      lane[name] = Kept(row, name);
    }
    lanes.push_back(std::move(lane));
  }
  return lanes;
}

json TablesOf(const json& lake) {
  json tables = json::array();
  for (const char* kind : {"features", "telemetry"}) {
    for (const json& one : Kept(Kept(lake, kind), "tables")) {
      if (Kept(one, "verdict") == json("same")) continue;
      json table = {{"kind", kind}};
      for (const char* name : {"name", "verdict", "rows_stable", "rows_candidate", "changed",
                               "missing", "extra", "vehicles_affected"}) {
        table[name] = Kept(one, name);
      }
      tables.push_back(std::move(table));
    }
  }
  return tables;
}

}  // namespace

json RepairDraft(const RepairParts& parts) {
  const json lanes = LanesOf(parts);
  bool is_complete = parts.ledger.is_object();
  for (const json& lane : lanes) is_complete = is_complete && !lane.at("to_offset").is_null();
  const json report = Kept(Kept(parts.rollout, "evidence"), "report");
  return {{"format", "telltale-repair-draft"},
          {"version", 1},
          {"rollout", parts.rollout.at("id")},
          {"environment", parts.rollout.at("environment")},
          {"release", parts.rollout.at("candidate")},
          {"stable", parts.rollout.at("stable")},
          {"rejected_at", parts.rollout.at("closed_at")},
          {"reason", parts.rollout.at("reason")},
          {"verdict", Kept(report, "verdict")},
          {"made_at", parts.at},
          {"complete", is_complete},
          {"lanes", lanes},
          {"tables", TablesOf(parts.lake)}};
}

}  // namespace telltale::control
