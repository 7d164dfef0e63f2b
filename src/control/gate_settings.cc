#include "control/gate_settings.h"

#include "control/gate_object.h"
#include "control/release.h"
#include "control/release_text.h"

namespace telltale::control {
namespace {

constexpr double kAnything = 0.9;  // a share that nothing meant to happen goes beyond

Result<std::set<std::string>> RulesIn(Disk& disk, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadWholeFile(disk, folder + "/rules.yaml", kRulesBytesMax));
  ASSIGN_OR_RETURN(const Items items, RulesAsItems(text));
  std::set<std::string> names;
  for (const auto& [name, keys] : items) names.insert(name);
  return names;
}

void AllowMissing(gate::MetricSettings& metric) {
  metric.missing_max = kAnything;
  metric.missing_margin = 1;
  metric.is_guardrail = false;
}

void AllowExtra(gate::MetricSettings& metric) {
  metric.extra_max = kAnything;
  metric.extra_margin = 1;
  metric.is_guardrail = false;
}

gate::MetricSettings RuleMetric(const nlohmann::json& gate, const std::string& rule,
                                const DeclaredChange* declared) {
  gate::MetricSettings metric = RuleLimits(gate, rule);
  metric.name = "rule/" + rule;
  if (declared == nullptr) return metric;
  if (declared->percent) {
    metric = gate::WithDeclared(metric, declared->percent->low, declared->percent->high);
  }
  if (declared->added) AllowExtra(metric);
  if (declared->removed) AllowMissing(metric);
  return metric;
}

// Of the vehicles for which both spoke.
gate::MetricSettings PayloadMetric(const nlohmann::json& gate, const std::string& rule,
                                   const DeclaredChange* declared) {
  gate::MetricSettings metric = RuleLimits(gate, rule);
  metric.name = "payload/" + rule;
  metric.family = gate::Family::kFields;
  if (declared == nullptr) return metric;
  if (declared->payload) AllowMissing(metric);
  if (declared->added || declared->removed) metric.is_guardrail = false;  // never both
  return metric;
}

}  // namespace

Result<GateParts> ReadGateParts(Disk& disk, const Paths& environment, const std::string& stable,
                                const std::string& candidate) {
  GateParts parts;
  const std::string folder = environment.releases() + "/" + candidate;
  ASSIGN_OR_RETURN(parts.stable_rules, RulesIn(disk, environment.releases() + "/" + stable));
  ASSIGN_OR_RETURN(parts.candidate_rules, RulesIn(disk, folder));
  ASSIGN_OR_RETURN(const std::string manifest, ReadWholeFile(disk, folder + "/manifest.json"));
  ASSIGN_OR_RETURN(const Components components, ParseManifest(manifest));
  const auto rules = components.find("rules");
  if (rules == components.end()) return Error{Code::kCorrupt, "the candidate has no rules"};
  parts.rules_digest = rules->second;
  ASSIGN_OR_RETURN(parts.declared, ReadDeclaration(disk, folder));
  return parts;
}

gate::GateSettings SettingsFor(const nlohmann::json& gate, const GateParts& parts,
                               const GateNames& names) {
  gate::GateSettings settings = PlainSettings(gate);
  settings.environment = names.environment;
  settings.rollout = names.rollout;
  settings.candidate = names.candidate;
  settings.stable = names.stable;
  settings.warm_up_s = names.warm_up_s;
  std::set<std::string> rules = parts.stable_rules;
  rules.insert(parts.candidate_rules.begin(), parts.candidate_rules.end());
  for (const std::string& rule : rules) {
    const DeclaredChange* declared = parts.declared.Find(DeclaredChange::About::kRule, rule);
    for (gate::MetricSettings metric :
         {RuleMetric(gate, rule, declared), PayloadMetric(gate, rule, declared)}) {
      metric.component = "rules";
      metric.component_digest = parts.rules_digest;
      settings.metrics.push_back(std::move(metric));
    }
  }
  return settings;
}

}  // namespace telltale::control
