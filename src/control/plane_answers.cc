// What is answered about environments and rollouts. docs/control.md.
#include <fmt/format.h>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"
#include "control/rollout_costs.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::int64_t kAuditPage = 200;
constexpr std::int64_t kAuditPageMax = 1000;

json Pending(const Sight& sight) {
  json pending = json::array();
  if (!sight.publisher) return pending;
  for (const PartitionView& partition : sight.publisher->partitions) {
    if (partition.pending.empty()) continue;
    pending.push_back({{"partition", partition.partition}, {"reason", partition.pending}});
  }
  return pending;
}

std::uint32_t ShareOf(std::uint32_t lots) { return lots == 0 ? 0 : std::min(lots - 1, 10'000u); }

json OrNull(const std::optional<json>& found) { return found ? *found : json(); }

}  // namespace

// Without control's own members, with what is known at the moment.
Result<json> PlaneState::RolloutAnswer(json rollout) {
  const RolloutPlace place = PlaceIn(rollout);
  rollout["waits_for"] = json::array();
  rollout["partitions_pending"] = json::array();
  Wanted wanted = WantedBy(place);
  if (IsOpen(place.phase)) {
    ASSIGN_OR_RETURN(const RolloutView view, ViewOf(rollout));
    for (const Waiting& one : Decide(view, Now()).waits_for) {
      rollout["waits_for"].push_back({{"code", one.code}, {"message", one.message}});
    }
    rollout["partitions_pending"] = Pending(SightOf(rollout.at("environment")));
    AddCosts(rollout, SightOf(rollout.at("environment")).costs, Now());
  }
  ASSIGN_OR_RETURN(rollout["gate"], GateInShort(rollout));
  const bool is_over = place.phase == Phase::kWindow || place.phase == Phase::kClosed;
  rollout["shadow_per_10000"] = is_over ? 10'000 : ShareOf(wanted.shadow_lots);
  rollout["authority_per_10000"] = is_over ? 10'000 : ShareOf(wanted.authority_lots);
  rollout["costs"] = CostsOf(rollout);
  rollout["previous_costs"] = {{"cpu_s", rollout["costs"]["previous_cpu_s"]}};
  for (const char* name : {"speaker", "stable_speaker"}) rollout.emplace(name, "");
  rollout.erase("internal");
  rollout.erase("freeze_windows");
  return rollout;
}

Result<json> PlaneState::GetRollout(const std::string& id) {
  ASSIGN_OR_RETURN(auto rollout, db_.FindRollout(id));
  if (!rollout) return Error{Code::kNotFound, "no rollout " + id};
  return RolloutAnswer(std::move(*rollout));
}

Result<json> PlaneState::ListRollouts(const Call& call) {
  JsonReader read(call.arguments, "rollouts");
  const std::string environment = read.Key("environment", "");
  RETURN_IF_ERROR(read.Done());
  if (!environment.empty()) RETURN_IF_ERROR(MustFind(kEnvironments, environment));
  ASSIGN_OR_RETURN(auto rollouts, db_.ListRollouts(environment));
  json items = json::array();
  for (json& one : rollouts) {
    ASSIGN_OR_RETURN(json answer, RolloutAnswer(std::move(one)));
    items.push_back(std::move(answer));
  }
  return json{{"items", std::move(items)}};
}

Result<json> PlaneState::EnvironmentStatus(const json& environment) {
  const std::string key = environment.at("key");
  const Sight& sight = SightOf(key);
  json status = {{"key", key},
                 {"kind", environment.at("kind")},
                 {"upstream", environment.at("upstream")},
                 {"reachable", sight.reason.empty()},
                 {"reason", sight.reason},
                 {"stable", ""},
                 {"previous", ""},
                 {"candidate", ""},
                 {"config_seq", 0},
                 {"partitions_pending", Pending(sight)},
                 {"rollout", nullptr}};
  if (sight.contracts) {
    const InForce& in_force = sight.contracts->in_force;
    status["stable"] = in_force.stable_release;
    status["previous"] = in_force.previous_release;
    if (in_force.rollout) status["candidate"] = in_force.rollout->candidate;
    status["config_seq"] = in_force.config_seq.value;
  }
  status["publisher"] = {{"reachable", sight.publisher_reason.empty()},
                         {"reason", sight.publisher_reason},
                         {"config_seq", sight.publisher ? sight.publisher->config_seq.value : 0}};
  status["partitions"] = sight.publisher ? sight.publisher->partitions.size() : 0;
  ASSIGN_OR_RETURN(status["effective_release"], EffectiveStable(key));
  ASSIGN_OR_RETURN(auto rollout, db_.NewestRollout(key));
  if (rollout) {
    ASSIGN_OR_RETURN(status["rollout"], RolloutAnswer(std::move(*rollout)));
  }
  ASSIGN_OR_RETURN(const auto pin, ActivePin(key));
  ASSIGN_OR_RETURN(const auto hold, db_.Find("holds", key));
  ASSIGN_OR_RETURN(const auto broken, db_.Find("break-glass", key));
  ASSIGN_OR_RETURN(const auto promotion, db_.Find("promotions", key));
  status["pin"] = OrNull(pin);
  status["hold"] = OrNull(hold);
  status["break_glass"] = OrNull(broken);
  status["promotion"] = OrNull(promotion);
  return status;
}

Result<json> PlaneState::StatusOf() {
  ASSIGN_OR_RETURN(const Lease lease, db_.ReadLease());
  json leader;
  if (lease.leader_epoch > 0 && lease.expires_at > Now()) {
    leader = {{"holder", lease.holder},
              {"leader_epoch", lease.leader_epoch},
              {"expires_at", FormatUtc(lease.expires_at)},
              {"is_this", IsLeader() && lease.holder == options_.holder}};
  }
  json items = json::array();
  ASSIGN_OR_RETURN(const auto environments, db_.List(kEnvironments));
  for (const json& one : environments) {
    ASSIGN_OR_RETURN(json status, EnvironmentStatus(one));
    items.push_back(std::move(status));
  }
  ASSIGN_OR_RETURN(json events, EventsInShort());
  return json{{"at", FormatUtc(Now())},
              {"leader", leader},
              {"environments", std::move(items)},
              {"webhook", std::move(events)}};
}

Result<json> PlaneState::Audit(const Call& call) {
  JsonReader read(call.arguments, "audit");
  const std::int64_t after = read.Whole("after", 0, 0, std::int64_t{1} << 53);
  const std::int64_t limit = read.Whole("limit", kAuditPage, 1, kAuditPageMax);
  RETURN_IF_ERROR(read.Done());
  return db_.AuditAfter(static_cast<std::uint64_t>(after), limit);
}

}  // namespace telltale::control
