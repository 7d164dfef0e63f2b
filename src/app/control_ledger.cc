#include "app/control_ledger.h"

#include "base/config.h"
#include "control/json_reader.h"
#include "publish/alert_store.h"

namespace telltale::app {
namespace {

nlohmann::json ToJson(const publish::LedgerRow& row) {
  return {{"partition", row.partition.value},
          {"lot_from", row.lot_from},
          {"lot_to", row.lot_to},
          {"release", row.release},
          {"authority_epoch", row.authority_epoch.value},
          {"from_offset", row.from.value},
          {"to_offset", row.to ? nlohmann::json(row.to->value) : nlohmann::json()},
          {"config_seq", row.config_seq.value},
          {"rollout", row.rollout},
          {"audit_entry", row.audit_entry},
          {"at", control::TimeText(row.at.value)}};
}

}  // namespace

Result<nlohmann::json> LedgerOfEnvironment(const std::string& dir) {
  ASSIGN_OR_RETURN(publish::AlertStore store,
                   publish::AlertStore::OpenReadOnly(Paths(dir).publish() + "/alerts.db"));
  ASSIGN_OR_RETURN(const std::vector<publish::LedgerRow> rows, store.ReadLedger());
  nlohmann::json items = nlohmann::json::array();
  for (const publish::LedgerRow& row : rows) items.push_back(ToJson(row));
  return nlohmann::json{{"items", std::move(items)}};
}

}  // namespace telltale::app
