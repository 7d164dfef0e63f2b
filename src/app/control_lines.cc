#include "app/control_lines.h"

#include <fmt/format.h>

#include "app/control_client.h"

namespace telltale::app {
namespace {

using nlohmann::json;

std::int64_t NumberOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

const json& MemberOf(const json& object, const char* key) {
  static const json kNone = json::array();
  const auto found = object.find(key);
  return found != object.end() ? *found : kNone;
}

std::string ReleaseOf(const json& object, const char* key) {
  return ShortRelease(ShownOf(object, key));
}

}  // namespace

std::string ShareText(std::int64_t per_10000) {
  return fmt::format("{}.{:02} %", per_10000 / 100, per_10000 % 100);
}

bool HasEnded(const json& rollout) {
  const std::string phase = ShownOf(rollout, "phase");
  return phase == "closed" || phase == "withdrawn" || phase == "rejected";
}

std::string RolloutLine(const json& rollout) {
  const std::int64_t stage = NumberOf(rollout, "stage");
  const json& stages = MemberOf(rollout, "stages");
  const json& now = stage >= 0 && static_cast<std::size_t>(stage) < stages.size()
                        ? stages[static_cast<std::size_t>(stage)]
                        : MemberOf(rollout, "");
  return fmt::format("{:<16} {} -> {}  stage {} of {} ({})  {}  since {}", ShownOf(rollout, "id"),
                     ReleaseOf(rollout, "stable"), ReleaseOf(rollout, "candidate"), stage + 1,
                     stages.size(), ShareText(NumberOf(now, "per_10000")),
                     ShownOf(rollout, "phase"), ShownOf(rollout, "since"));
}

std::string RolloutLines(const json& rollout) {
  std::string lines = RolloutLine(rollout) + "\n";
  for (const json& one : MemberOf(rollout, "waits_for")) {
    lines += fmt::format("  waits for {}: {}\n", ShownOf(one, "code"), ShownOf(one, "message"));
  }
  const json& pending = MemberOf(rollout, "partitions_pending");
  if (!pending.empty()) {
    lines += fmt::format("  {} partitions pending, such as {}: {}\n", pending.size(),
                         ShownOf(pending.front(), "partition"), ShownOf(pending.front(), "reason"));
  }
  if (HasEnded(rollout) && ShownOf(rollout, "reason") != "-") {
    lines += fmt::format("  {}\n", ShownOf(rollout, "reason"));
  }
  return lines;
}

std::string CostLine(const json& rollout) {
  std::string sides;
  for (const auto& [key, what] :
       {std::pair{"candidate_cpu_s", "candidate"}, {"previous_cpu_s", "the way back"}}) {
    const json costs = rollout.value("costs", json());
    if (!costs.is_object() || !costs.contains(key) || !costs[key].is_number()) continue;
    sides +=
        fmt::format("{}{} {:.1f} s", sides.empty() ? "" : ", ", what, costs[key].get<double>());
  }
  return sides.empty() ? "" : "  CPU beside the speaker: " + sides + "\n";
}

std::string LakeLines(const json& rollout) {
  std::string lines;
  const json& lake = MemberOf(rollout, "lake");
  for (const char* kind : {"features", "telemetry"}) {
    const json& one = MemberOf(lake, kind);
    if (!one.is_object()) continue;
    lines += fmt::format("  lake, {}: {}", kind, ShownOf(one, "verdict"));
    if (ShownOf(one, "at") != "-") lines += " at " + ShownOf(one, "at");
    if (ShownOf(one, "reason") != "-") lines += ": " + ShownOf(one, "reason");
    lines += "\n";
    for (const json& table : MemberOf(one, "tables")) {
      if (ShownOf(table, "verdict") == "same") continue;
      lines += fmt::format("    {} {}: ", ShownOf(table, "name"), ShownOf(table, "status"));
      if (ShownOf(table, "error") != "-") {
        lines += ShownOf(table, "error") + "\n";
        continue;
      }
      lines += fmt::format("{} changed, {} missing, {} extra, {} vehicles affected\n",
                           ShownOf(table, "changed"), ShownOf(table, "missing"),
                           ShownOf(table, "extra"), ShownOf(table, "vehicles_affected"));
    }
  }
  return lines;
}

std::string EnvironmentLines(const json& environment) {
  std::string lines =
      fmt::format("{:<16} {:<8} runs {}", ShownOf(environment, "key"), ShownOf(environment, "kind"),
                  ReleaseOf(environment, "effective_release"));
  if (ShownOf(environment, "candidate") != "-") {
    lines += fmt::format(", {} beside it", ReleaseOf(environment, "candidate"));
  }
  lines += "\n";
  if (ShownOf(environment, "reachable") == "false") {
    lines += fmt::format("  not reached: {}\n", ShownOf(environment, "reason"));
  }
  const json& pin = MemberOf(environment, "pin");
  if (pin.is_object()) {
    lines += fmt::format("  pinned to {} by {}: {}\n", ReleaseOf(pin, "release"),
                         ShownOf(pin, "by"), ShownOf(pin, "reason"));
  }
  const json& hold = MemberOf(environment, "hold");
  if (hold.is_object()) {
    lines += fmt::format("  held by {}: {}\n", ShownOf(hold, "by"), ShownOf(hold, "reason"));
  }
  const json& rollout = MemberOf(environment, "rollout");
  if (rollout.is_object()) lines += "  rollout " + RolloutLines(rollout) + CostLine(rollout);
  return lines;
}

}  // namespace telltale::app
