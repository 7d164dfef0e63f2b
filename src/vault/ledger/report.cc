#include "vault/ledger/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace telltale::vault {
namespace {

// Of the life that was last begun by `at`; nullptr: none was.
const Life* LifeAt(const HourState& hour, Micros at) {
  const Life* found = nullptr;
  for (const Life& life : hour.lives) {
    if (life.first_stored <= at) found = &life;
  }
  return found;
}

bool ActiveAt(const HoldState& hold, Micros at) {
  return hold.placed_at <= at && !(hold.lifted && hold.lifted_at <= at);
}

class Answering {
 public:
  Answering(const ReportInput& input, Report& report)
      : input_(input), report_(report), erased_(input.ledger.ErasedBy(input.at)) {}

  void StillStored();
  void Held();
  void AcceptedLate();
  void StreamAndExports();
  void Offsets();
  void Rest();

 private:
  struct Union {
    ClassAnswer answer;
    OrdinalSet vehicles;
  };
  void Add(FindingKind kind, std::string place) {
    report_.findings.push_back({kind, std::move(place)});
  }
  void AddOverdue(const HourState& hour, const Life& life, Micros due, Union& into);
  OrdinalSet HeldIn(const HourKeyId& id) const;
  bool PastAt(const HourKeyId& id) const;
  std::size_t ListMost() const { return input_.list ? SIZE_MAX : kOrdinalsListed; }

  const ReportInput& input_;
  Report& report_;
  const OrdinalSet erased_;
};

OrdinalSet Answering::HeldIn(const HourKeyId& id) const {
  OrdinalSet held;
  for (const auto& [number, hold] : input_.ledger.holds) {
    if (!ActiveAt(hold, input_.at)) continue;
    const auto found = hold.hours.find(id);
    if (found != hold.hours.end() && found->second.since <= input_.at) {
      held.Merge(*found->second.vehicles);
    }
  }
  return held;
}

void Answering::AddOverdue(const HourState& hour, const Life& life, Micros due, Union& into) {
  OverdueHour overdue{.id = hour.id, .due_at = due, .vehicles = hour.vehicles};
  Result<OrdinalSet> vehicles = input_.ledger.vehicles(hour.id);
  if (vehicles.ok()) {
    if (!erased_.empty()) vehicles->Remove(erased_);
    if (!input_.ledger.holds.empty()) vehicles->Remove(HeldIn(hour.id));
    overdue.vehicles = vehicles->size();
    into.vehicles.Merge(*vehicles);
  } else {
    Add(FindingKind::kLedgerHourUnreadable, PlaceOf(hour.id));
  }
  if (overdue.vehicles == 0) return;
  report_.exact = report_.exact && life.last_stored <= input_.at;
  into.answer.frames += life.frames;
  ++into.answer.hours;
  if (into.answer.overdue.size() < kHoursListed) into.answer.overdue.push_back(overdue);
}

void Answering::StillStored() {
  std::map<RetentionClass, Union> classes;
  for (const HourState& hour : input_.ledger.hours) {
    const Life* life = LifeAt(hour, input_.at);
    if (life == nullptr || (life->dropped && life->dropped_at <= input_.at)) continue;
    const Micros due = DueAt(hour.id, *life, input_.ledger.windows, input_.at);
    if (due > input_.at) continue;
    if (due + input_.grace > input_.at) {
      ++report_.hours_in_destruction;
      continue;
    }
    AddOverdue(hour, *life, due, classes[hour.id.retention_class]);
  }
  for (auto& [retention_class, one] : classes) {
    if (one.answer.hours == 0) continue;
    one.answer.retention_class = retention_class;
    one.answer.vehicles = one.vehicles.size();
    one.answer.ordinals = one.vehicles.First(ListMost());
    Add(FindingKind::kHourPastWindow,
        fmt::format("{}: {} vehicles in {} hours, first {}", NameOf(retention_class),
                    one.answer.vehicles, one.answer.hours, one.answer.overdue[0].id.hour.value));
    report_.still_stored.push_back(std::move(one.answer));
  }
  report_.erased_vehicles = erased_.size();
}

// Whether a held hour would be gone without the hold.
bool Answering::PastAt(const HourKeyId& id) const {
  Life life;
  const HourState* hour = input_.ledger.Find(id);
  if (hour != nullptr) {
    life = hour->lives.front();
  } else {
    for (const WindowChange& change : input_.ledger.windows) {
      if (change.retention_class == id.retention_class && change.at <= input_.at) {
        life.window_hours = change.hours;
      }
    }
  }
  return DueAt(id, life, input_.ledger.windows, input_.at) <= input_.at;
}

void Answering::Held() {
  std::map<std::uint64_t, const HoldFacts*> facts;
  for (const HoldFacts& one : input_.holds) facts[one.hold] = &one;
  for (const auto& [number, hold] : input_.ledger.holds) {
    const auto known = facts.find(number);
    if (known == facts.end() && !hold.lifted) {
      Add(FindingKind::kHoldUnknown, fmt::format("hold {} is in the ledger alone", number));
    }
    if (!ActiveAt(hold, input_.at)) continue;
    HeldAnswer answer{
        .hold = number, .placed_at = hold.placed_at, .basis = {}, .review_at = {}, .ordinals = {}};
    OrdinalSet vehicles;
    for (const auto& [id, held] : hold.hours) {
      if (held.since > input_.at || !PastAt(id)) continue;
      ++answer.hours;
      vehicles.Merge(*held.vehicles);
    }
    vehicles.Remove(erased_);
    answer.vehicles = vehicles.size();
    answer.ordinals = vehicles.First(ListMost());
    if (known != facts.end()) {
      answer.basis = known->second->basis;
      answer.review_at = known->second->review_at;
      answer.review_overdue = known->second->review_at <= input_.at;
    }
    report_.held.push_back(std::move(answer));
  }
}

void Answering::AcceptedLate() {
  for (const HourState& hour : input_.ledger.hours) {
    std::uint64_t frames = 0;
    Micros last;
    for (const Life& life : hour.lives) {
      if (life.late_frames == 0 || life.first_stored > input_.at) continue;
      if (DueAt(hour.id, life, input_.ledger.windows, input_.at) > input_.at) continue;
      report_.exact = report_.exact && life.last_stored <= input_.at;
      frames += life.late_frames;
      last = life.last_stored;
    }
    if (frames == 0) continue;
    report_.late_frames += frames;
    Add(FindingKind::kAcceptedPastWindow,
        fmt::format("{}: {} frames, the last at {}", PlaceOf(hour.id), frames, FormatUtc(last)));
    if (report_.accepted_late.size() < kHoursListed) {
      report_.accepted_late.push_back({.id = hour.id,
                                       .vehicles_at_most = hour.vehicles,
                                       .frames = frames,
                                       .last_stored = last});
    }
  }
}

void Answering::StreamAndExports() {
  for (const SealedPartition& partition : input_.sealed) {
    if (!partition.oldest_at.has_value()) continue;
    report_.stream_oldest_at =
        std::min(report_.stream_oldest_at.value_or(kNever), *partition.oldest_at);
    if (*partition.oldest_at + input_.sealed_retention + input_.grace <= input_.now) {
      Add(FindingKind::kStreamPastRetention,
          fmt::format("sealed partition {} offset {} of {}", partition.partition.value,
                      partition.first, FormatUtc(*partition.oldest_at)));
    }
  }
  report_.stream_retention = input_.sealed_retention;
  const auto expired = [&](const std::vector<Expiring>& things, FindingKind kind) {
    for (const Expiring& thing : things) {
      if (thing.expires_at + input_.grace <= input_.now) {
        Add(kind, fmt::format("{} since {}", thing.name, FormatUtc(thing.expires_at)));
      }
    }
  };
  expired(input_.exports, FindingKind::kExportPastExpiry);
  expired(input_.transport_keys, FindingKind::kTransportKeyPastExpiry);
}

void Answering::Offsets() {
  std::map<PartitionId, PartitionAnswer> answers;
  for (const auto& [partition, account] : input_.account.partitions()) {
    answers[partition] = {.partition = partition, .account = account};
  }
  for (const SealedPartition& sealed : input_.sealed) {
    PartitionAnswer& answer = answers[sealed.partition];
    answer.partition = sealed.partition;
    answer.sealed = sealed.next;
    if (sealed.next > 0 && !input_.account.partitions().contains(sealed.partition) &&
        sealed.oldest_at.has_value() && *sealed.oldest_at + input_.grace <= input_.now) {
      Add(FindingKind::kPartitionNotConsumed, fmt::format("partition {}", sealed.partition.value));
    }
  }
  for (auto& [partition, answer] : answers) {
    const PartitionAccount& account = answer.account;
    answer.waiting = answer.sealed - std::min(answer.sealed, account.next);
    const std::string place = fmt::format("partition {}", partition.value);
    if (account.next > answer.sealed) {
      Add(FindingKind::kVaultAheadOfLog,
          fmt::format("{}: vault {}, log {}", place, account.next, answer.sealed));
    }
    if (!account.Balanced()) Add(FindingKind::kOffsetsUnbalanced, place);
    if (account.repeated > 0) {
      Add(FindingKind::kOffsetRepeated, fmt::format("{}: {} offsets", place, account.repeated));
    }
    std::uint64_t listed = 0;
    for (const OffsetGap& gap : account.gaps) {
      listed += gap.to - gap.from;
      Add(FindingKind::kOffsetGap, fmt::format("{} offsets {}..{} noticed {}", place, gap.from,
                                               gap.to - 1, FormatUtc(gap.at)));
    }
    if (listed != account.gap_offsets) {
      Add(FindingKind::kOffsetGap,
          fmt::format("{}: {} offsets more", place, account.gap_offsets - listed));
    }
    report_.expired_on_arrival += account.Of(Outcome::kExpired);
    report_.partitions.push_back(std::move(answer));
  }
}

void Answering::Rest() {
  report_.reconciliation = Reconcile(input_.listing, input_.keys, input_.catalogue, input_.ledger,
                                     input_.now, input_.grace);
  const std::vector<Finding>& more = report_.reconciliation.findings;
  report_.findings.insert(report_.findings.end(), more.begin(), more.end());
  if (!input_.audit_problem.empty()) Add(FindingKind::kAuditChainBroken, input_.audit_problem);
  if (input_.at < input_.ledger.answers_from || input_.at > input_.now) {
    Add(FindingKind::kLedgerCannotAnswer,
        fmt::format("{}: the ledger answers from {}", FormatUtc(input_.at),
                    FormatUtc(input_.ledger.answers_from)));
  }
}

}  // namespace

Report MakeReport(const ReportInput& input) {
  Report report;
  report.now = input.now;
  report.at = input.at;
  report.answers_from = input.ledger.answers_from;
  report.audit_entries = input.audit_entries;
  report.audit_hash = input.audit_hash;
  Answering answering(input, report);
  answering.StillStored();
  answering.Held();
  answering.AcceptedLate();
  answering.StreamAndExports();
  answering.Offsets();
  answering.Rest();
  report.verdict = VerdictOf(report.findings);
  return report;
}

}  // namespace telltale::vault
