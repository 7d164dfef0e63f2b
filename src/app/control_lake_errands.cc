#include "app/control_lake_errands.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/cohort.h"
#include "control/rollout_machine.h"

namespace telltale::app {
namespace {

using control::Phase;
using nlohmann::json;

Phase PhaseOf(const json& rollout) {
  return control::PhaseOf(rollout.at("phase").get<std::string>()).value_or(Phase::kPending);
}

// As the config record has it: the last stage shadows everybody.
std::uint32_t LotsOf(const json& rollout) {
  const auto share = rollout.at("shadow_per_10000").get<std::uint32_t>();
  return share >= 10'000 ? kLots : LotsOfShare(share);
}

LakeErrand ErrandOf(const LakeRollout& one, const std::string& kind) {
  const json& rollout = one.rollout;
  LakeErrand errand;
  errand.rollout = rollout.at("id");
  errand.kind = kind;
  errand.dir = one.dir;
  errand.release = rollout.at("candidate");
  errand.name = kind == "close" ? errand.rollout + " close"
                                : fmt::format("{} stage {} {}", errand.rollout,
                                              rollout.at("stage").get<std::size_t>() + 1, kind);
  errand.arguments = {"shadow", kind, "--dir", one.dir, "--release", errand.release};
  return errand;
}

LakeErrand CloseOf(const LakeRollout& one) {
  LakeErrand errand = ErrandOf(one, "close");
  errand.arguments.insert(errand.arguments.end(), {"--at", one.rollout.at("closed_at")});
  return errand;
}

LakeErrand ComparisonOf(const LakeRollout& one, const std::string& kind) {
  LakeErrand errand = ErrandOf(one, kind);
  const json& cohort = one.rollout.at("cohort");
  errand.salt = cohort.at("salt");
  errand.lots = LotsOf(one.rollout);
  const json order = {
      {"salt", errand.salt}, {"always", cohort.at("always")}, {"never", cohort.at("never")}};
  // An earlier rollout of the release may have closed its shadow.
  errand.arguments.insert(errand.arguments.end(),
                          {"--stable", one.rollout.at("stable"), "--order", order.dump(), "--lots",
                           std::to_string(errand.lots), "--reopen", "--quiet"});
  return errand;
}

void AddComparisons(const LakeRollout& one, const LakeOutcomes& outcomes,
                    std::vector<LakeErrand>& errands) {
  bool over_shadow = false;  // there is telemetry of the candidate's
  if (one.telemetry) {
    LakeErrand telemetry = ComparisonOf(one, "telemetry");
    const auto outcome = outcomes.find(telemetry.name);
    if (outcome == outcomes.end()) {
      errands.push_back(std::move(telemetry));
      return;  // features read what it makes
    }
    over_shadow = outcome->second == LakeOutcome::kDone;
  }
  if (!one.features) return;
  LakeErrand features = ComparisonOf(one, "features");
  if (over_shadow) features.arguments.emplace_back("--over-shadow");
  if (!outcomes.contains(features.name)) errands.push_back(std::move(features));
}

}  // namespace

bool IsCompared(const json& rollout) {
  const Phase phase = PhaseOf(rollout);
  return phase == Phase::kShadow || phase == Phase::kAuthority;
}

bool IsOver(const json& rollout) { return !control::IsOpen(PhaseOf(rollout)); }

std::vector<LakeErrand> LakeErrands(const std::vector<LakeRollout>& rollouts,
                                    const LakeOutcomes& outcomes) {
  std::vector<LakeErrand> errands;
  std::set<std::pair<std::string, std::string>> later;  // environment and candidate
  for (const LakeRollout& one : rollouts) {
    const json& rollout = one.rollout;
    const bool is_newest = later.emplace(rollout.at("environment"), rollout.at("candidate")).second;
    if (IsCompared(rollout)) AddComparisons(one, outcomes, errands);
    if (!IsOver(rollout) || !is_newest) continue;
    LakeErrand close = CloseOf(one);
    if (!outcomes.contains(close.name)) errands.push_back(std::move(close));
  }
  return errands;
}

}  // namespace telltale::app
