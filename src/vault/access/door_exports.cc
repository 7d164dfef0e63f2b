// Kept answers: listed, handed out to who asked for them, removed, expired, forgotten.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "vault/access/answer.h"
#include "vault/access/describe.h"

namespace telltale::vault {
namespace {

using access::Verb;
using nlohmann::json;

constexpr std::string_view kSuffix = ".sealed";

}  // namespace

Status AccessDoor::ListExports(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op"}));
  RETURN_IF_ERROR(RemoveExpiredExports());
  ASSIGN_OR_RETURN(const std::vector<BookedExport> all, book_->Exports());
  const bool sees_all = asker.policy->Has(asker.person, Verb::kAudit);
  json listed = json::array();
  for (const BookedExport& one : all) {
    if (!sees_all && !access::IsSamePerson(one.requester, asker.key())) continue;
    listed.push_back({{"export", one.id},
                      {"request", one.request.value},
                      {"person", one.requester.number},
                      {"purpose", one.purpose},
                      {"created", FormatUtc(one.created)},
                      {"dies_at", FormatUtc(StartOf(Hour{one.dies_at_hour}))},
                      {"rows", one.rows}});
  }
  return send(Dump(json{{"kind", "end"}, {"exports", listed}}));
}

Result<BookedExport> AccessDoor::OwnExport(const Asker& asker, const json& message) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "export"}));
  RETURN_IF_ERROR(RemoveExpiredExports());
  const json id = message.value("export", json());
  if (!id.is_string()) return Error{Code::kInvalid, "export is required: its 32 hex digits"};
  ASSIGN_OR_RETURN(const std::optional<BookedExport> found,
                   book_->FindExport(id.get<std::string>()));
  if (!found || !access::IsSamePerson(found->requester, asker.key())) {
    // The same words for both: whether another's exists is nobody's business.
    return Refuse(asker, "export",
                  {Code::kNotFound,
                   "you have no such export; `telltale vault export list` shows "
                   "yours, and they expire"})
        .error();
  }
  return *found;
}

// The same way as a query: judged, recorded with its vehicles, charged, and its outcome recorded.
Status AccessDoor::GetExport(const Asker& asker, const json& message, const Send& send) {
  parts_.counters.Get("queries").Add();
  ASSIGN_OR_RETURN(const BookedExport kept, OwnExport(asker, message));
  ASSIGN_OR_RETURN(const BookedRequest booked, book_->Find(kept.request));
  Started started;
  {
    MutexLock deciding(deciding_);
    RETURN_IF_ERROR(CheckUnchanged(asker));
    // What was agreed to was the request; its answer may be fetched while the purpose is the
    // asker's, though the approvals have lapsed.
    Permit permit;
    ASSIGN_OR_RETURN(const bool is_editor, IsEditor(asker.key()));
    const auto purpose = asker.policy->purposes.find(booked.request.query.purpose);
    if (purpose != asker.policy->purposes.end()) {
      permit.purpose = &purpose->second;
      permit.role = asker.policy->RoleFor(asker.person, purpose->second);
    }
    if (is_editor || permit.role.empty()) {
      return Refuse(asker, is_editor ? "policy_editor" : "purpose",
                    {Code::kRefused, "the policy in force does not let you have this answer"});
    }
    const Status charged = book_->Charge(asker.key(), {.requests = 1}, asker.policy->caps);
    if (!charged.ok()) return Refuse(asker, "cap", charged.error());
    const auto intent = Record(asker, booked, permit);
    if (!intent.ok()) return Annotate(intent.error(), "no row leaves without a record of it");
    started.intent = *intent;
    const auto vehicles = RecordVehicles(booked.request.query.vehicles, *intent);
    if (!vehicles.ok()) return Annotate(vehicles.error(), "no row leaves without a record of it");
  }
  Answer answer({*book_, asker.key(), asker.policy->caps}, parts_.random, send, nullptr);
  Status streamed = ReadExport(parts_.disk, parts_.export_keys, ExportsFolder(),
                               {kept.id, kept.secret, Hour{kept.dies_at_hour}},
                               [&](std::string_view lines) { return answer.AddLines(lines); });
  if (streamed.ok()) streamed = answer.Flush();
  answer.Settle();
  const std::string digest = answer.Digest();
  parts_.counters.Get("rows_sent").Add(answer.rows());
  const auto outcome = RecordOutcome(asker, {.intent = started.intent,
                                             .request = booked.id,
                                             .rows = answer.rows(),
                                             .digest = digest,
                                             .status = streamed});
  RETURN_IF_ERROR(streamed);
  if (!outcome.ok()) return Annotate(outcome.error(), "recording the outcome");
  return send(Dump(json{{"kind", "end"},
                        {"request", booked.id.value},
                        {"rows", answer.rows()},
                        {"repeats", 0},
                        {"digest", digest},
                        {"salt", answer.salt()},
                        {"intent", started.intent}}));
}

Status AccessDoor::RemoveExportOf(const Asker& asker, const json& message, const Send& send) {
  ASSIGN_OR_RETURN(const BookedExport kept, OwnExport(asker, message));
  AuditFields fields = Who(asker);
  fields.emplace_back("request", std::to_string(kept.request.value));
  const auto recorded = parts_.audit.Append("export_removed", fields);
  if (!recorded.ok()) return recorded.error();
  RETURN_IF_ERROR(book_->RemoveExport(kept.id));
  RETURN_IF_ERROR(RemoveExportFile(kept.id));
  return send(Dump(json{{"kind", "end"}, {"export", kept.id}}));
}

Status AccessDoor::RemoveExportFile(const std::string& id) {
  const Status removed = parts_.disk.Remove(ExportPath(ExportsFolder(), id));
  if (!removed.ok() && removed.error().code != Code::kNotFound) return removed;
  return removed.ok() ? parts_.disk.SyncFolder(ExportsFolder()) : Ok();
}

// Those that died, and files that the book does not know: left by a crash.
std::vector<std::pair<std::string, Hour>> AccessDoor::KeptAnswers() {
  std::vector<std::pair<std::string, Hour>> kept;
  const auto all = book_->Exports();
  if (!all.ok()) return kept;
  for (const BookedExport& one : *all) kept.emplace_back(one.id, Hour{one.dies_at_hour});
  return kept;
}

Status AccessDoor::RemoveExpiredExports() {
  const Hour now = HourOf(parts_.clock.NowUtc());
  ASSIGN_OR_RETURN(const std::vector<BookedExport> all, book_->Exports());
  std::set<std::string> alive;
  for (const BookedExport& one : all) {
    if (one.dies_at_hour > now.value) {
      alive.insert(one.id + std::string(kSuffix));
      continue;
    }
    RETURN_IF_ERROR(book_->RemoveExport(one.id));
  }
  const auto names = parts_.disk.List(ExportsFolder());
  if (!names.ok()) return names.error().code == Code::kNotFound ? Ok() : Status(names.error());
  for (const std::string& name : *names) {
    if (alive.contains(name) || !name.ends_with(kSuffix)) continue;
    // One that is being written has its entry since before the file.
    ASSIGN_OR_RETURN(const auto booked,
                     book_->FindExport(name.substr(0, name.size() - kSuffix.size())));
    if (booked && booked->dies_at_hour > now.value) continue;
    RETURN_IF_ERROR(RemoveExportFile(name.substr(0, name.size() - kSuffix.size())));
    spdlog::info("vault: a kept answer has expired");
  }
  return Ok();
}

Status AccessDoor::ForgetVehicle(const VehicleRef& vehicle) {
  ASSIGN_OR_RETURN(const std::vector<std::string> exports, book_->Forget(vehicle));
  Status first;
  for (const std::string& id : exports) {
    const Status removed = RemoveExportFile(id);
    if (first.ok() && !removed.ok()) first = removed;
  }
  // What a crash left between the book and the files.
  const Status rest = RemoveExpiredExports();
  return first.ok() ? rest : first;
}

}  // namespace telltale::vault
