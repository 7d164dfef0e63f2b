// Whether a request may run now, by the policy in force now: a vote given under another policy, by
// somebody who may no longer give it, does not count.
#include <fmt/format.h>

#include <algorithm>

#include "vault/access/door.h"

namespace telltale::vault {
namespace {

using access::Verb;

constexpr Micros kApprovalLife = Micros::Seconds(access::kApprovalHours * 3600);
constexpr Micros kReviewLife = Micros::Seconds(access::kReviewHoursMax * 3600);
constexpr std::int64_t kHourMicros = 3600 * 1'000'000ll;

// Started hours count whole.
std::uint64_t HoursOf(const QueryRequest& query) {
  const auto span =
      static_cast<std::uint64_t>(query.to.value) - static_cast<std::uint64_t>(query.from.value);
  return span / kHourMicros + (span % kHourMicros == 0 ? 0 : 1);
}

std::size_t ApproversWanted(const access::Purpose& purpose, const QueryRequest& query) {
  using When = access::SecondPerson::When;
  const access::SecondPerson& second = purpose.second_person;
  if (query.break_glass || second.when == When::kNever) return 0;
  const bool is_over =
      query.vehicles.size() > second.over_vehicles || HoursOf(query) > second.over_hours;
  return second.when == When::kAlways || is_over ? purpose.approval.approvers : 0;
}

}  // namespace

Result<AccessDoor::Permit> AccessDoor::Judge(const Asker& asker, const BookedRequest& booked) {
  Permit permit;
  ASSIGN_OR_RETURN(const bool is_editor, IsEditor(asker.key()));
  if (is_editor) {
    return Refuse(asker, "policy_editor",
                  {Code::kRefused,
                   "you activated the policy in force, so you may neither ask nor approve under "
                   "it; somebody else has to"})
        .error();
  }
  if (booked.request.kind == RequestKind::kQuery) {
    RETURN_IF_ERROR(JudgeQuery(asker, booked.request.query, permit));
  } else {
    RETURN_IF_ERROR(JudgeAction(asker, booked.request.kind, permit));
  }
  RETURN_IF_ERROR(CountApprovals(*asker.policy, booked, permit));
  return permit;
}

Status AccessDoor::JudgeQuery(const Asker& asker, const QueryRequest& query, Permit& permit) {
  const auto found = asker.policy->purposes.find(query.purpose);
  if (found == asker.policy->purposes.end()) {
    std::string names;
    for (const auto& [name, purpose] : asker.policy->purposes) {
      if (asker.policy->RoleFor(asker.person, purpose).empty()) continue;
      names += (names.empty() ? "" : ", ") + name;
    }
    return Refuse(asker, "purpose",
                  {Code::kRefused, fmt::format("the policy has no such purpose; yours are: {}",
                                               names.empty() ? "none" : names)});
  }
  const access::Purpose& purpose = found->second;
  permit.purpose = &purpose;
  permit.role = asker.policy->RoleFor(asker.person, purpose);
  permit.approval = purpose.approval;
  permit.approvals_wanted = ApproversWanted(purpose, query);
  const auto no = [&](const char* reason, std::string message) {
    return Refuse(asker, reason, {Code::kRefused, std::move(message)});
  };
  if (permit.role.empty()) {
    return no("purpose", fmt::format("none of your roles may ask for {}", purpose.name));
  }
  if (!purpose.classes.contains(query.frame_class)) {
    return no("class", fmt::format("{} does not allow class {}", purpose.name, query.frame_class));
  }
  if (query.hold && !purpose.classes.contains("held")) {
    return no("class",
              fmt::format("{} does not allow what a hold keeps (class held)", purpose.name));
  }
  const bool has_fields =
      query.fields.empty() ||
      (purpose.form == access::Form::kTrace &&
       (purpose.all_fields || std::includes(purpose.fields.begin(), purpose.fields.end(),
                                            query.fields.begin(), query.fields.end())));
  if (!has_fields) {
    return no("fields", fmt::format("{} does not allow every field that was asked for; leave "
                                    "fields out for all that it allows",
                                    purpose.name));
  }
  if (query.vehicles.size() > purpose.vehicles_max) {
    return no("vehicles", fmt::format("{} allows {} vehicles in one request", purpose.name,
                                      purpose.vehicles_max));
  }
  if (HoursOf(query) > purpose.hours_max) {
    return no("interval",
              fmt::format("{} allows an interval of {} hours", purpose.name, purpose.hours_max));
  }
  if (query.keep && purpose.export_hours == 0) {
    return no("export", fmt::format("{} allows no kept answers", purpose.name));
  }
  return query.break_glass ? JudgeBreakGlass(asker, query, purpose) : Ok();
}

Status AccessDoor::JudgeBreakGlass(const Asker& asker, const QueryRequest& query,
                                   const access::Purpose& purpose) {
  const auto no = [&](std::string message) {
    return Refuse(asker, "break_glass", {Code::kRefused, std::move(message)});
  };
  if (!purpose.break_glass) {
    return no(fmt::format("{} allows no break-glass; ask, and let somebody approve", purpose.name));
  }
  if (query.vehicles.size() != 1 || HoursOf(query) > access::kBreakGlassHoursMax) {
    return no(fmt::format("break-glass is for one vehicle and at most {} hours",
                          access::kBreakGlassHoursMax));
  }
  ASSIGN_OR_RETURN(const std::vector<Review> reviews, book_->OpenReviews());
  const Micros now = parts_.clock.NowUtc();
  for (const Review& review : reviews) {
    if (!access::IsSamePerson(review.person, asker.key())) continue;
    if (review.opened + kReviewLife > now) continue;
    return no(
        fmt::format("your break-glass request {} waits for its review for over {} hours; "
                    "somebody else has to close it first: telltale vault review {}",
                    review.request.value, access::kReviewHoursMax, review.request.value));
  }
  return Ok();
}

Status AccessDoor::JudgeAction(const Asker& asker, RequestKind kind, Permit& permit) {
  const Verb verb = kind == RequestKind::kClockConfirm ? Verb::kOperate : Verb::kHold;
  RETURN_IF_ERROR(Need(asker, verb));
  for (const std::string& role : asker.person.roles) {
    const auto found = asker.policy->roles.find(role);
    if (found != asker.policy->roles.end() && found->second.contains(verb)) permit.role = role;
  }
  if (kind == RequestKind::kClockConfirm) {
    permit.approval = asker.policy->clock;
  } else if (asker.policy->holds) {
    permit.approval = *asker.policy->holds;
  } else {
    return Refuse(
        asker, "holds",
        {Code::kRefused, "the policy has no section holds, so none can be made or lifted"});
  }
  permit.approvals_wanted = permit.approval.approvers;
  return Ok();
}

Status AccessDoor::CountApprovals(const Policy& policy, const BookedRequest& booked,
                                  Permit& permit) {
  const Micros now = parts_.clock.NowUtc();
  std::vector<PersonKey> counted;
  for (const Vote& vote : booked.approvals) {
    const auto person =
        std::find_if(policy.people.begin(), policy.people.end(), [&](const access::Person& one) {
          return access::IsSamePerson(access::KeyOf(one), vote.person);
        });
    if (person == policy.people.end() || !policy.MayApprove(*person, permit.approval)) continue;
    if (access::IsSamePerson(vote.person, booked.requester)) continue;
    if (access::IsSamePerson(access::KeyOf(*person), booked.requester)) continue;
    ASSIGN_OR_RETURN(const bool is_editor, IsEditor(vote.person));
    if (is_editor) continue;
    const bool is_new = std::none_of(counted.begin(), counted.end(), [&](const PersonKey& other) {
      return access::IsSamePerson(other, vote.person) ||
             access::IsSamePerson(other, access::KeyOf(*person));
    });
    if (!is_new) continue;
    // A clock that went back does not make a vote younger than it can be.
    if (vote.at > now || vote.at + kApprovalLife <= now) {
      permit.has_lapsed = true;
      continue;
    }
    counted.push_back(vote.person);
    counted.back().uids.insert(counted.back().uids.end(), person->uids.begin(), person->uids.end());
  }
  permit.approvals = counted.size();
  return Ok();
}

}  // namespace telltale::vault
