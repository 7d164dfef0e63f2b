#include "gate/evidence.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "gate/json_fields.h"
#include "gate/names.h"

namespace telltale::gate {
namespace {

using Json = nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::string_view, kInvariants> kInvariantNames = {
    "contract_failure",
    "output_without_authority",
    "output_outside_cohort",
    "authority_not_single",
    "new_dead_letter_reason",
    "stuck_progress",
    "lag_beyond_window",
    "crash_loop",
    "silence",
    "sealed_to_open",
};

void ReadVehicles(Fields& fields, std::vector<std::string>& into) {
  fields.Each("vehicles", [&](const Json& item) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > kTextBytesMax) {
      fields.Mistake("vehicles has what is not a text");
    } else if (into.size() < kExamplesMax) {
      into.push_back(item.get<std::string>());
    }
  });
}

InvariantSide ReadSide(Fields& parent, std::string_view name) {
  InvariantSide side;
  Fields fields(parent.Object(name), parent.what() + " " + std::string(name));
  fields.Count("breaches", side.breaches);
  fields.Count("vehicles", side.vehicles);
  parent.Take(fields.Done());
  return side;
}

void ReadInvariants(Fields& parent, std::vector<InvariantEvidence>& into) {
  parent.Each("invariants", [&](const Json& item) {
    InvariantEvidence read;
    Fields fields(item, "invariants");
    std::string name;
    fields.Text("invariant", name);
    const auto invariant = FromNameIn<Invariant>(kInvariantNames, name);
    if (!invariant) return parent.Take(Error{Code::kInvalid, "invariants: a name is not known"});
    read.invariant = *invariant;
    read.candidate = ReadSide(fields, "candidate");
    read.stable = ReadSide(fields, "stable");
    fields.Count("watched_to_us", read.watched_to_us);
    fields.MayText("what", read.what);
    ReadVehicles(fields, read.vehicles);
    parent.Take(fields.Done());
    into.push_back(std::move(read));
  });
}

PairedCounts ReadCounts(Fields& parent) {
  PairedCounts counts;
  Fields fields(parent.Object("counts"), parent.what() + " counts");
  fields.Count("stable_fired", counts.stable_fired);
  fields.Count("missing", counts.missing);
  fields.Count("exposed", counts.exposed);
  fields.Count("settled", counts.settled);
  fields.Count("extra", counts.extra);
  fields.Count("candidate_fired", counts.candidate_fired);
  parent.Take(fields.Done());
  return counts;
}

void ReadPaired(Fields& parent, std::vector<PairedEvidence>& into) {
  parent.Each("paired", [&](const Json& item) {
    PairedEvidence read;
    Fields fields(item, "paired");
    fields.Text("metric", read.metric);
    fields.Text("component_digest", read.component_digest);
    read.counts = ReadCounts(fields);
    fields.Each("strata", [&](const Json& stratum) {
      PairedStratum one;
      Fields inner(stratum, "paired strata");
      inner.Text("dimension", one.dimension);
      inner.Text("name", one.name);
      one.counts = ReadCounts(inner);
      fields.Take(inner.Done());
      read.strata.push_back(std::move(one));
    });
    fields.Each("examples", [&](const Json& example) {
      PairedExample one;
      Fields inner(example, "paired examples");
      inner.Text("side", one.side);
      inner.Text("vehicle", one.vehicle);
      inner.Count("event_at_us", one.event_at_us);
      inner.MayText("what", one.what);
      fields.Take(inner.Done());
      if (read.examples.size() < kExamplesMax) read.examples.push_back(std::move(one));
    });
    parent.Take(fields.Done());
    into.push_back(std::move(read));
  });
}

void ReadBlocks(Fields& parent, std::vector<BlockEvidence>& into) {
  parent.Each("blocks", [&](const Json& item) {
    BlockEvidence read;
    Fields fields(item, "blocks");
    fields.Text("metric", read.metric);
    fields.Text("component_digest", read.component_digest);
    fields.Each("blocks", [&](const Json& block) {
      Block one;
      Fields inner(block, "blocks blocks");
      inner.Number("difference", one.difference);
      inner.Flag("candidate_first", one.candidate_first);
      fields.Take(inner.Done());
      read.blocks.push_back(one);
    });
    parent.Take(fields.Done());
    into.push_back(std::move(read));
  });
}

ArmSums ReadArm(Fields& parent, std::string_view name) {
  ArmSums sums;
  Fields fields(parent.Object(name), parent.what() + " " + std::string(name));
  fields.Count("vehicles", sums.vehicles);
  fields.Number("y", sums.y);
  fields.Number("e", sums.e);
  fields.Number("yy", sums.yy);
  fields.Number("ye", sums.ye);
  fields.Number("ee", sums.ee);
  parent.Take(fields.Done());
  return sums;
}

void ReadRates(Fields& parent, std::vector<RateEvidence>& into) {
  parent.Each("rates", [&](const Json& item) {
    RateEvidence read;
    Fields fields(item, "rates");
    fields.Text("metric", read.metric);
    fields.Text("component_digest", read.component_digest);
    fields.Each("looks", [&](const Json& look) {
      RateLook one;
      Fields inner(look, "rates looks");
      one.candidate = ReadArm(inner, "candidate");
      one.control = ReadArm(inner, "control");
      fields.Take(inner.Done());
      read.looks.push_back(one);
    });
    parent.Take(fields.Done());
    into.push_back(std::move(read));
  });
}

void ReadExposure(Fields& parent, Exposure& into) {
  Fields fields(parent.Object("exposure"), "exposure");
  fields.Count("cohort_vehicles", into.cohort_vehicles);
  fields.Count("vehicles", into.vehicles);
  fields.Count("silent_candidate", into.silent_candidate);
  fields.Count("silent_stable", into.silent_stable);
  fields.Count("silent_both", into.silent_both);
  fields.Number("driving_s", into.driving_s);
  fields.Number("metres", into.metres);
  fields.Count("event_from_us", into.event_from_us);
  fields.Count("event_to_us", into.event_to_us);
  fields.Each("strata", [&](const Json& item) {
    StratumExposure one;
    Fields inner(item, "exposure strata");
    inner.Text("dimension", one.dimension);
    inner.Text("name", one.name);
    inner.Number("fleet_share", one.fleet_share);
    inner.Count("vehicles", one.vehicles);
    inner.Number("driving_s", one.driving_s);
    inner.Number("metres", one.metres);
    fields.Take(inner.Done());
    into.strata.push_back(std::move(one));
  });
  parent.Take(fields.Done());
}

void ReadBasis(Fields& parent, Basis& into) {
  Fields fields(parent.Object("basis"), "basis");
  fields.Text("environment", into.environment);
  fields.Text("rollout", into.rollout);
  fields.Text("candidate", into.candidate);
  fields.Text("stable", into.stable);
  fields.Text("gate_digest", into.gate_digest);
  fields.Count("as_of_us", into.as_of_us);
  parent.Take(fields.Done());
}

void ReadPeople(Fields& parent, Evidence& into) {
  parent.Each("approvals", [&](const Json& item) {
    Approval one;
    Fields fields(item, "approvals");
    fields.Text("by", one.by);
    fields.Count("at_us", one.at_us);
    fields.Text("release", one.release);
    fields.Text("gate_digest", one.gate_digest);
    parent.Take(fields.Done());
    into.approvals.push_back(std::move(one));
  });
  parent.Each("confirmations", [&](const Json& item) {
    Confirmation one;
    Fields fields(item, "confirmations");
    fields.Text("by", one.by);
    fields.Count("at_us", one.at_us);
    fields.Text("release", one.release);
    fields.Text("gate_digest", one.gate_digest);
    fields.Count("discordant_seen", one.discordant_seen);
    fields.Number("detectable_shown", one.detectable_shown);
    parent.Take(fields.Done());
    into.confirmations.push_back(std::move(one));
  });
}

void ReadSourcesAndArms(Fields& parent, Evidence& into) {
  parent.Each("sources", [&](const Json& item) {
    SourceEvidence one;
    Fields fields(item, "sources");
    fields.Text("name", one.name);
    fields.Count("newest_us", one.newest_us);
    parent.Take(fields.Done());
    into.sources.push_back(std::move(one));
  });
  if (!parent.Has("arms")) return;
  const Json& arms = parent.Object("arms");
  Fields fields(arms, "arms");
  for (const auto& [name, value] : arms.items()) fields.Count(name, into.arms[name]);
  parent.Take(fields.Done());
}

ordered_json SideToJson(const InvariantSide& side) {
  return {{"breaches", side.breaches}, {"vehicles", side.vehicles}};
}

ordered_json CountsToJson(const PairedCounts& counts) {
  return {{"stable_fired", counts.stable_fired},
          {"missing", counts.missing},
          {"exposed", counts.exposed},
          {"settled", counts.settled},
          {"extra", counts.extra},
          {"candidate_fired", counts.candidate_fired}};
}

ordered_json PairedToJson(const PairedEvidence& paired) {
  ordered_json json = {{"metric", paired.metric},
                       {"component_digest", paired.component_digest},
                       {"counts", CountsToJson(paired.counts)}};
  json["strata"] = ordered_json::array();
  for (const PairedStratum& one : paired.strata) {
    json["strata"].push_back(
        {{"dimension", one.dimension}, {"name", one.name}, {"counts", CountsToJson(one.counts)}});
  }
  json["examples"] = ordered_json::array();
  for (const PairedExample& one : paired.examples) {
    json["examples"].push_back({{"side", one.side},
                                {"vehicle", one.vehicle},
                                {"event_at_us", one.event_at_us},
                                {"what", one.what}});
  }
  return json;
}

ordered_json ArmToJson(const ArmSums& sums) {
  return {{"vehicles", sums.vehicles},
          {"y", sums.y},
          {"e", sums.e},
          {"yy", sums.yy},
          {"ye", sums.ye},
          {"ee", sums.ee}};
}

void AddMeasured(const Evidence& evidence, ordered_json& json) {
  json["blocks"] = ordered_json::array();
  for (const BlockEvidence& item : evidence.blocks) {
    ordered_json one = {{"metric", item.metric}, {"component_digest", item.component_digest}};
    one["blocks"] = ordered_json::array();
    for (const Block& block : item.blocks) {
      one["blocks"].push_back(
          {{"difference", block.difference}, {"candidate_first", block.candidate_first}});
    }
    json["blocks"].push_back(std::move(one));
  }
  json["rates"] = ordered_json::array();
  for (const RateEvidence& item : evidence.rates) {
    ordered_json one = {{"metric", item.metric}, {"component_digest", item.component_digest}};
    one["looks"] = ordered_json::array();
    for (const RateLook& look : item.looks) {
      one["looks"].push_back(
          {{"candidate", ArmToJson(look.candidate)}, {"control", ArmToJson(look.control)}});
    }
    json["rates"].push_back(std::move(one));
  }
}

ordered_json ExposureToJson(const Exposure& exposure) {
  ordered_json json = {{"cohort_vehicles", exposure.cohort_vehicles},
                       {"vehicles", exposure.vehicles},
                       {"silent_candidate", exposure.silent_candidate},
                       {"silent_stable", exposure.silent_stable},
                       {"silent_both", exposure.silent_both},
                       {"driving_s", exposure.driving_s},
                       {"metres", exposure.metres},
                       {"event_from_us", exposure.event_from_us},
                       {"event_to_us", exposure.event_to_us}};
  json["strata"] = ordered_json::array();
  for (const StratumExposure& one : exposure.strata) {
    json["strata"].push_back({{"dimension", one.dimension},
                              {"name", one.name},
                              {"fleet_share", one.fleet_share},
                              {"vehicles", one.vehicles},
                              {"driving_s", one.driving_s},
                              {"metres", one.metres}});
  }
  return json;
}

void AddPeople(const Evidence& evidence, ordered_json& json) {
  json["arms"] = ordered_json::object();
  for (const auto& [name, vehicles] : evidence.arms) json["arms"][name] = vehicles;
  json["sources"] = ordered_json::array();
  for (const SourceEvidence& one : evidence.sources) {
    json["sources"].push_back({{"name", one.name}, {"newest_us", one.newest_us}});
  }
  json["approvals"] = ordered_json::array();
  for (const Approval& one : evidence.approvals) {
    json["approvals"].push_back({{"by", one.by},
                                 {"at_us", one.at_us},
                                 {"release", one.release},
                                 {"gate_digest", one.gate_digest}});
  }
  json["confirmations"] = ordered_json::array();
  for (const Confirmation& one : evidence.confirmations) {
    json["confirmations"].push_back({{"by", one.by},
                                     {"at_us", one.at_us},
                                     {"release", one.release},
                                     {"gate_digest", one.gate_digest},
                                     {"discordant_seen", one.discordant_seen},
                                     {"detectable_shown", one.detectable_shown}});
  }
}

}  // namespace

std::string_view InvariantName(Invariant invariant) { return NameIn(kInvariantNames, invariant); }

namespace {

bool IsWhole(std::int64_t part, std::int64_t whole) {
  return part >= 0 && part <= whole && whole <= kVehiclesMax;
}

Error Inconsistent(const std::string& where, const std::string& what) {
  return {Code::kInvalid, "evidence: " + where + ": " + what};
}

Status CheckCounts(const std::string& metric, const PairedCounts& counts) {
  if (!IsWhole(counts.missing, counts.stable_fired)) {
    return Inconsistent(metric, "missing is more than stable_fired");
  }
  if (!IsWhole(counts.settled, counts.exposed)) {
    return Inconsistent(metric, "settled is more than exposed");
  }
  if (!IsWhole(counts.extra, counts.settled) || !IsWhole(counts.extra, counts.candidate_fired)) {
    return Inconsistent(metric, "extra is more than settled or candidate_fired");
  }
  return Ok();
}

Status CheckPaired(const Evidence& evidence) {
  for (const PairedEvidence& paired : evidence.paired) {
    RETURN_IF_ERROR(CheckCounts(paired.metric, paired.counts));
    for (const PairedStratum& stratum : paired.strata) {
      RETURN_IF_ERROR(CheckCounts(paired.metric + " " + stratum.name, stratum.counts));
    }
  }
  return Ok();
}

Status CheckMeasured(const Evidence& evidence) {
  for (const BlockEvidence& item : evidence.blocks) {
    for (const Block& block : item.blocks) {
      if (!(block.difference >= -1 && block.difference <= 1)) {
        return Inconsistent(item.metric, "a difference is not in [-1, 1]");
      }
    }
  }
  for (const RateEvidence& item : evidence.rates) {
    for (const RateLook& look : item.looks) {
      for (const ArmSums* arm : {&look.candidate, &look.control}) {
        for (const double sum : {arm->y, arm->e, arm->yy, arm->ye, arm->ee}) {
          if (!(sum >= 0 && std::isfinite(sum)) || arm->vehicles < 0) {
            return Inconsistent(item.metric, "a sum is negative or not finite");
          }
        }
      }
    }
  }
  return Ok();
}

Status CheckExposure(const Exposure& exposure) {
  const bool is_whole = IsWhole(exposure.vehicles, exposure.cohort_vehicles) &&
                        exposure.silent_candidate >= 0 && exposure.silent_stable >= 0 &&
                        exposure.silent_both >= 0 &&
                        exposure.silent_candidate <= exposure.vehicles - exposure.silent_stable &&
                        exposure.silent_both <=
                            exposure.vehicles - exposure.silent_stable - exposure.silent_candidate;
  if (!is_whole) return Inconsistent("exposure", "silent, exposed and assigned do not go together");
  for (const StratumExposure& stratum : exposure.strata) {
    if (!(stratum.fleet_share >= 0 && stratum.fleet_share <= 1) ||
        !IsWhole(stratum.vehicles, exposure.vehicles)) {
      return Inconsistent("exposure", "stratum " + stratum.name + " is larger than the whole");
    }
  }
  return Ok();
}

Status CheckNames(const Evidence& evidence) {
  std::set<std::string> names;
  const auto is_new = [&](const std::string& name) { return names.insert(name).second; };
  for (const auto& one : evidence.paired) {
    if (!is_new(one.metric)) return Inconsistent(one.metric, "stands twice");
  }
  for (const auto& one : evidence.blocks) {
    if (!is_new(one.metric)) return Inconsistent(one.metric, "stands twice");
  }
  for (const auto& one : evidence.rates) {
    if (!is_new(one.metric)) return Inconsistent(one.metric, "stands twice");
  }
  for (const auto& one : evidence.invariants) {
    const std::string name(InvariantName(one.invariant));
    if (!is_new("invariant " + name)) return Inconsistent(name, "stands twice");
    if (one.candidate.breaches < 0 || one.candidate.vehicles < 0 || one.stable.breaches < 0) {
      return Inconsistent(name, "a count is negative");
    }
  }
  for (const auto& [name, vehicles] : evidence.arms) {
    if (!IsWhole(vehicles, kVehiclesMax)) return Inconsistent(name, "is no count of vehicles");
  }
  return Ok();
}

}  // namespace

Status CheckEvidence(const Evidence& evidence) {
  RETURN_IF_ERROR(CheckNames(evidence));
  RETURN_IF_ERROR(CheckExposure(evidence.exposure));
  RETURN_IF_ERROR(CheckPaired(evidence));
  return CheckMeasured(evidence);
}

namespace {

bool IsForward(const PairedCounts& before, const PairedCounts& now) {
  return now.stable_fired >= before.stable_fired && now.missing >= before.missing &&
         now.exposed >= before.exposed && now.settled >= before.settled &&
         now.extra >= before.extra && now.candidate_fired >= before.candidate_fired;
}

}  // namespace

Status CheckForward(const Evidence& before, const Evidence& now) {
  if (before.basis.rollout != now.basis.rollout || before.basis.candidate != now.basis.candidate) {
    return Ok();
  }
  for (const PairedEvidence& then : before.paired) {
    const auto found =
        std::find_if(now.paired.begin(), now.paired.end(),
                     [&](const PairedEvidence& one) { return one.metric == then.metric; });
    if (found == now.paired.end()) return Inconsistent(then.metric, "was counted and is gone");
    // Another component: what was counted is void, and it begins anew.
    if (found->component_digest != then.component_digest) continue;
    if (!IsForward(then.counts, found->counts)) {
      return Inconsistent(then.metric, "counts went back");
    }
  }
  for (const InvariantEvidence& then : before.invariants) {
    const auto found =
        std::find_if(now.invariants.begin(), now.invariants.end(),
                     [&](const InvariantEvidence& one) { return one.invariant == then.invariant; });
    if (found == now.invariants.end() || found->candidate.breaches < then.candidate.breaches) {
      return Inconsistent(std::string(InvariantName(then.invariant)), "counts went back");
    }
  }
  return Ok();
}

Result<Evidence> EvidenceFromJson(const Json& json) {
  Evidence evidence;
  Fields fields(json, "evidence");
  RETURN_IF_ERROR(fields.Version(Format::kGateEvidence, "this gate evidence"));
  ReadBasis(fields, evidence.basis);
  ReadExposure(fields, evidence.exposure);
  ReadInvariants(fields, evidence.invariants);
  ReadPaired(fields, evidence.paired);
  ReadBlocks(fields, evidence.blocks);
  ReadRates(fields, evidence.rates);
  ReadSourcesAndArms(fields, evidence);
  ReadPeople(fields, evidence);
  RETURN_IF_ERROR(fields.Done());
  RETURN_IF_ERROR(CheckEvidence(evidence));
  return evidence;
}

ordered_json ToJson(const Evidence& evidence) {
  const Basis& basis = evidence.basis;
  ordered_json json;
  json["format"] = VersionOf(Format::kGateEvidence).written;
  json["basis"] = {{"environment", basis.environment}, {"rollout", basis.rollout},
                   {"candidate", basis.candidate},     {"stable", basis.stable},
                   {"gate_digest", basis.gate_digest}, {"as_of_us", basis.as_of_us}};
  json["exposure"] = ExposureToJson(evidence.exposure);
  json["invariants"] = ordered_json::array();
  for (const InvariantEvidence& one : evidence.invariants) {
    json["invariants"].push_back({{"invariant", InvariantName(one.invariant)},
                                  {"candidate", SideToJson(one.candidate)},
                                  {"stable", SideToJson(one.stable)},
                                  {"watched_to_us", one.watched_to_us},
                                  {"what", one.what},
                                  {"vehicles", one.vehicles}});
  }
  json["paired"] = ordered_json::array();
  for (const PairedEvidence& one : evidence.paired) json["paired"].push_back(PairedToJson(one));
  AddMeasured(evidence, json);
  AddPeople(evidence, json);
  return json;
}

namespace {

constexpr std::size_t kReplacedBytes = 3;  // U+FFFD, for a byte that is no UTF-8
constexpr auto kReplace = ordered_json::error_handler_t::replace;

void CutText(std::string& text) {
  if (text.size() <= kTextBytesMax / kReplacedBytes) return;
  text = ordered_json::parse(ordered_json(text).dump(-1, ' ', false, kReplace)).get<std::string>();
  if (text.size() <= kTextBytesMax) return;
  std::size_t end = kTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
  text.resize(end);
}

void CutTexts(ordered_json& json) {
  if (json.is_string()) return CutText(json.get_ref<std::string&>());
  if (!json.is_structured()) return;
  for (auto& one : json) CutTexts(one);
}

}  // namespace

std::string EvidenceText(const Evidence& evidence) {
  ordered_json json = ToJson(evidence);
  CutTexts(json);
  return json.dump(1, ' ', /*ensure_ascii=*/false, kReplace) + "\n";
}

}  // namespace telltale::gate
