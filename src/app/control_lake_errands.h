// What control has to have done in the lakes for its rollouts, and with which command lines. Pure;
// any thread.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace telltale::app {

// A rollout as it is answered (docs/control.md), and what is known beside it.
struct LakeRollout {
  nlohmann::json rollout = {};
  std::string dir = {};    // of its environment
  bool telemetry = false;  // of the diff's dual_run: what the candidate changes in the lake
  bool features = false;
};

struct LakeErrand {
  std::string name = {};  // "prod-3 stage 1 features", "prod-3 close"; each is done once
  std::string rollout = {};
  std::string kind = {};  // telemetry | features | close
  std::string dir = {};
  std::string release = {};
  std::string salt = {};
  std::uint32_t lots = 0;
  std::vector<std::string> arguments = {};  // after `python -m telltale_lake`
};

enum class LakeOutcome { kDone, kGivenUp };
using LakeOutcomes = std::map<std::string, LakeOutcome>;  // by the errand's name

// Whether its candidate is to be compared now.
bool IsCompared(const nlohmann::json& rollout);
bool IsOver(const nlohmann::json& rollout);

// What is left to be done and waits for nothing, in this order. `rollouts`: newest first. Of a
// release that came back in a later rollout of its environment the earlier one closes nothing.
std::vector<LakeErrand> LakeErrands(const std::vector<LakeRollout>& rollouts,
                                    const LakeOutcomes& outcomes);

}  // namespace telltale::app
