#include "control/rollout_costs.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "control/json_lookup.h"
#include "control/json_reader.h"

namespace telltale::control {
namespace {

using nlohmann::json;

// Each is a write of control.db; a crash loses as much of the count.
constexpr Micros kSaveEvery = Micros::Seconds(10);

constexpr double kSecondsMax = 1e12;

// Whose cost a worker's is; "" = nobody's.
std::string SideOf(const json& rollout, const WorkerCost& one) {
  if (one.place == "candidate" && rollout.at("candidate") == json(one.release)) return "candidate";
  if (one.place == "previous" && rollout.at("stable") == json(one.release)) return "previous";
  return "";
}

std::optional<WorkerCost> CostIn(const json& one) {
  WorkerCost cost{.release = TextOf(one, "release"), .place = TextOf(one, "place")};
  const json* const seconds = MemberOf(one, "cpu_s");
  const auto began = ParseUtc(TextOf(one, "cpu_since"));
  if (cost.release.empty() || cost.place.empty() || seconds == nullptr || !seconds->is_number() ||
      !began.ok()) {
    return std::nullopt;
  }
  const double used = seconds->get<double>();
  if (!(used >= 0) || used > kSecondsMax) return std::nullopt;
  cost.cpu = Micros{std::llround(used * 1e6)};
  cost.cpu_since = *began;
  return cost;
}

json SecondsOf(const json& costs, const char* side) {
  const auto found = costs.find(side);
  if (found == costs.end()) return nullptr;
  return static_cast<double>(found->at("cpu_us").get<std::int64_t>() / 1000) / 1000.0;
}

}  // namespace

std::vector<WorkerCost> WorkerCostsIn(std::string_view text) {
  std::vector<WorkerCost> costs;
  const json all = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto releases = all.is_object() ? all.find("releases") : all.end();
  if (!all.is_object() || releases == all.end() || !releases->is_array()) return costs;
  for (const json& one : *releases) {
    if (auto cost = CostIn(one)) costs.push_back(std::move(*cost));
  }
  return costs;
}

void AddCosts(json& rollout, const std::vector<WorkerCost>& costs, Micros now) {
  json& internal = rollout.at("internal");
  const Micros created{internal.at("created_us").get<std::int64_t>()};
  json kept = internal.value("costs", json::object());
  const json before = kept;
  for (const WorkerCost& one : costs) {
    const std::string side = SideOf(rollout, one);
    if (side.empty() || one.cpu_since < created) continue;
    json& mine = kept[side];
    if (mine.is_null()) mine = {{"cpu_us", 0}, {"seen_us", 0}, {"since_us", 0}};
    const bool is_same_count = mine.at("since_us") == json(one.cpu_since.value);
    const Micros seen{is_same_count ? mine.at("seen_us").get<std::int64_t>() : 0};
    if (is_same_count && one.cpu <= seen) continue;
    mine["cpu_us"] = mine.at("cpu_us").get<std::int64_t>() + (one.cpu - seen).value;
    mine["seen_us"] = one.cpu.value;
    mine["since_us"] = one.cpu_since.value;
  }
  if (kept == before) return;
  kept["at_us"] = now.value;
  internal["costs"] = std::move(kept);
}

bool AreCostsDue(const json& rollout, Micros now) {
  const auto& internal = rollout.at("internal");
  const auto costs = internal.find("costs");
  if (costs == internal.end()) return true;
  return now - Micros{costs->at("at_us").get<std::int64_t>()} >= kSaveEvery;
}

json CostsOf(const json& rollout) {
  const json costs = rollout.at("internal").value("costs", json::object());
  return {{"candidate_cpu_s", SecondsOf(costs, "candidate")},
          {"previous_cpu_s", SecondsOf(costs, "previous")}};
}

}  // namespace telltale::control
