#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "app/commands.h"
#include "app/init.h"
#include "base/config_rules.h"
#include "base/config_schema.h"

namespace telltale::app {
namespace {

// "log.backend=kafka"
Status Set(const std::string& setting, Config& config) {
  const std::size_t equals = setting.find('=');
  const std::string name = setting.substr(0, equals);
  const std::size_t dot = name.rfind('.');
  const ConfigKey* key = dot == std::string::npos
                             ? FindConfigKey("", name)
                             : FindConfigKey(name.substr(0, dot), name.substr(dot + 1));
  if (equals == std::string::npos || key == nullptr) {
    return Error{Code::kInvalid,
                 fmt::format("--set {}: want section.key=value; `telltale config reference` lists "
                             "the keys",
                             setting)};
  }
  return SetConfig(*key, std::string_view(setting).substr(equals + 1), config);
}

Status SetAll(const std::vector<std::string>& settings, Config& config) {
  for (const std::string& setting : settings) RETURN_IF_ERROR(Set(setting, config));
  const auto broken = BrokenConfigRules(config);
  if (!broken.empty()) return Error{Code::kInvalid, broken.front().what};
  return Ok();
}

Status Run(InitOptions& options, const std::string& rules,
           const std::vector<std::string>& settings) {
  RETURN_IF_ERROR(SetAll(settings, options.config));
  ASSIGN_OR_RETURN(options.layout, Layout::OfThisProgram());
  if (!rules.empty()) options.layout.rules = rules;
  options.dir = std::filesystem::absolute(options.dir).lexically_normal().string();
  while (options.dir.size() > 1 && options.dir.back() == '/') options.dir.pop_back();
  // Who makes the installation may query its vault, and so may root.
  options.vault_uids = {0};
  if (getuid() != 0) options.vault_uids.push_back(getuid());
  ASSIGN_OR_RETURN(const InitOutcome outcome, Init(options));
  if (!outcome.warning.empty()) fmt::print(stderr, "warning: {}\n", outcome.warning);
  fmt::print("{} is ready: release {}\nstart it:  telltale serve {}{}\n", options.dir,
             outcome.release.substr(0, 12), options.demo ? "--demo " : "", options.dir);
  return Ok();
}

void AddLogOptions(CLI::App& command, Config& config) {
  command
      .add_option("--partitions", config.log_partitions, "Partitions of the log; fixed for good")
      ->check(CLI::Range(1u, 4096u))
      ->capture_default_str();
  command.add_option("--shards", config.log_shards, "Shards of the log; fixed for good")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str();
  command
      .add_option("--segment-bytes", config.log_segment_bytes,
                  "Size of a file of the log: small ones for little load and little disk")
      ->check(CLI::Range(std::uint64_t{4} << 20, std::uint64_t{1} << 30))
      ->capture_default_str();
}

}  // namespace

void AddInitCommand(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<InitOptions>();
  const auto rules = std::make_shared<std::string>();
  const auto settings = std::make_shared<std::vector<std::string>>();
  Config& config = options->config;
  CLI::App* command = app.add_subcommand(
      "init", "Make a new installation: config, local authority, certificates, keys, users");
  command->add_option("DIR", options->dir, "A folder that does not exist yet, or an empty one")
      ->required();
  command
      ->add_option("--mqtt-port", config.mqtt_port,
                   "Where vehicles connect; 0 = any free port, written to run/gateway.port")
      ->capture_default_str();
  command
      ->add_option("--feed-port", config.feed_port,
                   "Where the alert feed is; 0 = any free port, written to run/feed.port")
      ->capture_default_str();
  command
      ->add_option("--operations-port", config.operations_port,
                   "Where /metrics and /readyz are; 0 = any free port, written to "
                   "run/operations.port. 0 by itself where --mqtt-port is 0")
      ->capture_default_str();
  command
      ->add_option("--window-days", config.vault_window_days,
                   "Exact positions are destroyed after this many days")
      ->check(CLI::Range(1u, kVaultWindowDaysMax))
      ->capture_default_str();
  command->add_option("--cadence", config.lake_cadence_s, "Seconds between commits to the lake")
      ->check(CLI::Range(1u, 3600u))
      ->capture_default_str();
  AddLogOptions(*command, config);
  command
      ->add_option("--users", config.users,
                   "auto: two users when root and the paths allow it; required: two or refuse; "
                   "single: one user, the vault's boundary is not enforced")
      ->check(CLI::IsMember({"auto", "required", "single"}))
      ->capture_default_str();
  command->add_option("--environment", config.environment_name, "Name of the environment")
      ->check(CLI::TypeValidator<std::string>())
      ->capture_default_str();
  command
      ->add_option("--kind", config.environment_kind,
                   "Kind of environment; prod refuses a vault under the same user")
      ->check(CLI::IsMember({"dev", "staging", "prod"}))
      ->capture_default_str();
  command->add_flag("--demo", options->demo,
                    "Keys and authority for a demonstration: `telltale serve` refuses them unless "
                    "it has --demo as well");
  command
      ->add_option("--rules", *rules,
                   "Safety rules of the first release (default: those that come with Telltale)")
      ->check(CLI::ExistingFile);
  AddSetOption(*command, *settings);
  command->callback([options, rules, settings, command, &exit_code] {
    // Who takes any port for the cars wants several installations on one machine.
    if (options->config.mqtt_port == 0 && command->count("--operations-port") == 0) {
      options->config.operations_port = 0;
    }
    if (options->config.log_shards > options->config.log_partitions) {
      exit_code = ExitCode(Error{Code::kInvalid, "--shards must not exceed --partitions"});
      return;
    }
    exit_code = ExitCode(Run(*options, *rules, *settings));
  });
}

}  // namespace telltale::app
