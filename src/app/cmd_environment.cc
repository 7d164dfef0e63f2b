// `telltale environment|cohort|gate|policy|mirror|role-binding list|show|put|delete`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"
#include "base/disk.h"
#include "control/http/yaml_json.h"

namespace telltale::app {
namespace {

using net::HttpMethod;
using nlohmann::json;

struct Kind {
  const char* name;
  const char* plural;
  const char* what;
  const char* columns[3];  // of list, beside the key
};

constexpr Kind kKinds[] = {
    {"environment", "environments", "Installations that run releases", {"kind", "upstream", "dir"}},
    {"cohort", "cohorts", "Which vehicles come first", {"salt", "always", "never"}},
    {"gate", "gates", "What must be so before the next stage", {"kind", "", ""}},
    {"policy", "policies", "Stages, soak and freeze windows", {"kind", "cohort", "warm_up_s"}},
    {"mirror", "mirrors", "Environments fed by another's records", {"from", "to", "per_10000"}},
    {"role-binding", "role-bindings", "Who may what", {"subject", "role", "environments"}},
};

struct EnvironmentFlags {
  const Kind* kind = nullptr;
  ControlFlags control;
  std::string key;
  std::string file;
};

std::string PathOf(const EnvironmentFlags& flags) {
  return fmt::format("{}/{}", flags.kind->plural, net::EscapeForHttp(flags.key));
}

Status ListObjects(const EnvironmentFlags& flags) {
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kGet, flags.kind->plural));
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return Ok();
  }
  const json items = answer.value("items", json::array());
  for (const json& one : items) {
    std::string line = fmt::format("{:<24}", ShownOf(one, "key"));
    for (const char* column : flags.kind->columns) {
      if (column[0] != '\0') line += fmt::format(" {:<16}", ShownOf(one, column));
    }
    while (line.ends_with(' ')) line.pop_back();
    fmt::print("{}\n", line);
  }
  if (items.empty()) {
    fmt::print(stderr, "none yet: `telltale {} put KEY -f FILE.yaml`\n", flags.kind->name);
  }
  return Ok();
}

Status ShowObject(const EnvironmentFlags& flags) {
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, HttpMethod::kGet, PathOf(flags)));
  PrintControlJson(answer);
  return Ok();
}

Result<std::string> TextOf(const std::string& file) {
  if (file == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  PosixDisk disk;
  return ReadWholeFile(disk, file, 1u << 20);
}

Status PutObject(EnvironmentFlags flags) {
  ASSIGN_OR_RETURN(const std::string text, TextOf(flags.file));
  auto object = control::JsonOfYaml(text);
  if (!object.ok()) return Annotate(object.error(), flags.file);
  if (!object->is_object()) {
    return Error{Code::kInvalid, flags.file + " must hold the members of one " + flags.kind->name};
  }
  const auto key = object->find("key");
  if (flags.key.empty() && key != object->end() && key->is_string()) {
    flags.key = key->get<std::string>();
  }
  if (flags.key.empty()) {
    return Error{Code::kInvalid, "which one? Give KEY, or `key:` in " + flags.file};
  }
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kPut, PathOf(flags), *object));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    fmt::print("{} {} is so\n", flags.kind->name, flags.key);
  }
  return Ok();
}

Status Delete(const EnvironmentFlags& flags) {
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kDelete, PathOf(flags)));
  if (flags.control.as_json) {
    PrintControlJson({{"deleted", flags.key}});
  } else {
    fmt::print("{} {} is gone\n", flags.kind->name, flags.key);
  }
  return Ok();
}

void AddKind(CLI::App& app, const Kind& kind, int& exit_code) {
  CLI::App* command = app.add_subcommand(kind.name, kind.what);
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, auto run) {
    const auto flags = std::make_shared<EnvironmentFlags>();
    flags->kind = &kind;
    CLI::App* one = command->add_subcommand(name, what);
    AddControlOptions(*one, flags->control);
    one->callback([flags, run, &exit_code] { exit_code = ExitCode(run(*flags)); });
    return std::pair{one, flags};
  };
  add("list", "All of them", ListObjects);
  auto [show, show_flags] = add("show", "One, as JSON", ShowObject);
  show->add_option("KEY", show_flags->key, "Its key")->required();
  auto [put, put_flags] = add("put", "Make or replace one, as a whole", PutObject);
  put->add_option("KEY", put_flags->key, "Its key; or `key:` in the file");
  put->add_option("-f,--file", put_flags->file, "YAML with its members; - = standard input")
      ->required();
  auto [remove, remove_flags] = add("delete", "Remove one", Delete);
  remove->add_option("KEY", remove_flags->key, "Its key")->required();
}

}  // namespace

void AddControlObjectCommands(CLI::App& app, int& exit_code) {
  for (const Kind& kind : kKinds) AddKind(app, kind, exit_code);
  AddGateCommands(*app.get_subcommand("gate"), exit_code);
  AddCohortPreview(*app.get_subcommand("cohort"), exit_code);
}

}  // namespace telltale::app
