#include "app/cmd_rehearse_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "control/json_lookup.h"

namespace telltale::app {
namespace {

using control::DeclaredChange;
using control::TextOf;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kExamplesMax = 5;
// Stamps: they say who published when, and differ between any two runs.
constexpr std::array<std::string_view, 10> kStamps = {
    "output_id",       "seq",     "event_time_us",   "receipt_time_us", "publish_time_us",
    "authority_epoch", "release", "input_partition", "input_offset",    "contract_number"};

std::int64_t WholeOf(const json& line, const char* key) {
  const auto at = line.find(key);
  return at != line.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
}

// What is compared of one rule.
struct Working {
  RuleOutcome outcome;
  std::set<std::string> vehicles;
  using Left = std::pair<std::string, const RehearsedAlert*>;
  std::vector<Left> missing;
  std::vector<Left> extra;

  void Note(const std::string& id, const RehearsedAlert& alert) {
    vehicles.insert(alert.vehicle);
    if (outcome.examples.size() < kExamplesMax) outcome.examples.push_back(id);
  }
  void NoteKeys(const json& published, const json& rehearsed) {
    std::set<std::string> keys;
    for (const json* payload : {&published, &rehearsed}) {
      for (const auto& [key, value] : payload->items()) keys.insert(key);
    }
    for (const std::string& key : keys) {
      if (published.value(key, json()) != rehearsed.value(key, json())) {
        ++outcome.changed_keys[key];
      }
    }
  }
};

bool Overlap(const RehearsedAlert& a, const RehearsedAlert& b) {
  const auto ends_before = [](const RehearsedAlert& one, const RehearsedAlert& other) {
    return one.ended_at_us != 0 && one.ended_at_us < other.started_at_us;
  };
  return a.vehicle == b.vehicle && !ends_before(a, b) && !ends_before(b, a);
}

// The same episode begins with another report when a level moves: told otherwise, not gone.
void PairLeftOver(Working& work) {
  std::map<std::string, std::vector<Working::Left>> extra_of;
  for (const auto& left : work.extra) extra_of[left.second->vehicle].push_back(left);
  for (const auto& [id, alert] : work.missing) {
    auto& candidates = extra_of[alert->vehicle];
    const RehearsedAlert& published = *alert;
    const auto match = std::find_if(candidates.begin(), candidates.end(), [&](const auto& one) {
      return Overlap(published, *one.second);
    });
    work.Note(id, published);
    if (match == candidates.end()) {
      ++work.outcome.missing;
      continue;
    }
    ++work.outcome.changed;
    work.NoteKeys(published.payload, match->second->payload);
    candidates.erase(match);
  }
  for (const auto& [vehicle, candidates] : extra_of) {
    for (const auto& [id, alert] : candidates) {
      ++work.outcome.extra;
      work.Note(id, *alert);
    }
  }
}

void CompareCounts(const DeclaredChange& declared, RuleOutcome& outcome) {
  const auto old_count = static_cast<double>(outcome.published);
  const auto new_count = static_cast<double>(outcome.rehearsed);
  const auto [low, high] = *declared.percent;
  // Of a few alerts no share of a percent can come: the nearest whole number outwards.
  const double least = std::floor(old_count * (100 + low) / 100);
  const double most = std::ceil(old_count * (100 + high) / 100);
  if (outcome.published == 0) {
    if (outcome.rehearsed == 0) return;
    outcome.verdict = RuleVerdict::kOutside;
    outcome.says = "fires where nothing was published";
    return;
  }
  const double percent = 100 * (new_count - old_count) / old_count;
  outcome.says = fmt::format("fires {:.1f} % {}", std::abs(percent), percent < 0 ? "less" : "more");
  const bool is_within = new_count >= least && new_count <= most;
  outcome.verdict = is_within ? RuleVerdict::kAsDeclared : RuleVerdict::kOutside;
}

void JudgeDeclared(const DeclaredChange& declared, RuleOutcome& outcome) {
  outcome.declared = control::InWords(declared);
  if (outcome.published == 0 && outcome.rehearsed == 0) {
    outcome.verdict = RuleVerdict::kNoEvidence;
    outcome.says = "nothing fired in this time, in either";
    return;
  }
  outcome.verdict = RuleVerdict::kAsDeclared;
  if (declared.percent) CompareCounts(declared, outcome);
  if (outcome.verdict == RuleVerdict::kOutside) return;
  const auto outside = [&](std::string says) {
    outcome.verdict = RuleVerdict::kOutside;
    outcome.says = std::move(says);
  };
  if (declared.added && outcome.published > 0) return outside("was published before it was new");
  if (declared.removed && outcome.rehearsed > 0) return outside("still fires");
  const bool may_count = declared.percent || declared.added || declared.removed;
  if (!may_count && outcome.missing + outcome.extra > 0) {
    return outside(fmt::format("{} alerts missing, {} extra; declare `fires_percent`",
                               outcome.missing, outcome.extra));
  }
  if (outcome.changed > 0 && !declared.payload) {
    return outside(
        fmt::format("{} alerts say something else; declare `payload: true`", outcome.changed));
  }
}

void Judge(const DeclaredChange* declared, RuleOutcome& outcome) {
  if (declared != nullptr) return JudgeDeclared(*declared, outcome);
  if (outcome.changed + outcome.missing + outcome.extra == 0) return;
  outcome.verdict = RuleVerdict::kNotDeclared;
  outcome.says = fmt::format(
      "{} alerts missing, {} extra, {} say something else; nothing of it is "
      "declared",
      outcome.missing, outcome.extra, outcome.changed);
}

}  // namespace

bool TakeChange(const json& line, RehearsedAlerts& alerts) {
  if (!line.is_object()) return false;
  const std::string id = TextOf(line, "output_id");
  const std::int64_t revision = WholeOf(line, "revision");
  if (id.empty() || revision <= 0) return false;
  RehearsedAlert& alert = alerts[id];
  const std::int64_t receipt = WholeOf(line, "receipt_time_us");
  if (alert.revision == 0 || receipt < alert.opened_at_us) alert.opened_at_us = receipt;
  if (static_cast<std::uint64_t>(revision) < alert.revision) return true;
  alert.rule = TextOf(line, "rule");
  alert.vehicle = TextOf(line, "vehicle_ref");
  alert.revision = static_cast<std::uint64_t>(revision);
  alert.started_at_us = WholeOf(line, "started_at_us");
  alert.ended_at_us = WholeOf(line, "ended_at_us");
  alert.payload = line;
  for (const std::string_view stamp : kStamps) alert.payload.erase(std::string(stamp));
  return true;
}

std::string_view RuleVerdictName(RuleVerdict verdict) {
  constexpr std::array<std::string_view, 5> kNames = {"same", "as_declared", "no_evidence",
                                                      "not_declared", "outside_declared"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

bool Rehearsed::passed() const {
  return std::all_of(rules.begin(), rules.end(),
                     [](const RuleOutcome& one) { return one.passed(); });
}

Rehearsed CompareAlerts(const RehearsedAlerts& published, const RehearsedAlerts& rehearsed,
                        std::int64_t from_us, const control::Declaration& declaration) {
  std::map<std::string, Working> by_rule;
  for (const DeclaredChange& change : declaration.changes) {
    if (change.about == DeclaredChange::About::kRule) by_rule[change.name];
  }
  for (const auto& [id, alert] : published) {
    if (alert.opened_at_us < from_us) continue;
    Working& work = by_rule[alert.rule];
    ++work.outcome.published;
    const auto other = rehearsed.find(id);
    if (other == rehearsed.end()) {
      work.missing.emplace_back(id, &alert);
    } else if (other->second.payload == alert.payload) {
      ++work.outcome.same;
    } else {
      ++work.outcome.changed;
      work.NoteKeys(alert.payload, other->second.payload);
      work.Note(id, alert);
    }
  }
  for (const auto& [id, alert] : rehearsed) {
    const auto other = published.find(id);
    const bool is_known = other != published.end();
    // By the published opening where there is one: both sides count the same episodes.
    if ((is_known ? other->second.opened_at_us : alert.opened_at_us) < from_us) continue;
    Working& work = by_rule[alert.rule];
    ++work.outcome.rehearsed;
    if (!is_known) work.extra.emplace_back(id, &alert);
  }
  Rehearsed result;
  std::set<std::string> vehicles;
  for (auto& [rule, work] : by_rule) {
    PairLeftOver(work);
    work.outcome.rule = rule;
    work.outcome.vehicles_affected = work.vehicles.size();
    vehicles.merge(work.vehicles);
    Judge(declaration.Find(DeclaredChange::About::kRule, rule), work.outcome);
    result.rules.push_back(std::move(work.outcome));
  }
  result.vehicles_affected = vehicles.size();
  return result;
}

ordered_json ToJson(const Rehearsed& rehearsed) {
  auto rules = ordered_json::array();
  for (const RuleOutcome& one : rehearsed.rules) {
    rules.push_back({{"rule", one.rule},
                     {"verdict", RuleVerdictName(one.verdict)},
                     {"says", one.says},
                     {"declared", one.declared},
                     {"published", one.published},
                     {"rehearsed", one.rehearsed},
                     {"same", one.same},
                     {"changed", one.changed},
                     {"missing", one.missing},
                     {"extra", one.extra},
                     {"vehicles_affected", one.vehicles_affected},
                     {"changed_keys", one.changed_keys},
                     {"examples", one.examples}});
  }
  return rules;
}

}  // namespace telltale::app
