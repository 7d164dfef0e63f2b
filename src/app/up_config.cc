#include "app/up_config.h"

#include <fmt/format.h>

#include "base/config_rules.h"
#include "base/config_schema.h"

namespace telltale::app {
namespace {

// "log.partitions=8"
Status Apply(const std::string& setting, Config& config) {
  const std::size_t equals = setting.find('=');
  const std::string name = setting.substr(0, equals);
  const std::size_t dot = name.rfind('.');
  const ConfigKey* key =
      dot == std::string::npos ? nullptr : FindConfigKey(name.substr(0, dot), name.substr(dot + 1));
  if (key == nullptr || equals == std::string::npos) {
    return Error{Code::kInvalid, fmt::format("{} is no setting; `telltale config reference` lists "
                                             "them",
                                             setting)};
  }
  return SetConfig(*key, std::string_view(setting).substr(equals + 1), config);
}

}  // namespace

bool HasControlPlane() { return FindConfigKey("control", "http") != nullptr; }

Result<Config> ConfigOfTrial(const Trial& trial, const TrialEnvironment& environment) {
  Config config;
  config.environment_name = environment.key;
  config.environment_kind = trial.strict ? environment.kind : "dev";
  config.users = trial.strict ? "auto" : "single";
  config.environment_side_effects = environment.kind == "prod" ? "on" : "off";
  config.mqtt_port = config.feed_port = config.operations_port = config.vault_port = 0;
  if (HasControlPlane() && environment.key == trial.control) {
    RETURN_IF_ERROR(Apply("control.http=on", config));
    RETURN_IF_ERROR(Apply("control.port=0", config));
  }
  for (const std::string& setting : environment.settings) RETURN_IF_ERROR(Apply(setting, config));
  const auto broken = BrokenConfigRules(config);
  if (!broken.empty()) return Error{Code::kInvalid, broken.front().what};
  return config;
}

Status CheckTrial(const Trial& trial) {
  for (const TrialEnvironment& one : trial.environments) {
    const auto config = ConfigOfTrial(trial, one);
    if (!config.ok()) return Annotate(config.error(), "environment " + one.key);
  }
  return Ok();
}

}  // namespace telltale::app
