// What is read from folders, outside of the plane's mutex: releases, an environment's own files.
#include <fmt/format.h>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_core.h"
#include "control/release.h"
#include "control/repair_draft.h"
#include "control/rollout_report.h"
#include "control/strata.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::uint64_t kDraftBytesMax = 64u << 20;

json OrNull(Result<json> found) { return found.ok() ? std::move(found).value() : json(); }

Result<Cohort> OrderOf(const json& cohort, const std::string& salt) {
  Cohort order;
  order.salt = salt;
  for (const json& hex : cohort.at("always")) {
    ASSIGN_OR_RETURN(order.always.emplace_back(), VehicleRef::FromHex(hex.get<std::string>()));
  }
  for (const json& hex : cohort.at("never")) {
    ASSIGN_OR_RETURN(order.never.emplace_back(), VehicleRef::FromHex(hex.get<std::string>()));
  }
  return order;
}

}  // namespace

Result<std::string> PlaneCore::DirOf(const std::string& environment) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const auto place, state_->PlaceOf(environment));
  return place.dir;
}

Result<json> PlaneCore::AnswerRelease(const Call& call) {
  ReleaseShelf& shelf = *options_.releases;
  if (call.operation == "blob.get") {
    ASSIGN_OR_RETURN(const std::string bytes, shelf.GetBlob(call.key));
    return json::binary({bytes.begin(), bytes.end()});
  }
  if (call.operation == "blob.put") {
    if (!call.body.is_binary()) return Error{Code::kInvalid, "a blob is bytes"};
    const auto& bytes = call.body.get_binary();
    RETURN_IF_ERROR(shelf.PutBlob(call.key, std::string(bytes.begin(), bytes.end())));
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(state_->NoteChange(call));
    return json{{"sha256", call.key}, {"bytes", bytes.size()}};
  }
  if (call.operation == "release.diff") {
    JsonReader read(call.arguments, "diff");
    const std::string other = read.Text("other");
    RETURN_IF_ERROR(read.Done());
    return shelf.Diff(call.key, other);
  }
  if (call.operation == "release.list") {
    ASSIGN_OR_RETURN(const json releases, shelf.List());
    json items = json::array();
    MutexLock lock(mutex_);
    for (const json& one : releases) {
      ASSIGN_OR_RETURN(json item, state_->WithState(one));
      items.push_back(std::move(item));
    }
    return json{{"items", std::move(items)}};
  }
  const bool is_put = call.operation == "release.put";
  ASSIGN_OR_RETURN(json release, is_put ? shelf.Put(call.key, call.body) : shelf.Get(call.key));
  MutexLock lock(mutex_);
  if (is_put) RETURN_IF_ERROR(state_->NoteChange(call));
  return state_->WithState(std::move(release));
}

Result<json> PlaneCore::AnswerFolder(const Call& call) {
  const FolderReader& read = call.operation == "ledger" ? options_.ledger : options_.live;
  ASSIGN_OR_RETURN(const std::string dir, DirOf(call.key));
  if (!read) return Error{Code::kUnsupported, call.operation + " is not read by this program"};
  return read(dir);
}

Result<json> PlaneCore::Preview(const Call& call) {
  JsonReader read(call.arguments, "preview");
  const std::string environment = read.Key("environment");
  const std::int64_t share = read.Whole("per_10000", std::nullopt, 0, 10'000);
  std::string salt = read.Text("salt", "", 128);
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(const std::string dir, DirOf(environment));
  json cohort;
  {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(cohort, state_->GetObject(kCohorts, call.key));
  }
  if (salt.empty()) salt = cohort.at("salt");
  if (!options_.vehicles) {
    return Error{Code::kUnsupported, "the registry is not read by this program"};
  }
  ASSIGN_OR_RETURN(const json vehicles, options_.vehicles(dir));
  ASSIGN_OR_RETURN(Cohort order, OrderOf(cohort, salt));
  order.per_10000 = static_cast<std::uint32_t>(share);
  ASSIGN_OR_RETURN(json answer, StrataOf(vehicles, order));
  answer["cohort"] = call.key;
  answer["environment"] = environment;
  answer["per_10000"] = share;
  answer["salt"] = salt;
  return answer;
}

// With what the lake found, which the list of all goes without.
Result<json> PlaneCore::Rollout(const Call& call) {
  json rollout;
  {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(rollout, state_->GetRollout(call.key));
  }
  rollout["lake"] = nullptr;
  const auto dir = DirOf(rollout.at("environment"));
  if (options_.lake && dir.ok()) {
    rollout["lake"] = options_.lake(*dir, rollout.at("candidate"), rollout.at("cohort").at("salt"));
  }
  return rollout;
}

Result<json> PlaneCore::Report(const Call& call) {
  ReportParts parts;
  ASSIGN_OR_RETURN(parts.rollout, Rollout(call));
  const std::string candidate = parts.rollout.at("candidate");
  parts.candidate = OrNull(options_.releases->Get(candidate));
  parts.diff = OrNull(options_.releases->Diff(parts.rollout.at("stable"), candidate));
  const auto dir = DirOf(parts.rollout.at("environment"));
  if (options_.ledger && dir.ok()) parts.ledger = OrNull(options_.ledger(*dir));
  return json{{"markdown", RolloutReport(parts)}};
}

// Vehicles are not kept with a rollout that is over: they are in the observer's file, which whoever
// was erased leaves.
Result<json> PlaneCore::GateOf(const Call& call) {
  json answer;
  {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(answer, state_->GateAnswer(call.key));
  }
  json& report = answer["report"];
  if (!report.is_object() || report.contains("examples")) return answer;
  report["vehicles"] = json::array();
  report["examples"] = json::array();
  const auto dir = DirOf(answer.at("environment"));
  if (!dir.ok()) return answer;
  auto installation = options_.open_installation(*dir);
  const auto text = installation.ok() ? (*installation)->GateEvidence(call.key)
                                      : Result<std::string>(installation.error());
  if (text.ok()) AddVehicles(*text, report);
  return answer;
}

Result<json> PlaneCore::DraftRepair(const std::string& rollout) {
  RepairParts parts{
      .rollout = {}, .ledger = {}, .lake = {}, .at = FormatUtc(options_.clock->NowUtc())};
  ASSIGN_OR_RETURN(parts.rollout, Rollout({.key = rollout}));
  if (parts.rollout.at("phase") != json(PhaseName(Phase::kRejected))) {
    return Error{Code::kNotFound, "rollout " + rollout + " was not rejected: nothing to repair"};
  }
  const std::string folder = Paths(options_.dir).data() + "/control/repair-drafts";
  const std::string path = folder + "/" + rollout + ".json";
  const auto kept = ReadWholeFile(*options_.disk, path, kDraftBytesMax);
  if (kept.ok()) {
    json draft = json::parse(*kept, nullptr, /*allow_exceptions=*/false);
    const bool is_whole = draft.is_object() && draft.value("complete", false);
    if (is_whole) return draft;
  }
  parts.lake = parts.rollout.at("lake");
  const auto dir = DirOf(parts.rollout.at("environment"));
  if (options_.ledger && dir.ok()) parts.ledger = OrNull(options_.ledger(*dir));
  json draft = RepairDraft(parts);
  RETURN_IF_ERROR(options_.disk->MakeFolders(folder, 0755));
  RETURN_IF_ERROR(WriteFileDurably(*options_.disk, path, draft.dump(1) + "\n", 0640));
  return draft;
}

Result<json> PlaneCore::Promote(const Call& call) {
  ASSIGN_OR_RETURN(const std::string dir, DirOf(call.key));
  const std::string release = call.body.is_object() ? call.body.value("release", "") : "";
  const bool is_known =
      IsSha256Hex(release) &&
      (options_.releases->Get(release).ok() ||
       options_.disk->Exists(Paths(dir).releases() + "/" + release + "/manifest.json"));
  MutexLock lock(mutex_);
  return state_->Promote(call, is_known);
}

}  // namespace telltale::control
