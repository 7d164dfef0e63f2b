#include "vault/access/door.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "vault/access/checkpoint.h"
#include "vault/access/describe.h"

namespace telltale::vault {
namespace {

using access::Verb;
using nlohmann::json;

constexpr Micros kRefusalWindow = Micros::Seconds(10);
constexpr std::uint64_t kRefusalsRecorded = 20;  // of one caller in that time
constexpr std::size_t kRefusersMax = 4096;       // remembered; more and all are forgotten
constexpr std::size_t kEntriesPerMessage = 500;
constexpr std::uint64_t kEntriesMax = 100'000;

std::string NameOf(const access::Caller& caller) {
  return caller.uid ? fmt::format("uid {}", *caller.uid) : "certificate " + caller.fingerprint;
}

void AddIdentity(const access::Caller& caller, AuditFields& fields) {
  if (caller.uid) {
    fields.emplace_back("uid", std::to_string(*caller.uid));
  } else if (!caller.fingerprint.empty()) {
    fields.emplace_back("certificate", AuditText(caller.fingerprint));
  }
}

std::uint64_t NumberOr(const json& message, const char* key, std::uint64_t otherwise) {
  const auto found = message.find(key);
  return found != message.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                               : otherwise;
}

}  // namespace

std::string ErrorMessage(const Error& error) {
  return Dump(json{{"kind", "error"}, {"code", CodeName(error.code)}, {"message", error.message}});
}

bool AppendNdjson(std::string_view message, std::string& out) {
  const json parsed = json::parse(message, nullptr, false);
  if (!parsed.is_object() || parsed.value("kind", "") != "rows") return false;
  for (const json& row : parsed["rows"]) out += Dump(row) + '\n';
  return true;
}

Result<std::unique_ptr<AccessDoor>> AccessDoor::Open(const AccessParts& parts,
                                                     AccessOptions options) {
  std::unique_ptr<AccessDoor> door(new AccessDoor(parts, std::move(options)));
  RETURN_IF_ERROR(door->Start());
  return door;
}

Status AccessDoor::Start() {
  RETURN_IF_ERROR(parts_.disk.MakeFolders(options_.folder, 0700));
  ASSIGN_OR_RETURN(book_, Book::Open(options_.folder + "/access.db", options_.vfs, parts_.clock));
  // Counts that are zero are shown as such.
  for (const char* name : {"queries", "refusals", "rows_sent", "break_glass", "approvals"}) {
    parts_.counters.Get(name);
  }
  ASSIGN_OR_RETURN(const std::vector<RequestId> interrupted, book_->EndInterrupted());
  for (const RequestId id : interrupted) {
    const auto written = parts_.audit.Append(
        "outcome", {{"request", std::to_string(id.value)}, {"result", AuditText("interrupted")}});
    if (!written.ok()) spdlog::error("vault: {}", written.error().ToString());
  }
  {
    MutexLock deciding(deciding_);
    if (const Status policy = StartPolicy(); !policy.ok()) Close(policy.error());
  }
  return RemoveExpiredExports();
}

std::shared_ptr<const access::Policy> AccessDoor::CurrentPolicy() const {
  MutexLock lock(mutex_);
  return policy_;
}

std::string AccessDoor::policy_digest() const { return CurrentPolicy()->digest; }

Result<AccessDoor::Asker> AccessDoor::AskerOf(const Caller& caller) {
  TryToReopen();
  std::shared_ptr<const Policy> policy = CurrentPolicy();
  const access::Person* person = policy->PersonOf(caller);
  if (person != nullptr) return Asker{caller, policy, *person};
  RecordRefusal(caller, nullptr, "nobody");
  MutexLock lock(mutex_);
  if (!closed_.empty()) {
    return Error{Code::kUnavailable,
                 "the vault has no policy that holds, so nobody may ask: " + closed_};
  }
  return Error{Code::kRefused,
               "you may not ask the vault: no person of its policy is your user or certificate "
               "(`people` in vault-policy.yaml). The attempt is recorded."};
}

bool AccessDoor::IsPlatform(const Caller& caller) const {
  return caller.uid && options_.platform_uid && *caller.uid == *options_.platform_uid;
}

Status AccessDoor::Admit(const Caller& caller) {
  if (IsPlatform(caller)) return Ok();
  const auto asker = AskerOf(caller);
  return asker.ok() ? Ok() : Status(asker.error());
}

const std::map<std::string, AccessDoor::Operation, std::less<>>& AccessDoor::Operations() {
  static const std::map<std::string, Operation, std::less<>> operations = {
      {"query", &AccessDoor::Query},
      {"request", &AccessDoor::FileRequest},
      {"run", &AccessDoor::RunBooked},
      {"requests", &AccessDoor::ListRequests},
      {"approve", &AccessDoor::Approve},
      {"refuse", &AccessDoor::RefuseRequest},
      {"review", &AccessDoor::CloseReview},
      {"export_list", &AccessDoor::ListExports},
      {"export_get", &AccessDoor::GetExport},
      {"export_remove", &AccessDoor::RemoveExportOf},
      {"policy_show", &AccessDoor::ShowPolicy},
      {"policy_activate", &AccessDoor::ActivatePolicy},
      {"audit", &AccessDoor::ListAudit},
      {"subject", &AccessDoor::ExportSubject},
      {"erase", &AccessDoor::EraseVehicle},
      {"holds", &AccessDoor::ListHolds},
      {"presence", &AccessDoor::ShowPresence},
      {"report", &AccessDoor::MakeReport},
      {"checkpoint", &AccessDoor::GiveCheckpoint},
      {"status", &AccessDoor::ShowStatus},
  };
  return operations;
}

Status AccessDoor::Handle(const Caller& caller, const json& message, const Send& send) {
  // The platform's own process, which is nobody in the policy, carries out an erasure.
  if (IsPlatform(caller) && message.is_object() && message.value("op", json()) == "erase") {
    return EraseFor(caller, message, send);
  }
  ASSIGN_OR_RETURN(const Asker asker, AskerOf(caller));
  if (!message.is_object()) return Error{Code::kInvalid, "a request is a JSON object"};
  const auto op = message.find("op");
  const auto found = op != message.end() && op->is_string()
                         ? Operations().find(op->get<std::string>())
                         : Operations().end();
  if (found == Operations().end()) {
    std::string names;
    for (const auto& [name, operation] : Operations()) names += (names.empty() ? "" : ", ") + name;
    return Error{Code::kInvalid, "op must be one of " + names};
  }
  return (this->*found->second)(asker, message, send);
}

AuditFields AccessDoor::Who(const Asker& asker) const {
  AuditFields fields{{"person", std::to_string(asker.person.number)}};
  AddIdentity(asker.caller, fields);
  return fields;
}

// Each is recorded, but of one caller at most so many in a time, so that asking cannot fill the
// disk; the next entry says how many were left out.
void AccessDoor::RecordRefusal(const Caller& caller, const access::Person* person,
                               const std::string& reason) {
  parts_.counters.Get("refusals").Add();
  AuditFields fields{{"reason", AuditText(reason)}};
  AddIdentity(caller, fields);
  if (person != nullptr) fields.emplace_back("person", std::to_string(person->number));
  {
    MutexLock lock(mutex_);
    if (refusals_.size() > kRefusersMax) refusals_.clear();
    Refusals& refusals = refusals_[NameOf(caller)];
    const Micros now = parts_.clock.NowMonotonic();
    if (refusals.recorded == 0 || now - refusals.since >= kRefusalWindow) {
      if (refusals.left_out > 0) {
        fields.emplace_back("repeated", std::to_string(refusals.left_out));
      }
      refusals = {now, 0, 0};
    }
    if (refusals.recorded >= kRefusalsRecorded) {
      ++refusals.left_out;
      return;
    }
    ++refusals.recorded;
  }
  const auto written = parts_.audit.Append("refusal", fields);
  if (!written.ok()) spdlog::error("vault: {}", written.error().ToString());
}

Status AccessDoor::Refuse(const Asker& asker, const std::string& reason, Error error) {
  RecordRefusal(asker.caller, &asker.person, reason);
  return error;
}

Status AccessDoor::Need(const Asker& asker, Verb verb) {
  if (asker.policy->Has(asker.person, verb)) return Ok();
  return Refuse(asker, "role",
                {Code::kRefused, fmt::format("none of your roles has the verb {}; ask somebody "
                                             "whose role has it",
                                             access::VerbName(verb))});
}

// Between being let in and the decision the policy may have become another.
Status AccessDoor::CheckUnchanged(const Asker& asker) const {
  if (CurrentPolicy() == asker.policy) return Ok();
  return Error{Code::kUnavailable, "the vault's policy was changed meanwhile; ask again"};
}

Status AccessDoor::ShowStatus(const Asker& asker, const json& /*message*/, const Send& send) {
  ASSIGN_OR_RETURN(const std::vector<Review> reviews, book_->OpenReviews());
  ASSIGN_OR_RETURN(const Usage used, book_->UsageOf(asker.key()));
  json status{{"kind", "end"},
              {"policy", asker.policy->digest},
              {"person", asker.person.number},
              {"roles", asker.person.roles},
              {"used_today",
               {{"requests", used.requests}, {"vehicles", used.vehicles}, {"rows", used.rows}}},
              {"open_reviews", reviews.size()}};
  status["counters"] = json::parse(parts_.counters.ToJson(), nullptr, false);
  status["audit_problem"] = parts_.audit.problem();
  return send(Dump(status));
}

Status AccessDoor::ListAudit(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kAudit));
  const std::uint64_t from = NumberOr(message, "from", 1);
  const std::uint64_t limit = std::min(NumberOr(message, "limit", kEntriesMax), kEntriesMax);
  json entries = json::array();
  std::uint64_t count = 0;
  Status sent;
  const auto flush = [&] {
    if (entries.empty() || !sent.ok()) return;
    sent = send(Dump(json{{"kind", "entries"}, {"entries", entries}}));
    entries = json::array();
  };
  const auto check = parts_.audit.List(from, limit, [&](std::string_view line) {
    entries.push_back(std::string(line));
    ++count;
    if (entries.size() >= kEntriesPerMessage) flush();
  });
  if (!check.ok()) return check.error();
  flush();
  RETURN_IF_ERROR(sent);
  return send(Dump(json{{"kind", "end"},
                        {"count", count},
                        {"entries_total", check->head.entries},
                        {"hash", check->head.hash},
                        {"verified", check->problem.empty()},
                        {"problem", check->problem}}));
}

Status AccessDoor::GiveCheckpoint(const Asker& asker, const json& /*message*/, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kAudit));
  if (const std::string problem = parts_.audit.problem(); !problem.empty()) {
    return Error{Code::kCorrupt, "the audit log fails its check: " + problem};
  }
  ASSIGN_OR_RETURN(const std::string key,
                   AuditKey(parts_.disk, options_.folder + "/keys/audit.key"));
  ASSIGN_OR_RETURN(json checkpoint,
                   SignCheckpoint(parts_.audit.head(), parts_.clock.NowUtc(), key));
  return send(Dump(json{{"kind", "end"}, {"checkpoint", checkpoint}}));
}

}  // namespace telltale::vault
