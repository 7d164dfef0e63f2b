// The report as JSON and as text. docs/vault-report.md lists the keys.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "vault/ledger/report.h"

namespace telltale::vault {
namespace {

using Json = nlohmann::ordered_json;

Json JsonOf(const ClassAnswer& answer) {
  Json hours = Json::array();
  for (const OverdueHour& hour : answer.overdue) {
    hours.push_back({{"hour", FormatUtc(StartOf(hour.id.hour))},
                     {"due_at", FormatUtc(hour.due_at)},
                     {"vehicles", hour.vehicles}});
  }
  return {{"class", NameOf(answer.retention_class)},
          {"vehicles", answer.vehicles},
          {"hours", answer.hours},
          {"frames_at_least", answer.frames},
          {"ordinals", answer.ordinals},
          {"by_hour", std::move(hours)}};
}

Json JsonOf(const HeldAnswer& answer) {
  Json json = {{"hold", answer.hold},
               {"placed_at", FormatUtc(answer.placed_at)},
               {"basis", answer.basis},
               {"review_at", nullptr},
               {"review_overdue", answer.review_overdue},
               {"vehicles", answer.vehicles},
               {"hours", answer.hours},
               {"ordinals", answer.ordinals}};
  if (answer.review_at.has_value()) json["review_at"] = FormatUtc(*answer.review_at);
  return json;
}

Json JsonOf(const PartitionAnswer& answer) {
  const PartitionAccount& account = answer.account;
  Json json = {{"partition", answer.partition.value},
               {"sealed", answer.sealed},
               {"first", account.first},
               {"next", account.next},
               {"waiting", answer.waiting}};
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    json[std::string(NameOf(static_cast<Outcome>(i)))] = account.outcomes[i];
  }
  json["gaps"] = account.gap_offsets;
  json["repeated"] = account.repeated;
  return json;
}

Json JsonOf(const Reconciliation& result) {
  return {{"next_segment", result.next_segment},
          {"segments_live", result.segments_live},
          {"segments_destroyed", result.segments_destroyed},
          {"segments_replaced", result.segments_replaced},
          {"files", result.files},
          {"keys", result.keys},
          {"hours_live", result.hours_live}};
}

Json LateJson(const Report& report) {
  Json late = Json::array();
  for (const LateHour& hour : report.accepted_late) {
    late.push_back({{"class", NameOf(hour.id.retention_class)},
                    {"hour", FormatUtc(StartOf(hour.id.hour))},
                    {"frames", hour.frames},
                    {"vehicles_at_most", hour.vehicles_at_most},
                    {"last_stored", FormatUtc(hour.last_stored)}});
  }
  return late;
}

template <typename Things>
Json JsonList(const Things& things) {
  Json list = Json::array();
  for (const auto& thing : things) list.push_back(JsonOf(thing));
  return list;
}

void AddAnswers(const Report& report, std::string& text) {
  if (report.still_stored.empty()) text += "still stored past the window: nobody\n";
  for (const ClassAnswer& answer : report.still_stored) {
    text += fmt::format("still stored past the window: {} vehicles in {} hours of class {}\n",
                        answer.vehicles, answer.hours, NameOf(answer.retention_class));
  }
  if (!report.exact) text += "  (at most so many: hours were still being filled then)\n";
  if (report.hours_in_destruction > 0) {
    text += fmt::format("being destroyed at this moment: {} hours\n", report.hours_in_destruction);
  }
  for (const HeldAnswer& held : report.held) {
    text += fmt::format("held past the window: {} vehicles in {} hours, hold {}: {}; review {}{}\n",
                        held.vehicles, held.hours, held.hold, held.basis,
                        held.review_at.has_value() ? FormatUtc(*held.review_at) : "not set",
                        held.review_overdue ? " (overdue)" : "");
  }
  text +=
      fmt::format("accepted when already past it: {} frames in {} hours; {} dropped on arrival\n",
                  report.late_frames, report.accepted_late.size(), report.expired_on_arrival);
}

}  // namespace

std::string Report::ToJson() const {
  Json json = {{"report", "outside-window"},
               {"verdict", NameOf(verdict)},
               {"at", FormatUtc(at)},
               {"now", FormatUtc(now)},
               {"answers_from", FormatUtc(answers_from)},
               {"exact", exact},
               {"still_stored", JsonList(still_stored)},
               {"hours_in_destruction", hours_in_destruction},
               {"erased_vehicles", erased_vehicles},
               {"held", JsonList(held)},
               {"accepted_late", LateJson(*this)},
               {"late_frames", late_frames},
               {"expired_on_arrival", expired_on_arrival},
               {"stream_oldest_at", nullptr},
               {"stream_retention_s", stream_retention.value / 1'000'000},
               {"partitions", JsonList(partitions)},
               {"reconciliation", JsonOf(reconciliation)},
               {"audit", {{"entries", audit_entries}, {"hash", audit_hash}}}};
  if (stream_oldest_at.has_value()) json["stream_oldest_at"] = FormatUtc(*stream_oldest_at);
  Json found = Json::array();
  for (const Finding& finding : findings) {
    found.push_back({{"kind", NameOf(finding.kind)},
                     {"violation", IsViolation(finding.kind)},
                     {"place", finding.place},
                     {"do", AdviceOn(finding.kind)}});
  }
  json["findings"] = std::move(found);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Report::ToText() const {
  std::string text = fmt::format("outside the window at {}: {}\n", FormatUtc(at), NameOf(verdict));
  AddAnswers(*this, text);
  std::uint64_t sealed = 0;
  std::uint64_t waiting = 0;
  std::uint64_t gaps = 0;
  std::array<std::uint64_t, kOutcomes> outcomes{};
  for (const PartitionAnswer& partition : partitions) {
    sealed += partition.sealed - std::min(partition.sealed, partition.account.first);
    waiting += partition.waiting;
    gaps += partition.account.gap_offsets;
    for (std::size_t i = 0; i < kOutcomes; ++i) outcomes[i] += partition.account.outcomes[i];
  }
  text += fmt::format("sealed {} =", sealed);
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    text += fmt::format(" {} {} +", outcomes[i], NameOf(static_cast<Outcome>(i)));
  }
  text += fmt::format(" {} never seen + {} waiting\n", gaps, waiting);
  const Reconciliation& books = reconciliation;
  text += fmt::format(
      "segments 0..{}: {} live, {} destroyed, {} replaced; {} files, {} keys, {} live hours\n",
      books.next_segment == 0 ? 0 : books.next_segment - 1, books.segments_live,
      books.segments_destroyed, books.segments_replaced, books.files, books.keys, books.hours_live);
  text += fmt::format("audit log: {} entries, {}\n", audit_entries, audit_hash);
  text += fmt::format("the ledger answers from {}\n", FormatUtc(answers_from));
  for (const Finding& finding : findings) {
    text +=
        fmt::format("{} {}: {}\n    {}\n", IsViolation(finding.kind) ? "VIOLATION" : "INCOMPLETE",
                    NameOf(finding.kind), finding.place, AdviceOn(finding.kind));
  }
  return text;
}

}  // namespace telltale::vault
