#include <fmt/core.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/run_files.h"
#include "app/serve.h"
#include "base/config.h"

namespace telltale::app {
namespace {

bool IsAlive(pid_t pid) { return kill(pid, 0) == 0 || errno == EPERM; }

std::string WithoutNewline(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// Roles may count under the same name: the merged count is the sum.
void AddTo(nlohmann::json& merged, const nlohmann::json& counters) {
  for (const auto& [name, value] : counters.items()) {
    if (!value.is_number_unsigned()) continue;
    merged[name] = merged.value(name, std::uint64_t{0}) + value.get<std::uint64_t>();
  }
}

// {"serving", "ready", "roles": {name: {pid, alive, port, counters}}, "counters": {name: value}}
nlohmann::json Gather(const std::string& dir) {
  PosixDisk disk;
  const Paths paths(dir);
  const RunFiles run_files(paths.run());
  nlohmann::json status;
  const bool serving = SupervisorLock::IsHeld(paths.run());
  status["serving"] = serving;
  status["ready"] = serving && run_files.Exists("ready");
  status["counters"] = nlohmann::json::object();
  for (const char* role : kRoles) {
    nlohmann::json& one = status["roles"][role];
    const auto pid = run_files.ReadPid(role);
    // A pid file of a supervisor that was killed says nothing: its children died with it.
    one["alive"] = serving && pid && IsAlive(*pid);
    if (pid) one["pid"] = *pid;
    if (const auto port = run_files.Read(std::string(role) + ".port")) {
      one["port"] = WithoutNewline(*port);
    }
    const auto counters =
        ReadWholeFile(disk, paths.run() + "/counters/" + role + ".json", 1u << 20);
    if (!counters.ok()) continue;
    const auto parsed = nlohmann::json::parse(*counters, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object()) continue;
    one["counters"] = parsed;
    AddTo(status["counters"], parsed);
  }
  return status;
}

void Print(const nlohmann::json& status) {
  fmt::print("serving {}, ready {}\n", status["serving"].get<bool>() ? "yes" : "no",
             status["ready"].get<bool>() ? "yes" : "no");
  for (const auto& [role, one] : status["roles"].items()) {
    fmt::print("{:<10} {:<5} pid {:<8} port {}\n", role, one["alive"].get<bool>() ? "runs" : "-",
               one.contains("pid") ? one["pid"].dump() : "-", one.value("port", "-"));
  }
  for (const auto& [name, value] : status["counters"].items()) {
    fmt::print("{} {}\n", name, value.dump());
  }
}

struct Flags {
  std::string dir;
  bool json = false;
};

}  // namespace

void AddStatusCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand(
      "status", "What runs, on which ports, and the counters; exit code 1 unless all is ready");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([flags, &exit_code] {
    const nlohmann::json status = Gather(flags->dir);
    if (flags->json) {
      fmt::print("{}\n", status.dump(2));
    } else {
      Print(status);
    }
    exit_code = status["ready"].get<bool>() ? 0 : 1;
  });
}

}  // namespace telltale::app
