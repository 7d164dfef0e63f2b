#include "app/up.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "app/init.h"
#include "app/run_files.h"
#include "app/supervisor.h"
#include "app/up_config.h"
#include "app/up_log.h"
#include "app/up_objects.h"
#include "base/clock.h"
#include "base/stop.h"

namespace telltale::app {
namespace {

using namespace std::chrono_literals;
using nlohmann::ordered_json;

constexpr auto kLook = 100ms;
constexpr auto kReadyTimeout = 180s;  // for all of them together, on a small machine
// A `serve` gives its own roles kEndGrace, and then kills them: it is not killed before that.
constexpr auto kServeGrace = kEndGrace + 10'000ms;
constexpr std::uint32_t kEarlyEndsMax = 3;
constexpr auto kDownTimeout = 60s;

std::string ServeName(const std::string& key) { return "serve-" + key; }

class Service {
 public:
  explicit Service(const UpOptions& options)
      : options_(options),
        trial_(options.trial),
        run_files_(options.data + "/run"),
        supervisor_(clock_, run_files_, kServeGrace) {}

  Status Run() {
    const Status started = Start();
    if (started.ok() && !StopRequested()) {
      ShowPage();
      while (!WaitForStop(kLook)) {
        supervisor_.Look();
        RETURN_IF_ERROR(WriteState());
      }
    }
    if (StopRequested()) fmt::print("stopping\n");
    supervisor_.EndAll();
    run_files_.Remove("ready");
    run_files_.Remove("supervisor.pid");
    return started;
  }

 private:
  Status Start() {
    RETURN_IF_ERROR(disk_.MakeFolders(options_.data + "/logs", 0755));
    run_files_.RemoveStale();
    RETURN_IF_ERROR(run_files_.Write("supervisor.pid", std::to_string(getpid()) + "\n"));
    ASSIGN_OR_RETURN(objects_, WriteObjects(disk_, trial_, options_.data));
    for (const TrialEnvironment& one : trial_.environments) {
      RETURN_IF_ERROR(Make(one));
      if (StopRequested()) return Ok();
    }
    for (const TrialEnvironment& one : trial_.environments) RETURN_IF_ERROR(Serve(one));
    RETURN_IF_ERROR(WaitUntilReady());
    if (StopRequested()) return Ok();
    RegisterWithControl();
    for (const TrialMirror& one : trial_.mirrors) RETURN_IF_ERROR(Mirror(one));
    for (const TrialEnvironment& one : trial_.environments) RETURN_IF_ERROR(Sim(one));
    RETURN_IF_ERROR(WriteState());
    return run_files_.Write("ready", "");
  }

  std::string DirOf(const std::string& key) const { return options_.data + "/" + key; }
  std::string LogOf(const std::string& name) const {
    return options_.data + "/logs/" + name + ".log";
  }

  // A folder that is there already is taken as it is, settings and all.
  Status Make(const TrialEnvironment& one) {
    InitOptions options;
    options.dir = DirOf(one.key);
    if (disk_.Exists(Paths(options.dir).config())) return Ok();
    fmt::print("{}: making {}\n", one.key, options.dir);
    std::fflush(stdout);
    ASSIGN_OR_RETURN(options.config, ConfigOfTrial(trial_, one));
    options.layout = options_.layout;
    options.vault_uids = {0};
    if (getuid() != 0) options.vault_uids.push_back(getuid());
    const auto made = Init(options);
    return made.ok() ? Ok() : Annotate(made.error(), "environment " + one.key);
  }

  Status Keep(const std::string& name, std::vector<std::string> arguments) {
    ASSIGN_OR_RETURN(ChildLog log, ChildLog::Open(LogOf(name)));
    Program program;
    program.name = name;
    program.arguments = std::move(arguments);
    program.arguments.insert(program.arguments.begin(), options_.layout.telltale);
    program.output_fd = program.error_fd = log.fd();
    logs_.push_back(std::move(log));
    return supervisor_.Keep(program);
  }

  Status Serve(const TrialEnvironment& one) {
    RunFiles(Paths(DirOf(one.key)).run()).Remove("ready");  // of a run that was killed
    std::vector<std::string> arguments = {"serve", DirOf(one.key)};
    for (const std::string& role : one.without) {
      arguments.insert(arguments.end(), {"--without", role});
    }
    return Keep(ServeName(one.key), std::move(arguments));
  }

  Status Mirror(const TrialMirror& one) {
    return Keep("mirror-" + one.key,
                {"mirror", "run", "--quiet", "--from", DirOf(one.from), "--to", DirOf(one.to),
                 "--name", one.key, "--share", std::to_string(one.per_10000), "--generation-hours",
                 std::to_string(one.generation_hours)});
  }

  Status Sim(const TrialEnvironment& one) {
    if (!one.sim) return Ok();
    return Keep("sim-" + one.key,
                {"sim", "--quiet", "--dir", DirOf(one.key), "--cars",
                 options_.data + "/sim/" + one.key, "--vehicles", std::to_string(one.sim->vehicles),
                 "--hz", fmt::format("{}", one.sim->report_hz), "--duration",
                 std::to_string(one.sim->duration_s), "--seed", std::to_string(one.sim->seed)});
  }

  bool IsReady(const std::string& key) const {
    return RunFiles(Paths(DirOf(key)).run()).Exists("ready");
  }

  Status WaitUntilReady() {
    const Micros began = clock_.NowMonotonic();
    std::set<std::string> ready;
    while (ready.size() < trial_.environments.size()) {
      if (WaitForStop(kLook)) return Ok();
      supervisor_.Look();
      const Micros waited = clock_.NowMonotonic() - began;
      for (const TrialEnvironment& one : trial_.environments) {
        if (supervisor_.early_ends(ServeName(one.key)) >= kEarlyEndsMax) {
          return Error{Code::kUnavailable, fmt::format("{} does not start; {} says why", one.key,
                                                       LogOf(ServeName(one.key)))};
        }
        if (ready.contains(one.key) || !IsReady(one.key)) continue;
        ready.insert(one.key);
        fmt::print("{}: ready after {:.1f} s\n", one.key, static_cast<double>(waited.value) / 1e6);
        std::fflush(stdout);
      }
      if (waited > Micros::Seconds(kReadyTimeout.count())) {
        return Error{Code::kUnavailable,
                     fmt::format("not every environment got ready within {} s; {}/logs says why",
                                 kReadyTimeout.count(), options_.data)};
      }
    }
    return Ok();
  }

  // Without it the environments run all the same; the objects are there to be put by hand.
  void RegisterWithControl() {
    if (!HasControlPlane() || trial_.control.empty()) return;
    const Status registered =
        RegisterEnvironments(objects_, DirOf(trial_.control), options_.layout);
    if (!registered.ok()) spdlog::warn("up: {}", registered.error().message);
  }

  int PortOf(const std::string& key, const std::string& name) const {
    const auto text = RunFiles(Paths(DirOf(key)).run()).Read(name + ".port");
    int port = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), port);
    return port;
  }

  ordered_json State() const {
    ordered_json state = {{"version", 1},
                          {"pid", getpid()},
                          {"control", trial_.control},
                          {"environments", ordered_json::array()},
                          {"mirrors", ordered_json::array()}};
    for (const TrialEnvironment& one : trial_.environments) {
      ordered_json entry = {{"key", one.key},
                            {"kind", one.kind},
                            {"dir", DirOf(one.key)},
                            {"mqtt_port", PortOf(one.key, "gateway")},
                            {"feed_port", PortOf(one.key, "feed")},
                            {"operations_port", PortOf(one.key, "operations")},
                            {"log", LogOf(ServeName(one.key))}};
      if (HasControlPlane() && one.key == trial_.control) {
        entry["control_port"] = PortOf(one.key, "control");
        entry["control_token_file"] = Paths(DirOf(one.key)).run() + "/control.token";
      }
      if (one.sim) entry["cars"] = options_.data + "/sim/" + one.key;
      state["environments"].push_back(entry);
    }
    for (const TrialMirror& one : trial_.mirrors) {
      state["mirrors"].push_back(
          {{"key", one.key},
           {"from", one.from},
           {"to", one.to},
           {"counters", Paths(DirOf(one.from)).data() + "/mirror/" + one.key + "/counters.json"}});
    }
    return state;
  }

  // Ports change where a role came back on another one.
  Status WriteState() {
    std::string text = State().dump(2) + "\n";
    if (text == written_) return Ok();
    RETURN_IF_ERROR(WriteFileDurably(disk_, options_.data + "/up.json", text));
    written_ = std::move(text);
    return Ok();
  }

  void ShowPage() const {
    fmt::print("\n{:<12} {:<8} {:>6} {:>6} {:>10} {:>8}  {}\n", "environment", "kind", "cars",
               "feed", "operations", "control", "folder");
    const auto shown = [](int port) { return port == 0 ? std::string("-") : std::to_string(port); };
    const ordered_json state = State();
    for (const auto& one : state["environments"]) {
      fmt::print("{:<12} {:<8} {:>6} {:>6} {:>10} {:>8}  {}\n", one["key"].get<std::string>(),
                 one["kind"].get<std::string>(), shown(one["mqtt_port"]), shown(one["feed_port"]),
                 shown(one["operations_port"]), shown(one.value("control_port", 0)),
                 one["dir"].get<std::string>());
    }
    for (const TrialMirror& one : trial_.mirrors) {
      fmt::print("mirror {}: {} of 10,000 vehicles of {} go to {}\n", one.key, one.per_10000,
                 one.from, one.to);
    }
    for (const auto& one : state["environments"]) {
      if (!one.contains("control_port")) continue;
      fmt::print("\nthe page is http://127.0.0.1:{}/ with the token in {}\n",
                 one["control_port"].get<int>(), one["control_token_file"].get<std::string>());
    }
    fmt::print("\nall of it is in {0}/up.json, logs in {0}/logs; Ctrl-C stops everything\n",
               options_.data);
    std::fflush(stdout);
  }

  const UpOptions& options_;
  const Trial& trial_;
  PosixDisk disk_;
  SystemClock clock_;
  RunFiles run_files_;
  std::vector<ChildLog> logs_;  // outlive the children
  Supervisor supervisor_;
  std::vector<TrialObject> objects_;
  std::string written_;
};

}  // namespace

Status Up(const UpOptions& options) {
  RETURN_IF_ERROR(CheckTrial(options.trial));
  PosixDisk disk;
  RETURN_IF_ERROR(disk.MakeFolders(options.data, 0755));
  RETURN_IF_ERROR(disk.MakeFolders(options.data + "/run", 0755));
  ASSIGN_OR_RETURN(const SupervisorLock lock, SupervisorLock::Take(options.data + "/run"));
  return Service(options).Run();
}

Status Down(const std::string& data) {
  const RunFiles run_files(data + "/run");
  const auto pid = run_files.ReadPid("supervisor");
  if (!pid || !SupervisorLock::IsHeld(run_files.folder())) {
    return Error{Code::kNotFound, "no `telltale up` runs in " + data};
  }
  if (kill(*pid, SIGTERM) != 0) {
    return Error{Code::kRefused, fmt::format("process {} is not ours to stop", *pid)};
  }
  SystemClock clock;
  const Micros deadline = clock.NowMonotonic() + Micros::Seconds(kDownTimeout.count());
  while (SupervisorLock::IsHeld(run_files.folder())) {
    if (WaitForStop(kLook) || clock.NowMonotonic() > deadline) {
      return Error{Code::kUnavailable, fmt::format("process {} still runs", *pid)};
    }
  }
  return Ok();
}

}  // namespace telltale::app
