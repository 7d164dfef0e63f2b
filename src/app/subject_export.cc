#include "app/subject_export.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/subject_receipt.h"
#include "base/erasure_list.h"
#include "base/vehicle_class.h"
#include "publish/alert_store.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::uint32_t kFileMode = 0600;
constexpr std::uint32_t kFolderMode = 0700;
constexpr std::uint32_t kHoursPerDay = 24;

constexpr const char* kReadme = R"(# What is held about this vehicle

Made {made} by {who}, for the vehicle with the reference `{ref}`.

| File | What it is |
| --- | --- |
| `vehicle.json` | the row of the register: VIN, model, class, fuel, ownership epoch, reference |
| `alerts.ndjson` | safety alerts, the newest version of each, a line each (docs/formats/feed.md) |
| `lake/*.json` | rows of the analytical tables: telemetry, arrivals, results of features |
| `vault.json` | what the vault counts of this vehicle, without the records |
| `looked_at.json` | when and why exact positions were looked at, without names of staff |
| `processing.json` | purposes, periods, recipients |

Exact positions and odometer values as sent are in the vault alone. They leave it by its query,
with a purpose and a record: ask for them apart if they are wanted.
Rows may still be on their way to the tables: `lake` is as of the last commit.
A file that says "supported": false is of a part that this installation does not have.
)";

class Copy {
 public:
  Copy(Subject& subject, const VehicleRef& vehicle, std::string folder, std::string case_id)
      : parts_(subject.parts()),
        subject_(subject),
        vehicle_(vehicle),
        folder_(std::move(folder)),
        case_id_(std::move(case_id)) {}

  Status Make();

 private:
  Status Record();
  Status Put(const std::string& name, const std::string& content) {
    return WriteFileDurably(parts_.disk, folder_ + "/" + name, content, kFileMode);
  }
  Status PutJson(const std::string& name, const json& content) {
    return Put(name, content.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  }
  Status PutVehicle();
  Status PutAlerts();
  Status PutLake();
  Status PutFromVault(const std::string& name, const json& request);
  Status PutProcessing();

  SubjectParts& parts_;
  Subject& subject_;
  const VehicleRef vehicle_;
  const std::string folder_;
  const std::string case_id_;
};

Status Copy::Record() {
  const std::string path = parts_.paths.erased() + "/exports";
  const json entry{{"at_us", parts_.clock.NowUtc().value},
                   {"case", case_id_},
                   {"tag", HexEncode(ErasureTagOf(vehicle_))},
                   {"by", Subject::AskedBy()}};
  ASSIGN_OR_RETURN(const auto file, parts_.disk.Open(path, OpenMode::kCreateOrOpen, 0640));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  RETURN_IF_ERROR(file->WriteAt(size, AsBytes(entry.dump(-1, ' ', true) + "\n")));
  RETURN_IF_ERROR(file->Sync());
  return parts_.disk.SyncFolder(parts_.paths.erased());
}

Status Copy::PutVehicle() {
  ASSIGN_OR_RETURN(const auto row, subject_.RowOf(vehicle_));
  json out{{"vehicle_ref", vehicle_.ToHex()}, {"registered", row.has_value()}};
  if (row) {
    out["vin"] = row->entry.vin;
    out["model"] = row->entry.model;
    out["vehicle_class"] = VehicleClassName(row->entry.vehicle_class);
    out["fuel"] = row->entry.fuel;
    out["ownership_epoch"] = row->entry.ownership_epoch;
  }
  return PutJson("vehicle.json", out);
}

Status Copy::PutAlerts() {
  const std::string path = parts_.paths.publish() + "/alerts.db";
  std::string lines;
  if (parts_.disk.Exists(path)) {
    ASSIGN_OR_RETURN(publish::AlertStore store,
                     publish::AlertStore::OpenReadOnly(path, parts_.vfs));
    ASSIGN_OR_RETURN(const auto alerts, store.AlertsOf(vehicle_));
    for (const std::string& alert : alerts) lines += alert + "\n";
  }
  return Put("alerts.ndjson", lines);
}

// Every view of the lake that has a vehicle in it, whatever tables there will be.
Status Copy::PutLake() {
  const auto query = [this](const std::string& sql) {
    return parts_.lake.Run({"query", "--dir", parts_.paths.root, "--format", "json", sql});
  };
  ASSIGN_OR_RETURN(const std::string listed,
                   query("SELECT DISTINCT table_schema || '.' || table_name AS name FROM "
                         "information_schema.columns WHERE column_name = 'vehicle_ref' "
                         "ORDER BY name"));
  const json tables = json::parse(listed, nullptr, false);
  if (!tables.is_array()) {
    return Error{Code::kUnavailable, "the lake's list of tables cannot be read"};
  }
  RETURN_IF_ERROR(parts_.disk.MakeFolders(folder_ + "/lake", kFolderMode));
  for (const json& table : tables) {
    const auto name = table.is_object() ? table.value("name", "") : std::string();
    if (!IsTableName(name)) continue;
    ASSIGN_OR_RETURN(
        const std::string rows,
        query(fmt::format("SELECT * FROM {} WHERE vehicle_ref = '{}'", name, vehicle_.ToHex())));
    RETURN_IF_ERROR(Put("lake/" + name + ".json", rows));
  }
  return Ok();
}

Status Copy::PutFromVault(const std::string& name, const json& request) {
  json messages = json::array();
  const auto end =
      parts_.vault.Ask(request, [&](const json& message) { messages.push_back(message); });
  // A vault that does not know the question says that it is none.
  if (!end.ok() && (end.error().code == Code::kInvalid || end.error().code == Code::kUnsupported)) {
    return PutJson(name, {{"supported", false}});
  }
  if (!end.ok() && end.error().code == Code::kNotFound) {
    return PutJson(name, {{"supported", true}, {"held", false}});
  }
  if (!end.ok()) return end.error();
  json out{{"supported", true}, {"answer", *end}};
  if (!messages.empty()) out["messages"] = messages;
  return PutJson(name, out);
}

Status Copy::PutProcessing() {
  const Config& config = parts_.config;
  return PutJson("processing.json",
                 {{"environment", config.environment_name},
                  {"purposes", {"safety events within seconds", "predictive maintenance"}},
                  {"recipients",
                   {"readers of the alert feed (safety analysts and the systems they connected)",
                    "readers of the lake (maintenance data scientists)",
                    "whoever is in looked_at.json, for the purpose named there"}},
                  {"periods",
                   {{"open_streams_hours", config.log_retention_hours},
                    {"sealed_stream_hours", config.log_sealed_retention_hours},
                    {"vault_days", config.vault_window_days},
                    {"vault_hours", config.vault_window_days * kHoursPerDay},
                    {"alerts", "until erased"},
                    {"lake", "until erased"},
                    {"register", "until erased"}}}});
}

Status Copy::Make() {
  if (parts_.disk.Exists(folder_)) {
    return Error{Code::kExists, folder_ + " is there already; name a new folder"};
  }
  RETURN_IF_ERROR(parts_.disk.MakeFolders(parts_.paths.erased(), 0755));
  RETURN_IF_ERROR(Record());
  RETURN_IF_ERROR(parts_.disk.MakeFolders(folder_, kFolderMode));
  RETURN_IF_ERROR(PutVehicle());
  RETURN_IF_ERROR(PutAlerts());
  RETURN_IF_ERROR(PutProcessing());
  const std::string ref = vehicle_.ToHex();
  RETURN_IF_ERROR(
      PutFromVault("vault.json", {{"op", "presence"}, {"vehicle_ref", ref}, {"case", case_id_}}));
  RETURN_IF_ERROR(
      PutFromVault("looked_at.json", {{"op", "subject"}, {"vehicle", ref}, {"case", case_id_}}));
  RETURN_IF_ERROR(PutLake());
  // Last: a folder without it is not complete.
  return Put("README.md",
             fmt::format(fmt::runtime(kReadme), fmt::arg("made", TimeText(parts_.clock.NowUtc())),
                         fmt::arg("who", Subject::AskedBy()), fmt::arg("ref", vehicle_.ToHex())));
}

}  // namespace

bool IsTableName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

Status ExportSubject(Subject& subject, const VehicleRef& vehicle, const std::string& folder,
                     const std::string& case_id) {
  if (case_id.empty() || case_id.size() > kBasisCharactersMax) {
    return Error{Code::kInvalid, "--case takes 1 to 200 characters: what the copy is made for"};
  }
  return Copy(subject, vehicle, folder, case_id).Make();
}

}  // namespace telltale::app
