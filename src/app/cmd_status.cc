#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_lines.h"
#include "app/operations_state.h"
#include "app/serve.h"
#include "app/streams.h"
#include "base/config.h"

namespace telltale::app {
namespace {

using nlohmann::json;

// As scripts see it: docs/operate.md.
constexpr int kReady = 0;
constexpr int kNotReady = 1;
constexpr int kCannotTell = 2;

// {pid, alive, port, counters}
json RoleToJson(const RoleState& role) {
  json one = {{"alive", role.is_up}};
  if (!role.is_wanted) one["left_out"] = true;
  if (!role.release.empty()) {
    one["release"] = role.release;
    one["place"] = role.place;
  }
  if (!role.trouble.empty()) one["trouble"] = role.trouble;
  if (role.pid) one["pid"] = *role.pid;
  if (role.port) one["port"] = *role.port;
  if (!role.counters.empty()) one["counters"] = role.counters;
  return one;
}

// {"serving", "ready", "causes": [text], "warnings": [text], "roles": {name: role}, "counters":
// {name: value},
//  "consumers": {name: {stream: {"lag", "shards": [{"shard", "lag"}]}}},
//  "control": answer of GET /v1/status, or {"error"}; not there where no control plane is kept}
json ToJson(const OperationsState& state) {
  json status;
  const auto causes = NotReadyCauses(state);
  status["serving"] = state.is_serving;
  status["ready"] = causes.empty();
  status["causes"] = causes;
  status["warnings"] = Warnings(state);
  status["counters"] = json::object();
  for (const RoleState& role : state.roles) {
    status["roles"][role.name] = RoleToJson(role);
    if (!role.is_required) continue;  // what a second release counts was counted already
    // Roles may count under the same name: the merged count is the sum.
    for (const auto& [name, value] : role.counters) {
      json& sum = status["counters"][name];
      sum = value + (sum.is_null() ? 0 : sum.get<std::uint64_t>());
    }
  }
  status["consumers"] = json::object();
  for (const ConsumerLag& lag : state.lags) {
    json& one = status["consumers"][lag.consumer][lag.stream];
    if (one.is_null()) one = json::object();
    one["lag"] = one.value("lag", std::uint64_t{0}) + lag.records;
    one["shards"].push_back({{"shard", lag.shard}, {"lag", lag.records}});
  }
  return status;
}

void Print(const json& status) {
  fmt::print("serving {}, ready {}\n", status["serving"].get<bool>() ? "yes" : "no",
             status["ready"].get<bool>() ? "yes" : "no");
  for (const json& cause : status["causes"]) fmt::print("  {}\n", cause.get<std::string>());
  for (const json& warning : status["warnings"]) {
    fmt::print("  warning: {}\n", warning.get<std::string>());
  }
  for (const auto& [role, one] : status["roles"].items()) {
    fmt::print("{:<15} {:<5} pid {:<8} port {}\n", role, one["alive"].get<bool>() ? "runs" : "-",
               one.contains("pid") ? one["pid"].dump() : "-", one.value("port", "-"));
  }
  for (const auto& [consumer, streams] : status["consumers"].items()) {
    for (const auto& [stream, one] : streams.items()) {
      fmt::print("{:<20} {:<10} {} records behind\n", consumer, stream, one["lag"].dump());
    }
  }
  for (const auto& [name, value] : status["counters"].items()) {
    fmt::print("{} {}\n", name, value.dump());
  }
}

constexpr std::chrono::milliseconds kControlTimeout{2'000};

// What runs where, when the control plane is kept here.
void AskControlToo(const std::string& dir, json& status) {
  PosixDisk disk;
  if (!disk.Exists(Paths(dir).run() + "/control.port")) return;
  ControlFlags control;
  control.dir = dir;
  control.timeout = kControlTimeout;
  const auto answer = AskControl(control, net::HttpMethod::kGet, "status");
  status["control"] = answer.ok() ? *answer : json{{"error", answer.error().message}};
}

void PrintControl(const json& status) {
  const auto control = status.find("control");
  if (control == status.end()) return;
  if (control->contains("error")) fmt::print("control: {}\n", ShownOf(*control, "error"));
  for (const json& environment : control->value("environments", json::array())) {
    fmt::print("{}", EnvironmentLines(environment));
  }
}

// What makes any answer a guess.
Status CheckCanTell(const std::string& dir) {
  PosixDisk disk;
  const Paths paths(dir);
  if (!disk.Exists(paths.config()) || !disk.Exists(paths.run())) {
    return Error{Code::kNotFound, dir +
                                      " is no installation (it has no telltale.yaml and run/); "
                                      "`telltale init` makes one"};
  }
  const std::string lock = paths.run() + "/supervisor.lock";
  if (access(paths.run().c_str(), R_OK | X_OK) != 0 ||
      (disk.Exists(lock) && access(lock.c_str(), R_OK) != 0)) {
    return Error{Code::kRefused, "you may not read " + paths.run()};
  }
  return Ok();
}

struct StatusFlags {
  std::string dir;
  bool json = false;
};

int Run(const StatusFlags& flags) {
  if (const Status can_tell = CheckCanTell(flags.dir); !can_tell.ok()) {
    (void)ExitCode(can_tell);  // says why
    return kCannotTell;
  }
  PosixDisk disk;
  const SystemClock clock;
  json status = ToJson(LookAtOperations(disk, clock, flags.dir, *StreamsOrFiles(disk, flags.dir)));
  AskControlToo(flags.dir, status);
  if (flags.json) {
    fmt::print("{}\n", status.dump(2));
  } else {
    Print(status);
    PrintControl(status);
  }
  return status["ready"].get<bool>() ? kReady : kNotReady;
}

}  // namespace

void AddStatusCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<StatusFlags>();
  CLI::App* command = app.add_subcommand(
      "status",
      "What runs, on which ports, and the counters; exit code 0: ready, 1: not ready, 2: "
      "cannot tell");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([flags, &exit_code] { exit_code = Run(*flags); });
}

}  // namespace telltale::app
