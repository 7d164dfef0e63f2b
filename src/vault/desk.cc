#include "vault/desk.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr Micros kReviewMax{366ll * 24 * kHourUs};  // a hold is looked at once a year at least

Result<Hold> HoldOf(const Request& request) {
  Hold hold;
  hold.vehicles = request.query.vehicles;
  if (hold.vehicles.empty()) {
    return Error{Code::kInvalid,
                 "a hold names its vehicles: `vehicles`, references of 32 hex digits"};
  }
  ASSIGN_OR_RETURN(hold.basis, WordsOf(request.params, "basis"));
  hold.case_id = request.query.case_id;
  ASSIGN_OR_RETURN(const std::int64_t from, NumberOf(request.params, "from_us"));
  ASSIGN_OR_RETURN(const std::int64_t to, NumberOf(request.params, "to_us"));
  ASSIGN_OR_RETURN(const std::int64_t review, NumberOf(request.params, "review_at_us"));
  hold.from = Micros{from};
  hold.to = Micros{to};
  hold.review_at = Micros{review};
  if (hold.from >= hold.to) return Error{Code::kInvalid, "from_us must be before to_us"};
  return hold;
}

Result<std::uint64_t> HoldNumberOf(const Request& request) {
  ASSIGN_OR_RETURN(const std::int64_t number, NumberOf(request.params, "hold"));
  return static_cast<std::uint64_t>(number);
}

json ToJson(const Hold& hold) {
  return {{"hold", hold.number},
          {"basis", hold.basis},
          {"case", hold.case_id},
          {"request", hold.request},
          {"vehicles", hold.vehicles.size()},
          {"from_us", hold.from.value},
          {"to_us", hold.to.value},
          {"placed_at", FormatUtc(hold.placed_at)},
          {"review_at", FormatUtc(hold.review_at)},
          {"copied", hold.is_copied}};
}

}  // namespace

Status Desk::OnOwner(const std::function<Status()>& task) {
  Status done;
  RETURN_IF_ERROR(tasks_.Run([&] {
    intake_.CommitNow();
    if (folder_.store().uncommitted_bytes() > 0) {
      done = Error{Code::kUnavailable, "the vault cannot write just now; ask again"};
      return;
    }
    done = task();
  }));
  return done;
}

Status Desk::Check(const Request& request) {
  switch (request.kind) {
    case RequestKind::kHold: {
      ASSIGN_OR_RETURN(const Hold hold, HoldOf(request));
      const Micros now = folder_.store().guard().NowForKeys();
      if (hold.review_at > now && hold.review_at - now <= kReviewMax) return Ok();
      return Error{Code::kInvalid, "review_at_us must lie ahead, within 366 days"};
    }
    case RequestKind::kHoldLift:
      RETURN_IF_ERROR(HoldNumberOf(request));
      return Ok();
    case RequestKind::kClockConfirm:
    case RequestKind::kQuery:
      return Ok();
  }
  return Ok();
}

Status Desk::Run(const BookedRequest& request, json& answer) {
  switch (request.request.kind) {
    case RequestKind::kHold:
      return PlaceHold(request, answer);
    case RequestKind::kHoldLift:
      return LiftHold(request, answer);
    case RequestKind::kClockConfirm:
      return ConfirmClock(answer);
    case RequestKind::kQuery:
      break;
  }
  return Error{Code::kInvalid, "a query is no action"};
}

Status Desk::PlaceHold(const BookedRequest& request, json& answer) {
  ASSIGN_OR_RETURN(Hold hold, HoldOf(request.request));
  hold.request = std::to_string(request.id.value);
  return OnOwner([&]() -> Status {
    ASSIGN_OR_RETURN(const std::uint64_t number, folder_.store().PlaceHold(hold));
    answer["hold"] = number;
    return Ok();
  });
}

Status Desk::LiftHold(const BookedRequest& request, json& answer) {
  ASSIGN_OR_RETURN(const std::uint64_t number, HoldNumberOf(request.request));
  answer["hold"] = number;
  return OnOwner([&] { return folder_.store().LiftHold(number); });
}

Status Desk::ConfirmClock(json& answer) {
  return OnOwner([&]() -> Status {
    ClockGuard& guard = folder_.store().guard();
    answer["was_trusted"] = guard.is_trusted();
    RETURN_IF_ERROR(folder_.store().ConfirmClock());
    answer["now"] = FormatUtc(guard.NowForKeys());
    return Ok();
  });
}

Status Desk::Erase(const VehicleRef& vehicle, const std::string& job, json& answer) {
  return OnOwner([&]() -> Status {
    ASSIGN_OR_RETURN(const Store::ErasureState state, folder_.store().EraseVehicle(job, vehicle));
    constexpr std::int64_t kFilesDueUs = 24 * kHourUs;
    // Held: the vehicle's own key is destroyed all the same; what the hold keeps has another.
    answer["keys"] = state.is_held ? "held" : state.keys_destroyed ? "destroyed" : "pending";
    answer["files"] = state.files_done ? "done" : "due";
    answer["due_by"] = state.asked_at.value + kFilesDueUs;
    return Ok();
  });
}

Status Desk::ListHolds(json& answer) {
  return OnOwner([&] {
    answer["holds"] = json::array();
    for (const Hold& hold : folder_.store().holds()) answer["holds"].push_back(ToJson(hold));
    return Ok();
  });
}

// Without a coordinate: in which hours the vault has, or had, something of the vehicle.
Status Desk::Presence(const VehicleRef& vehicle, json& answer) {
  return OnOwner([&]() -> Status {
    answer["hours"] = json::array();
    const Result<Ordinal> ordinal = folder_.keys().OrdinalOf(vehicle);
    if (!ordinal.ok())
      return ordinal.error().code == Code::kNotFound ? Ok() : Status(ordinal.error());
    const LedgerView view = folder_.ledger().View();
    for (const HourState& hour : view.hours) {
      ASSIGN_OR_RETURN(const OrdinalSet vehicles, view.vehicles(hour.id));
      if (!vehicles.Contains(*ordinal)) continue;
      const Life& life = hour.lives.back();
      json one{{"class", NameOf(hour.id.retention_class)},
               {"hour", FormatUtc(StartOf(hour.id.hour))},
               {"state", life.dropped ? "dropped" : "live"}};
      if (life.dropped) one["dropped_at"] = FormatUtc(life.dropped_at);
      answer["hours"].push_back(std::move(one));
    }
    return Ok();
  });
}

Status Desk::MakeReport(std::optional<Micros> at, bool list, json& answer) {
  return OnOwner([&]() -> Status {
    ReportContext context;
    context.account = intake_.account();
    ASSIGN_OR_RETURN(context.sealed, facts_.sealed());
    context.sealed_retention = facts_.sealed_retention;
    context.exports = facts_.exports();
    context.transport_keys = facts_.transport_keys();
    ASSIGN_OR_RETURN(const Report report,
                     ReportNow(disk_, folder_, paths_.vault(), std::move(context), at, list));
    answer["report"] = json::parse(report.ToJson(), nullptr, false);
    answer["text"] = report.ToText();
    answer["exit_code"] = ExitCodeOf(report.verdict);
    return Ok();
  });
}

void Desk::Reconcile() {
  intake_.CommitNow();
  if (folder_.store().uncommitted_bytes() > 0) return;
  const Status done = ReconcileNow(disk_, counters_, folder_, paths_.vault());
  if (!done.ok()) spdlog::error("vault: the reconciliation failed: {}", done.error().ToString());
  const Status folded = folder_.ledger().Fold(folder_.store().guard().NowForKeys());
  if (!folded.ok()) spdlog::error("vault: folding the ledger: {}", folded.error().ToString());
}

}  // namespace telltale::vault
