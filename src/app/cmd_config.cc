#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "base/config_read.h"
#include "base/config_reference.h"
#include "base/config_schema.h"

namespace telltale::app {
namespace {

struct ConfigFlags {
  std::string dir;
  std::string file;
  std::vector<std::string> settings;
  bool json = false;
};

Result<ConfigReading> Read(Disk& disk, const ConfigFlags& flags) {
  ConfigSources sources{.path = flags.file.empty() ? Paths(flags.dir).config() : flags.file,
                        .environment = ProcessEnvironment(),
                        .settings = flags.settings};
  return ReadConfig(disk, sources);
}

// A process would find out only when it needs the file.
void CheckFilesExist(Disk& disk, ConfigReading& reading) {
  for (std::size_t i = 0; i < ConfigKeys().size(); ++i) {
    const ConfigKey& key = ConfigKeys()[i];
    const std::string path = ConfigText(key, reading.config);
    if (key.kind != ConfigKind::kPath || path.empty() || disk.Exists(path)) continue;
    reading.mistakes.push_back(
        {reading.origins[i], fmt::format("{}: there is no file {}", key.FullName(), path)});
  }
}

nlohmann::ordered_json AsJson(const std::vector<ConfigMistake>& mistakes) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ConfigMistake& mistake : mistakes) {
    list.push_back({{"where", mistake.where}, {"what", mistake.what}});
  }
  return list;
}

// Bytes that are no UTF-8 (of a path) are replaced.
void Print(const nlohmann::ordered_json& json) {
  using Json = nlohmann::ordered_json;
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

Result<int> Check(const ConfigFlags& flags) {
  if (flags.dir.empty() == flags.file.empty()) {
    return Error{Code::kInvalid, "give either --dir DIR or FILE"};
  }
  PosixDisk disk;
  ASSIGN_OR_RETURN(ConfigReading reading, Read(disk, flags));
  CheckFilesExist(disk, reading);
  const std::size_t count = reading.mistakes.size();
  if (flags.json) {
    Print({{"ok", count == 0},
           {"mistakes", AsJson(reading.mistakes)},
           {"warnings", AsJson(reading.warnings)}});
  } else {
    for (const ConfigMistake& one : reading.mistakes) fmt::print("{}\n", one.ToString());
    for (const ConfigMistake& one : reading.warnings) {
      fmt::print("{} (a warning)\n", one.ToString());
    }
    fmt::print("{} {}\n", count, count == 1 ? "mistake" : "mistakes");
  }
  return count == 0 ? 0 : 1;
}

nlohmann::ordered_json ValueOf(const ConfigKey& key, const Config& config) {
  return std::visit([&](auto member) { return nlohmann::ordered_json(config.*member); },
                    key.member);
}

Status Show(const ConfigFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const ConfigReading reading, Read(disk, flags));
  ASSIGN_OR_RETURN(const Config config, ConfigOf(reading));
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < ConfigKeys().size(); ++i) {
    const ConfigKey& key = ConfigKeys()[i];
    const nlohmann::ordered_json value = ValueOf(key, config);
    all[key.FullName()] = {{"value", value}, {"from", reading.origins[i]}};
    if (flags.json) continue;
    const std::string text = ConfigText(key, config);
    fmt::print("{:<28} {:<20} {}\n", key.FullName(), text.empty() ? "-" : text, reading.origins[i]);
  }
  if (flags.json) Print(all);
  return Ok();
}

void AddCheckOne(CLI::App& config, int& exit_code) {
  const auto flags = std::make_shared<ConfigFlags>();
  CLI::App* command = config.add_subcommand(
      "check", "Every mistake in telltale.yaml, TELLTALE_* variables and --set; 1 if there is one");
  CLI::Option* dir =
      command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
          ->check(CLI::ExistingDirectory);
  command->add_option("FILE", flags->file, "Such a file, wherever it is")->excludes(dir);
  AddSetOption(*command, flags->settings);
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([flags, &exit_code] {
    const Result<int> checked = Check(*flags);
    exit_code = checked.ok() ? *checked : ExitCode(checked.error());
  });
}

void AddShow(CLI::App& config, int& exit_code) {
  const auto flags = std::make_shared<ConfigFlags>();
  CLI::App* command =
      config.add_subcommand("show", "The values in force, and for each where it comes from");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  AddSetOption(*command, flags->settings);
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([flags, &exit_code] { exit_code = ExitCode(Show(*flags)); });
}

}  // namespace

void AddSetOption(CLI::App& command, std::vector<std::string>& settings) {
  command
      .add_option("--set", settings,
                  "SECTION.KEY=VALUE before what the environment and telltale.yaml say; may be "
                  "repeated")
      ->type_name("SECTION.KEY=VALUE")
      ->type_size(1)
      ->allow_extra_args(false);
}

void AddConfigCommand(CLI::App& app, int& exit_code) {
  CLI::App* config = app.add_subcommand("config", "telltale.yaml: check it, show what holds");
  config->require_subcommand(1);
  AddCheckOne(*config, exit_code);
  AddShow(*config, exit_code);
  config->add_subcommand("reference", "Every key there is, as the page docs/configuration.md")
      ->callback([] { fmt::print("{}", ConfigReference()); });
}

}  // namespace telltale::app
