// Requests on their way: filed, waiting, voted on, run.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "vault/access/describe.h"
#include "vault/access/door.h"

namespace telltale::vault {
namespace {

using access::Verb;
using nlohmann::json;

constexpr std::uint64_t kListedMax = 500;

bool IsOpen(RequestState state) {
  return state == RequestState::kWaiting || state == RequestState::kApproved;
}

Error NotOpen(const BookedRequest& booked) {
  return {Code::kRefused,
          fmt::format("request {} is {}{}; ask anew", booked.id.value, StateName(booked.state),
                      booked.result.empty() ? "" : ": " + booked.result)};
}

}  // namespace

// Counted against the day before it is booked; nothing has been judged yet.
Result<BookedRequest> AccessDoor::Enter(const Asker& asker, const json& message) {
  const Result<Request> request = ParseRequest(message);
  if (!request.ok()) return Refuse(asker, "request_incomplete", request.error()).error();
  if (request->kind != RequestKind::kQuery) RETURN_IF_ERROR(parts_.actions.Check(*request));
  // The book keeps no reference of a vehicle that was erased, but for what a hold keeps of it.
  for (const VehicleRef& vehicle : request->query.vehicles) {
    if (request->query.hold || !parts_.desk.IsErased(vehicle)) continue;
    return Refuse(asker, "erased", {Code::kNotFound, "a vehicle of this request was erased"})
        .error();
  }
  const Status charged = book_->Charge(asker.key(), {.requests = 1}, asker.policy->caps);
  if (!charged.ok()) return Refuse(asker, "cap", charged.error()).error();
  return book_->File(*request, asker.key());
}

Status AccessDoor::Query(const Asker& asker, const json& message, const Send& send) {
  parts_.counters.Get("queries").Add();
  if (message.contains("kind") && message["kind"] != KindName(RequestKind::kQuery)) {
    return Error{Code::kInvalid, "op query is for kind query; use op request for the others"};
  }
  ASSIGN_OR_RETURN(const BookedRequest booked, Enter(asker, message));
  return RunQuery(asker, booked, true, send);
}

Status AccessDoor::FileRequest(const Asker& asker, const json& message, const Send& send) {
  ASSIGN_OR_RETURN(const BookedRequest booked, Enter(asker, message));
  MutexLock deciding(deciding_);
  RETURN_IF_ERROR(CheckUnchanged(asker));
  const Result<Permit> permit = Judge(asker, booked);
  if (!permit.ok()) {
    if (permit.error().code == Code::kRefused) {
      (void)book_->SetState(booked.id, RequestState::kRefused, "policy");
    }
    return permit.error();
  }
  const bool is_ready = permit->approvals_wanted == 0;
  if (is_ready && booked.request.kind != RequestKind::kQuery) {
    return RunAction(asker, booked, *permit, send);
  }
  return Park(asker, booked, *permit, send);
}

// Recorded as asked; a query that needs nobody is `approved` from the start.
Status AccessDoor::Park(const Asker& asker, const BookedRequest& booked, const Permit& permit,
                        const Send& send) {
  AuditFields fields = Who(asker);
  AddRequest(booked, fields);
  fields.emplace_back("role", AuditText(permit.role));
  const auto recorded = parts_.audit.Append("request", fields);
  if (!recorded.ok()) {
    (void)book_->SetState(booked.id, RequestState::kRefused, "not_recorded");
    return Annotate(recorded.error(), "no request without a record of it");
  }
  const bool is_ready = permit.approvals >= permit.approvals_wanted;
  if (is_ready) RETURN_IF_ERROR(book_->SetState(booked.id, RequestState::kApproved, ""));
  return TellParked(booked, permit, send);
}

Status AccessDoor::TellParked(const BookedRequest& booked, const Permit& permit, const Send& send) {
  const bool is_ready = permit.approvals >= permit.approvals_wanted;
  json end = Described(booked);
  end["kind"] = "end";
  end["state"] = StateName(is_ready ? RequestState::kApproved : RequestState::kWaiting);
  end["approvals_wanted"] = permit.approvals_wanted;
  end["approve_roles"] = permit.approval.roles;
  return send(Dump(end));
}

Result<BookedRequest> AccessDoor::Wanted(const Asker& asker, const json& message) {
  ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(message, "request"));
  auto booked = book_->Find(RequestId{number});
  if (!booked.ok() && booked.error().code == Code::kCorrupt) {
    return Refuse(asker, "hash", booked.error()).error();
  }
  return booked;
}

Status AccessDoor::RunBooked(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "request"}));
  ASSIGN_OR_RETURN(const BookedRequest booked, Wanted(asker, message));
  if (!access::IsSamePerson(booked.requester, asker.key())) {
    return Refuse(asker, "requester", {Code::kRefused, "only who asked may have the answer"});
  }
  if (!IsOpen(booked.state) || booked.forgotten) return NotOpen(booked);
  if (booked.request.kind == RequestKind::kQuery) {
    parts_.counters.Get("queries").Add();
    return RunQuery(asker, booked, false, send);
  }
  MutexLock deciding(deciding_);
  RETURN_IF_ERROR(CheckUnchanged(asker));
  ASSIGN_OR_RETURN(const Permit permit, Judge(asker, booked));
  if (permit.approvals < permit.approvals_wanted) {
    return Error{Code::kRefused, fmt::format("request {} has {} of {} approvals", booked.id.value,
                                             permit.approvals, permit.approvals_wanted)};
  }
  return RunAction(asker, booked, permit, send);
}

Status AccessDoor::RunAction(const Asker& asker, const BookedRequest& booked, const Permit& permit,
                             const Send& send) {
  RETURN_IF_ERROR(book_->Begin(booked.id));
  const Result<std::uint64_t> intent = Record(asker, booked, permit);
  if (!intent.ok()) {
    (void)book_->SetState(booked.id, booked.state, "");
    return Annotate(intent.error(), "nothing is done without a record of it");
  }
  Status done;
  const auto vehicles = RecordVehicles(booked.request.query.vehicles, *intent);
  if (!vehicles.ok()) done = vehicles.error();
  json answer = json::object();
  if (done.ok()) done = parts_.actions.Run(booked, answer);
  const auto outcome = RecordOutcome(
      asker, {.intent = *intent, .request = booked.id, .rows = 0, .digest = "", .status = done});
  // What failed may be tried again while its approvals last.
  const Status kept = done.ok() ? book_->SetState(booked.id, RequestState::kDone, "complete")
                                : book_->SetState(booked.id, booked.state, "");
  RETURN_IF_ERROR(done);
  if (!outcome.ok()) return Annotate(outcome.error(), "recording the outcome");
  RETURN_IF_ERROR(kept);
  answer["kind"] = "end";
  answer["request"] = booked.id.value;
  answer["state"] = StateName(RequestState::kDone);
  answer["intent"] = *intent;
  return send(Dump(answer));
}

Status AccessDoor::ListRequests(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "all"}));
  // Who neither approves nor audits sees his own.
  const bool sees_all = asker.policy->Has(asker.person, Verb::kApprove) ||
                        asker.policy->Has(asker.person, Verb::kAudit);
  const bool wants_closed = message.value("all", json(false)) == json(true);
  ASSIGN_OR_RETURN(const std::vector<BookedRequest> booked, book_->List(kListedMax));
  json listed = json::array();
  for (const BookedRequest& one : booked) {
    const bool is_own = access::IsSamePerson(one.requester, asker.key());
    if ((!sees_all && !is_own) || (!wants_closed && !IsOpen(one.state))) continue;
    listed.push_back(Described(one));
  }
  ASSIGN_OR_RETURN(const std::vector<Review> open, book_->OpenReviews());
  json reviews = json::array();
  for (const Review& one : open) {
    if (!sees_all && !access::IsSamePerson(one.person, asker.key())) continue;
    reviews.push_back({{"request", one.request.value},
                       {"person", one.person.number},
                       {"opened", FormatUtc(one.opened)}});
  }
  return send(Dump(json{{"kind", "end"}, {"requests", listed}, {"reviews", reviews}}));
}

Status AccessDoor::Approve(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "request", "hash"}));
  RETURN_IF_ERROR(Need(asker, Verb::kApprove));
  MutexLock deciding(deciding_);
  RETURN_IF_ERROR(CheckUnchanged(asker));
  ASSIGN_OR_RETURN(BookedRequest booked, Wanted(asker, message));
  if (!IsOpen(booked.state) || booked.forgotten) return NotOpen(booked);
  if (message.value("hash", json()) != json(booked.hash)) {
    return Refuse(asker, "hash",
                  {Code::kInvalid,
                   "hash must be that of the request you looked at: `telltale "
                   "vault requests` shows it"});
  }
  ASSIGN_OR_RETURN(const bool is_editor, IsEditor(asker.key()));
  if (is_editor || access::IsSamePerson(booked.requester, asker.key())) {
    return Refuse(asker, is_editor ? "policy_editor" : "requester",
                  {Code::kRefused,
                   "who asked, who approves and who activated the policy are three "
                   "people; somebody else has to approve this"});
  }
  // Judged for who asked, not for who votes.
  const access::Person* requester = nullptr;
  for (const access::Person& one : asker.policy->people) {
    if (access::IsSamePerson(access::KeyOf(one), booked.requester)) requester = &one;
  }
  if (requester == nullptr) {
    return Error{Code::kRefused, "who asked is no longer in the policy"};
  }
  const Caller nobody;
  const Asker asked{nobody, asker.policy, *requester};
  ASSIGN_OR_RETURN(Permit permit, Judge(asked, booked));
  if (permit.approvals_wanted > 0 && !asker.policy->MayApprove(asker.person, permit.approval)) {
    return Refuse(asker, "approve_roles",
                  {Code::kRefused, "none of your roles may approve this purpose"});
  }
  AuditFields fields = Who(asker);
  fields.emplace_back("request", std::to_string(booked.id.value));
  fields.emplace_back("hash", AuditText(booked.hash));
  const auto recorded = parts_.audit.Append("approval", fields);
  if (!recorded.ok()) return Annotate(recorded.error(), "no approval without a record of it");
  RETURN_IF_ERROR(book_->Approve(booked.id, asker.key()));
  parts_.counters.Get("approvals").Add();
  ASSIGN_OR_RETURN(booked, book_->Find(booked.id));
  RETURN_IF_ERROR(CountApprovals(*asker.policy, booked, permit));
  if (permit.approvals >= permit.approvals_wanted) {
    if (booked.request.kind != RequestKind::kQuery) return RunAction(asker, booked, permit, send);
    RETURN_IF_ERROR(book_->SetState(booked.id, RequestState::kApproved, ""));
    booked.state = RequestState::kApproved;
  }
  json end = Described(booked);
  end["kind"] = "end";
  end["approvals"] = permit.approvals;
  end["approvals_wanted"] = permit.approvals_wanted;
  return send(Dump(end));
}

Status AccessDoor::RefuseRequest(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "request"}));
  MutexLock deciding(deciding_);
  ASSIGN_OR_RETURN(const BookedRequest booked, Wanted(asker, message));
  const bool is_own = access::IsSamePerson(booked.requester, asker.key());
  if (!is_own) RETURN_IF_ERROR(Need(asker, Verb::kApprove));
  if (!IsOpen(booked.state)) return NotOpen(booked);
  const std::string result = is_own ? "withdrawn" : "refused";
  AuditFields fields = Who(asker);
  fields.emplace_back("request", std::to_string(booked.id.value));
  fields.emplace_back("result", AuditText(result));
  const auto recorded = parts_.audit.Append("request_refused", fields);
  if (!recorded.ok()) return recorded.error();
  RETURN_IF_ERROR(book_->SetState(booked.id, RequestState::kRefused, result));
  return send(Dump(json{{"kind", "end"}, {"request", booked.id.value}, {"state", "refused"}}));
}

Status AccessDoor::CloseReview(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(CheckKeys(message, {"op", "request", "verdict"}));
  RETURN_IF_ERROR(Need(asker, Verb::kApprove));
  ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(message, "request"));
  const json verdict = message.value("verdict", json());
  if (verdict != "justified" && verdict != "not_justified") {
    return Error{Code::kInvalid, "verdict must be justified or not_justified"};
  }
  MutexLock deciding(deciding_);
  ASSIGN_OR_RETURN(const std::vector<Review> reviews, book_->OpenReviews());
  for (const Review& review : reviews) {
    if (review.request.value != number) continue;
    if (access::IsSamePerson(review.person, asker.key())) {
      return Refuse(asker, "requester",
                    {Code::kRefused, "who broke the glass may not close its review"});
    }
    AuditFields fields = Who(asker);
    fields.emplace_back("request", std::to_string(number));
    fields.emplace_back("verdict", AuditText(verdict.get<std::string>()));
    const auto recorded = parts_.audit.Append("review", fields);
    if (!recorded.ok()) return recorded.error();
    RETURN_IF_ERROR(book_->CloseReview(review.request, asker.key()));
    if (verdict != "justified") spdlog::error("vault: break-glass {} was not justified", number);
    return send(Dump(json{{"kind", "end"}, {"request", number}, {"verdict", verdict}}));
  }
  return Error{Code::kNotFound, fmt::format("request {} has no open review", number)};
}

}  // namespace telltale::vault
