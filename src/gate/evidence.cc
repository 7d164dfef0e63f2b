#include "gate/evidence.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "gate/evidence_members.h"

namespace telltale::gate {
namespace {

using Json = nlohmann::json;
using nlohmann::ordered_json;

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
        const bool are_sums = AllMembersOf<ArmSums>([&](const auto& member) {
          const auto sum = static_cast<double>(arm->*member.at);
          return sum >= 0 && std::isfinite(sum);
        });
        if (!are_sums) return Inconsistent(item.metric, "a sum is negative or not finite");
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

bool IsForward(const PairedCounts& before, const PairedCounts& now) {
  return AllMembersOf<PairedCounts>(
      [&](const auto& member) { return now.*member.at >= before.*member.at; });
}

}  // namespace

std::string_view InvariantName(Invariant invariant) { return NameOf(invariant); }

Status CheckEvidence(const Evidence& evidence) {
  RETURN_IF_ERROR(CheckNames(evidence));
  RETURN_IF_ERROR(CheckExposure(evidence.exposure));
  RETURN_IF_ERROR(CheckPaired(evidence));
  return CheckMeasured(evidence);
}

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
  MemberReader::All(fields, evidence);
  RETURN_IF_ERROR(fields.Done());
  RETURN_IF_ERROR(CheckEvidence(evidence));
  return evidence;
}

ordered_json ToJson(const Evidence& evidence) {
  ordered_json json;
  json["format"] = VersionOf(Format::kGateEvidence).written;
  MemberWriter().AddAll(evidence, json);
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
