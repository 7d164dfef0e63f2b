// A query's answer: recorded, then rows, then the outcome.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "vault/access/answer.h"
#include "vault/access/describe.h"
#include "vault/access/shape.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr std::size_t kAnswerSaltBytes = 16;
// An event may be this far ahead of its receipt, from which its expiry counts then.
constexpr Micros kClampedAhead = Micros::Seconds(300);

}  // namespace

Status AccessDoor::RunQuery(const Asker& asker, const BookedRequest& booked, bool is_new,
                            const Send& send) {
  Started started;
  Permit permit;
  {
    MutexLock deciding(deciding_);
    RETURN_IF_ERROR(CheckUnchanged(asker));
    Result<Permit> judged = Judge(asker, booked);
    if (!judged.ok()) {
      // An approved one may fit again tomorrow: a cap, a review.
      const bool is_no = judged.error().code == Code::kRefused;
      if (is_no && booked.state == RequestState::kWaiting) {
        (void)book_->SetState(booked.id, RequestState::kRefused, "policy");
      }
      return judged.error();
    }
    permit = std::move(judged).value();
    if (permit.approvals < permit.approvals_wanted) {
      return is_new ? Park(asker, booked, permit, send) : StillWaits(booked, permit, send);
    }
    ASSIGN_OR_RETURN(started, StartQuery(asker, booked, permit));
  }
  return SendAnswer(asker, booked, permit, started, send);
}

Status AccessDoor::StillWaits(const BookedRequest& booked, const Permit& permit, const Send& send) {
  if (permit.has_lapsed) {
    RETURN_IF_ERROR(book_->SetState(booked.id, RequestState::kLapsed, "approval"));
    return Error{Code::kRefused, fmt::format("an approval of request {} lapsed after {} hours; ask "
                                             "anew",
                                             booked.id.value, access::kApprovalHours)};
  }
  if (booked.state == RequestState::kApproved) {
    return Error{Code::kRefused,
                 fmt::format("request {} has {} of {} approvals that count under the policy in "
                             "force",
                             booked.id.value, permit.approvals, permit.approvals_wanted)};
  }
  return TellParked(booked, permit, send);
}

Result<AccessDoor::Started> AccessDoor::StartQuery(const Asker& asker, const BookedRequest& booked,
                                                   const Permit& permit) {
  RETURN_IF_ERROR(book_->Begin(booked.id));
  Started started;
  const Status recorded = ChargeAndRecord(asker, booked, permit, started);
  if (recorded.ok()) return started;
  // Nothing left: it may be run when what was in the way is gone. Should even this fail it stays
  // `running` and ends as interrupted at the next start.
  (void)book_->SetState(booked.id, booked.state, "");
  return recorded.error();
}

Status AccessDoor::ChargeAndRecord(const Asker& asker, const BookedRequest& booked,
                                   const Permit& permit, Started& started) {
  const Status charged = book_->Charge(
      asker.key(), {.vehicles = booked.request.query.vehicles.size()}, asker.policy->caps);
  if (!charged.ok()) {
    return charged.error().code == Code::kRefused ? Refuse(asker, "cap", charged.error()) : charged;
  }
  if (booked.request.query.break_glass) RETURN_IF_ERROR(Alarm(asker, booked));
  const auto intent = Record(asker, booked, permit);
  if (!intent.ok()) {
    parts_.counters.Get("refusals").Add();
    return Annotate(intent.error(), "no row leaves without a record of it");
  }
  started.intent = *intent;
  auto vehicles = RecordVehicles(booked.request.query.vehicles, *intent);
  if (!vehicles.ok()) {
    (void)RecordOutcome(asker, {.intent = *intent,
                                .request = booked.id,
                                .rows = 0,
                                .digest = "",
                                .status = vehicles.error()});
    return Annotate(vehicles.error(), "no row leaves without a record of it");
  }
  // What a hold keeps outlives the vehicle's key.
  const QueryRequest& query = booked.request.query;
  started.vehicles = query.hold ? query.vehicles : std::move(vehicles).value();
  return Ok();
}

// Seen at once by whoever is on duty, and by somebody else afterwards.
Status AccessDoor::Alarm(const Asker& asker, const BookedRequest& booked) {
  AuditFields fields = Who(asker);
  AddRequest(booked, fields);
  const auto recorded = parts_.audit.Append("break_glass", fields);
  if (!recorded.ok()) return Annotate(recorded.error(), "no break-glass without a record of it");
  const Status opened = book_->OpenReview(booked.id, asker.key());
  // Kept from a try before, which was recorded and let nothing out.
  if (!opened.ok() && opened.error().code != Code::kExists) return opened;
  parts_.counters.Get("break_glass").Add();
  spdlog::error(
      "vault: BREAK-GLASS by person {}, request {}: no second person has agreed; review "
      "it with `telltale vault review {}`",
      asker.person.number, booked.id.value, booked.id.value);
  return Ok();
}

Result<std::uint64_t> AccessDoor::Record(const Asker& asker, const BookedRequest& booked,
                                         const Permit& permit) {
  AuditFields fields = Who(asker);
  AddRequest(booked, fields);
  fields.emplace_back("role", AuditText(permit.role));
  fields.emplace_back("policy", AuditText(asker.policy->digest));
  fields.emplace_back("approvals", std::to_string(permit.approvals));
  if (permit.purpose != nullptr) {
    fields.emplace_back("form", AuditText(access::FormName(permit.purpose->form)));
  }
  return parts_.audit.Append("intent", fields);
}

Result<std::vector<VehicleRef>> AccessDoor::RecordVehicles(const std::vector<VehicleRef>& vehicles,
                                                           std::uint64_t intent) {
  std::vector<VehicleRef> known;
  for (const VehicleRef& vehicle : vehicles) {
    std::array<std::uint8_t, kAnswerSaltBytes> salt{};
    parts_.random.Fill(salt);
    const auto tag = parts_.tags.Tag(vehicle, AsText(salt));
    if (!tag.ok() && tag.error().code != Code::kNotFound) return tag.error();
    const auto recorded =
        parts_.audit.Append("vehicle", {{"intent", std::to_string(intent)},
                                        {"salt", AuditText(HexEncode(salt))},
                                        {"tag", AuditText(tag.ok() ? *tag : "")}});
    if (!recorded.ok()) return recorded.error();
    if (tag.ok()) known.push_back(vehicle);
  }
  return known;
}

Status AccessDoor::StreamVehicles(const BookedRequest& booked, const Permit& permit,
                                  const Started& started, Answer& answer) {
  const QueryRequest& query = booked.request.query;
  const Shape::Emit emit = [&](const json& row) { return answer.AddRow(row); };
  for (const VehicleRef& vehicle : started.vehicles) {
    Shape shape(*permit.purpose, query, {vehicle.ToHex(), booked.id.value});
    RETURN_IF_ERROR(parts_.rows.Rows({vehicle, query.from, query.to, query.frame_class, query.hold},
                                     answer.stats,
                                     [&](json row) { return shape.Add(std::move(row), emit); }));
    RETURN_IF_ERROR(shape.End(emit));
    answer.without_place += shape.without_place();
  }
  return answer.Flush();
}

// The book first: what has no entry there is removed at the next look, and the file cannot be
// opened without it.
Status AccessDoor::KeepAnswer(const BookedRequest& booked, const Permit& permit, BookedExport& kept,
                              std::unique_ptr<ExportWriter>& writer) {
  std::array<std::uint8_t, kExportIdBytes> id{};
  parts_.random.Fill(id);
  kept.secret.resize(kExportSecretBytes);
  parts_.random.Fill({reinterpret_cast<std::uint8_t*>(kept.secret.data()), kept.secret.size()});
  kept.id = HexEncode(id);
  kept.request = booked.id;
  kept.requester = booked.requester;
  kept.purpose = permit.purpose->name;
  kept.created = parts_.clock.NowUtc();
  const Hour by_policy{HourOf(kept.created).value + permit.purpose->export_hours};
  const Hour by_rows = HourOf(booked.request.query.from + options_.window - kClampedAhead);
  if (by_rows <= HourOf(kept.created)) {
    return Error{Code::kInvalid,
                 "positions of the beginning of the interval are about to expire, "
                 "and no answer outlives what it holds: begin later, or take the "
                 "answer at once"};
  }
  kept.dies_at_hour = std::min(by_policy, by_rows).value;
  RETURN_IF_ERROR(book_->PutExport(kept));
  ASSIGN_OR_RETURN(writer, ExportWriter::Start(parts_.disk, parts_.export_keys, ExportsFolder(),
                                               {kept.id, kept.secret, Hour{kept.dies_at_hour}}));
  return Ok();
}

Status AccessDoor::SendAnswer(const Asker& asker, const BookedRequest& booked, const Permit& permit,
                              const Started& started, const Send& send) {
  BookedExport kept;
  std::unique_ptr<ExportWriter> writer;
  Status streamed;
  if (booked.request.query.keep) streamed = KeepAnswer(booked, permit, kept, writer);
  Answer answer({*book_, asker.key(), asker.policy->caps}, parts_.random, send, writer.get());
  if (streamed.ok()) streamed = StreamVehicles(booked, permit, started, answer);
  if (streamed.ok() && writer != nullptr) {
    kept.rows = answer.rows();
    streamed = writer->Finish();
    if (streamed.ok()) streamed = book_->PutExport(kept);
  }
  if (!streamed.ok() && !kept.id.empty()) {
    (void)RemoveExportFile(kept.id);
    (void)book_->RemoveExport(kept.id);
  }
  answer.Settle();
  const std::string digest = answer.Digest();
  parts_.counters.Get("rows_sent").Add(answer.rows());
  const auto outcome = RecordOutcome(asker, {.intent = started.intent,
                                             .request = booked.id,
                                             .rows = answer.rows(),
                                             .digest = digest,
                                             .status = streamed});
  const Status closed =
      book_->SetState(booked.id, RequestState::kDone,
                      std::string(streamed.ok() ? "complete" : CodeName(streamed.error().code)));
  RETURN_IF_ERROR(streamed);
  if (!outcome.ok()) return Annotate(outcome.error(), "recording the outcome");
  if (!closed.ok()) spdlog::warn("vault: {}", closed.error().ToString());
  json end{{"kind", "end"},
           {"state", StateName(RequestState::kDone)},
           {"request", booked.id.value},
           {"rows", answer.rows()},
           {"repeats", answer.stats.repeats},
           {"damaged", answer.stats.damaged},
           {"without_place", answer.without_place},
           {"form", access::FormName(permit.purpose->form)},
           {"digest", digest},
           {"salt", answer.salt()},
           {"intent", started.intent}};
  if (writer != nullptr) {
    end["export"] = kept.id;
    end["dies_at"] = FormatUtc(StartOf(Hour{kept.dies_at_hour}));
  }
  return send(Dump(end));
}

Result<std::uint64_t> AccessDoor::RecordOutcome(const Asker& asker, const Ended& ended) {
  AuditFields fields = Who(asker);
  fields.emplace_back("intent", std::to_string(ended.intent));
  fields.emplace_back("request", std::to_string(ended.request.value));
  fields.emplace_back("rows", std::to_string(ended.rows));
  if (!ended.digest.empty()) fields.emplace_back("digest", AuditText(ended.digest));
  fields.emplace_back(
      "result", AuditText(ended.status.ok() ? "complete" : CodeName(ended.status.error().code)));
  return parts_.audit.Append("outcome", fields);
}

}  // namespace telltale::vault
