#include "app/serve.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <functional>

#include "app/demo_keys.h"
#include "app/release_workers.h"
#include "app/roles.h"
#include "app/subject_errand.h"
#include "app/supervisor.h"
#include "app/transport_keys.h"
#include "app/users.h"
#include "base/logging.h"
#include "base/stop.h"
#include "control/config_record.h"
#include "control/release.h"

namespace telltale::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 50ms;                // how often children are looked after
constexpr auto kReadyTimeout = 60s;         // from the start to run/ready
constexpr auto kSteady = 500ms;             // a role that lived this long got over its own start
constexpr auto kConfigTimeout = 5s;         // one attempt to put the first config in force
constexpr std::uint32_t kEarlyEndsMax = 5;  // a role that dies more often does not get ready

// A connection a vehicle: as many files as the system allows.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class Service {
 public:
  Service(const ServeOptions& options, Config config, std::optional<Users> users)
      : options_(options),
        config_(std::move(config)),
        users_(users),
        paths_(options.dir),
        run_files_(paths_.run()),
        supervisor_(clock_, run_files_),
        workers_(WorkerOptions(), disk_, clock_, supervisor_, run_files_) {}

  // Everything that can be refused before a process starts.
  Status Check();
  Status Run();

 private:
  bool Wanted(const std::string& role) const {
    if (role == "lake-feed" && config_.log_backend == "files") return false;  // nothing to copy
    if (role == "control" && config_.control_http == "off") return false;
    if (!options_.only.empty() && !options_.only.contains(role)) return false;
    return !options_.without.contains(role);
  }
  std::vector<std::string> WantedRoles() const {
    std::vector<std::string> roles;
    for (const char* role : kRoles) {
      if (Wanted(role)) roles.push_back(role);
    }
    return roles;
  }
  Status Keep(const std::string& role);
  Program ErasureProgram() const;
  Status StartAll();
  Status PutFirstConfigInForce();
  Status InstallFirstAuthority();
  // Looks after the children until `done`, a stop, a role that keeps dying, or kReadyTimeout.
  Status WaitUntil(const std::string& what, const std::function<bool()>& done);
  ReleaseWorkers::Options WorkerOptions() const;
  // The name under which the supervisor knows a role.
  std::string KeptName(const std::string& role) const {
    return role == "worker" ? workers_.stable_name() : role;
  }
  void Look();

  const ServeOptions& options_;
  Config config_;
  std::optional<Users> users_;
  Paths paths_;
  RunFiles run_files_;
  PosixDisk disk_;
  SystemClock clock_;
  Supervisor supervisor_;
  ReleaseWorkers workers_;
  std::string first_config_;  // bytes of the SignedConfig
  control::InForce in_force_;
  Micros ready_deadline_;
  bool has_workers_ = false;  // they were started
};

ReleaseWorkers::Options Service::WorkerOptions() const {
  return {.paths = paths_,
          .layout = options_.layout,
          .config = config_,
          .program = [this](const std::string& release) {
            return ProgramOf("worker", options_, release, users_);
          }};
}

void Service::Look() {
  supervisor_.Look();
  if (has_workers_) workers_.Look();
}

Status Service::Check() {
  if (options_.seed && !options_.demo) {
    return Error{Code::kInvalid, "--seed makes references guessable: it needs --demo"};
  }
  if (options_.only.contains("control") && config_.control_http == "off") {
    return Error{Code::kInvalid, "--role control needs control.http: on in telltale.yaml"};
  }
  if (options_.demo && config_.environment_kind == "prod") {
    return Error{Code::kRefused, "--demo is refused in an environment of kind prod"};
  }
  RETURN_IF_ERROR(CheckDemoKeys(disk_, paths_, config_, options_.demo));
  if (!users_ && config_.environment_kind == "prod") {
    return Error{Code::kRefused,
                 "environment.kind prod refuses a vault under the same user; make the "
                 "installation with `telltale init --users required`"};
  }
  if (!users_ && config_.users == "required") {
    return Error{Code::kRefused, "users: required, but the installation was made for one user"};
  }
  if (users_ && geteuid() != 0) {
    return Error{Code::kRefused, "the installation is for two users: only root can start it"};
  }
  for (const char* role : kRoles) {
    if (Wanted(role)) RETURN_IF_ERROR(CheckProgram(ProgramPathOf(role, options_.layout)));
  }
  ASSIGN_OR_RETURN(first_config_, ReadWholeFile(disk_, control::FirstConfigPath(paths_), 1u << 20));
  ASSIGN_OR_RETURN(const std::string control_public,
                   seal::LoadKey(disk_, paths_.keys() + "/control.pub"));
  ASSIGN_OR_RETURN(in_force_, control::VerifyConfig(first_config_, control_public));
  workers_.Begin(in_force_, control_public);
  const std::string& stable = workers_.in_force().SpeakerOfStable();
  if (Wanted("worker")) {
    ASSIGN_OR_RETURN([[maybe_unused]] const std::string engine,
                     EngineOf(disk_, paths_, options_.layout, config_, stable));
  } else {
    ASSIGN_OR_RETURN([[maybe_unused]] const control::Release release,
                     control::LoadRelease(disk_, paths_, stable));
  }
  return Ok();
}

Status Service::Keep(const std::string& role) {
  if (!Wanted(role)) return Ok();
  if (role == "worker") {
    RETURN_IF_ERROR(workers_.StartStable());
    has_workers_ = true;
    return Ok();
  }
  Program program = ProgramOf(role, options_, in_force_.stable_release, users_);
  if (role == "committer") {  // it reads no telltale.yaml
    program.variables.push_back("TELLTALE_LOGGING_FORMAT=" + config_.logging_format);
    program.variables.push_back("TELLTALE_LOGGING_LEVEL=" + config_.logging_level);
  }
  return supervisor_.Keep(program);
}

Status Service::WaitUntil(const std::string& what, const std::function<bool()>& done) {
  while (!done()) {
    if (WaitForStop(kLook)) return Ok();
    Look();
    for (const char* role : kRoles) {
      if (supervisor_.early_ends(KeptName(role)) < kEarlyEndsMax) continue;
      return Error{Code::kUnavailable,
                   fmt::format("{} ended {} times at once; its messages above say why", role,
                               kEarlyEndsMax)};
    }
    if (clock_.NowMonotonic() >= ready_deadline_) {
      return Error{Code::kUnavailable, fmt::format("{} within {} s", what, kReadyTimeout.count())};
    }
  }
  return Ok();
}

Status Service::PutFirstConfigInForce() {
  Status last = Ok();
  const Status waited = WaitUntil("the gateway took no config", [&] {
    last = control::SendConfig(paths_.append_socket(), first_config_, kConfigTimeout);
    // Until it listens, and if it dies on the way, it is unavailable: try again.
    return last.ok() || last.error().code != Code::kUnavailable;
  });
  if (!waited.ok()) return last.ok() ? waited : Annotate(waited.error(), last.error().message);
  if (StopRequested()) return Ok();
  if (!last.ok()) return Annotate(last.error(), "putting the first config in force");
  return Ok();
}

Status Service::InstallFirstAuthority() {
  Program program = ProgramOf("publisher", options_, in_force_.stable_release, users_);
  program.name = "first-authority";
  program.arguments = {
      options_.layout.telltale, "role", "first-authority", "--dir", options_.dir, "--release",
      in_force_.stable_release};
  ASSIGN_OR_RETURN(const pid_t pid, Start(program));
  ASSIGN_OR_RETURN(const int status, WaitFor(pid));
  if (status == 0) return Ok();
  return Error{Code::kUnavailable,
               fmt::format("the first authority cannot be installed: it {}", DescribeEnd(status))};
}

// As whoever keeps the alert store: what it makes must be that user's.
Program Service::ErasureProgram() const {
  Program program = ProgramOf("publisher", options_, in_force_.stable_release, users_);
  program.name = "erasures";
  program.arguments = {options_.layout.telltale, "subject", "resume", "--dir", options_.dir};
  return program;
}

Status Service::StartAll() {
  RETURN_IF_ERROR(Keep("operations"));  // first: /readyz says why it is not ready yet
  RETURN_IF_ERROR(Keep("registry"));
  RETURN_IF_ERROR(Keep("gateway"));
  if (Wanted("gateway")) {
    RETURN_IF_ERROR(PutFirstConfigInForce());
    RETURN_IF_ERROR(WaitUntil("the gateway did not open its door",
                              [&] { return run_files_.Exists("gateway.port"); }));
  }
  if (StopRequested()) return Ok();
  if (Wanted("publisher")) RETURN_IF_ERROR(InstallFirstAuthority());
  RETURN_IF_ERROR(Keep("control"));
  for (const char* role : {"publisher", "worker", "lake-feed", "lake", "committer", "vault"}) {
    RETURN_IF_ERROR(Keep(role));
  }
  return WaitUntil("not every role got ready", [&] {
    if (Wanted("publisher") && !run_files_.Exists("publisher.port")) return false;
    if (Wanted("control") && !run_files_.Exists("control.port")) return false;
    if (Wanted("operations") && !run_files_.Exists("operations.port")) return false;
    if (Wanted("vault") && !disk_.Exists(paths_.vault_socket())) return false;
    return supervisor_.AllRunFor(kSteady);
  });
}

Status Service::Run() {
  run_files_.RemoveStale();
  RETURN_IF_ERROR(run_files_.Write("supervisor.pid", std::to_string(getpid()) + "\n"));
  RETURN_IF_ERROR(run_files_.WriteWanted(WantedRoles()));
  ready_deadline_ = clock_.NowMonotonic() + Micros::Seconds(kReadyTimeout.count());
  const Status started = StartAll();
  if (started.ok() && !StopRequested()) {
    RETURN_IF_ERROR(run_files_.Write("ready", ""));
    spdlog::info("serve: ready");
    ErasureErrand erasures(disk_, clock_, paths_.erased() + "/jobs", ErasureProgram());
    while (!WaitForStop(kLook)) {
      Look();
      erasures.Look();
    }
  }
  if (StopRequested()) spdlog::info("serve: stopping");
  run_files_.Remove("ready");
  supervisor_.EndAll();
  // Where the feed was; the supervisor knows the ports by the roles' names alone.
  run_files_.Remove("feed.port");
  run_files_.Remove("supervisor.pid");
  return started;
}

}  // namespace

Status Serve(const ServeOptions& options) {
  PosixDisk disk;
  const Paths paths(options.dir);
  ASSIGN_OR_RETURN(Config config, Config::Load(disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging("serve", config.logging_format, config.logging_level));
  ASSIGN_OR_RETURN(const std::optional<Users> users, UsersOf(paths));
  Service service(options, std::move(config), users);
  RETURN_IF_ERROR(service.Check());
  if (!users) {
    spdlog::warn("serve: one user runs everything: the boundary around the vault is NOT enforced");
  }
  if (const std::string warning = TransportKeysWarning(disk, paths, SystemClock().NowUtc());
      !warning.empty()) {
    spdlog::warn("serve: {}", warning);
  }
  ASSIGN_OR_RETURN(const SupervisorLock lock, SupervisorLock::Take(paths.run()));
  RaiseFileLimit();
  return service.Run();
}

}  // namespace telltale::app
