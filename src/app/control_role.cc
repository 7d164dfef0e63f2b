#include "app/control_role.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "app/cmd_release.h"
#include "app/control_gauges.h"
#include "app/control_lake.h"
#include "app/control_lake_findings.h"
#include "app/control_ledger.h"
#include "app/control_live.h"
#include "app/control_vehicles.h"
#include "app/control_webhook.h"
#include "app/run_files.h"
#include "base/config.h"
#include "base/logging.h"
#include "base/random.h"
#include "base/stop.h"
#include "control/http/control_http.h"
#include "control/plane.h"
#include "control/release_shelf.h"

namespace telltale::app {
namespace {

constexpr std::chrono::milliseconds kTick{250};
constexpr int kTicksBetweenLooks = 4;     // at tokens; counters are written too
constexpr int kTicksBetweenReloads = 20;  // of TLS
constexpr std::chrono::milliseconds kLakeLook{1000};

class ControlRole {
 public:
  ControlRole(const RoleOptions& options, Config config)
      : paths_(options.dir), config_(std::move(config)), live_(disk_, clock_) {}
  ~ControlRole() { RunFiles(paths_.run()).Remove("control.token"); }

  Status Run();

 private:
  Status OpenPlane();
  Status MakeLocalToken();
  Status StartServer();
  void LookAtTokens();
  void Tick();
  void RunErrands(const Layout& layout);  // until asked to stop
  // An environment without side effects tells nobody.
  bool IsTelling() const {
    return !config_.control_webhook_url.empty() && config_.environment_side_effects == "on";
  }

  const Paths paths_;
  const Config config_;
  PosixDisk posix_disk_;
  Disk& disk_ = posix_disk_;
  SystemClock clock_;
  SystemRandom random_;
  Counters counters_;
  ControlLive live_;
  control::TokenBook tokens_;
  std::string tokens_trouble_;  // what was said of the file last
  std::string tick_trouble_;
  std::unique_ptr<control::Plane> plane_;
  std::unique_ptr<control::ControlHttp> http_;
  std::unique_ptr<net::HttpServer> server_;
};

Status ControlRole::OpenPlane() {
  control::PlaneOptions options;
  options.dir = paths_.root;
  options.disk = &disk_;
  options.clock = &clock_;
  options.random = &random_;
  options.platform_uid = geteuid();
  options.releases = control::MakeStoreShelf(disk_, paths_, RulesCheckOfSafety());
  options.vehicles = VehiclesOfEnvironment;
  options.ledger = LedgerOfEnvironment;
  options.lake = [this](const std::string& dir, const std::string& release,
                        const std::string& salt) {
    return LakeFindings(disk_, dir, {.release = release, .salt = salt});
  };
  options.keeps_events = IsTelling();
  options.live = [this](const std::string& dir) { return live_.Look(dir); };
  ASSIGN_OR_RETURN(plane_, control::Plane::Open(std::move(options)));
  return Ok();
}

Status ControlRole::MakeLocalToken() {
  std::array<std::uint8_t, 32> bytes{};
  random_.Fill(bytes);
  const std::string token = HexEncode(bytes);
  RETURN_IF_ERROR(WriteFileDurably(disk_, paths_.run() + "/control.token", token + "\n", 0600));
  tokens_.SetLocal(token, "local:" + std::to_string(geteuid()));
  return Ok();
}

Status ControlRole::StartServer() {
  ASSIGN_OR_RETURN(http_, control::ControlHttp::Make(*plane_, tokens_, clock_));
  net::HttpOptions options;
  options.section = "control";
  options.listen = config_.control_listen;
  options.port = config_.control_port;
  options.tls_certificate = config_.control_tls_certificate;
  options.tls_key = config_.control_tls_key;
  options.tls_client_ca = config_.control_client_ca;
  options.tls_client_optional = true;
  options.handler_authenticates = true;
  options.workers = control::kWorkers;
  ASSIGN_OR_RETURN(server_, net::HttpServer::Start(options, *http_, counters_));
  spdlog::info("control: the API on {}:{}", config_.control_listen, server_->port());
  return WriteFileDurably(disk_, paths_.run() + "/control.port",
                          std::to_string(server_->port()) + "\n", 0644);
}

void ControlRole::LookAtTokens() {
  auto entries = control::ReadTokens(disk_, control::TokensPath(paths_));
  const std::string trouble = entries.ok() ? "" : entries.error().ToString();
  if (trouble != tokens_trouble_ && !trouble.empty()) spdlog::warn("control: {}", trouble);
  tokens_trouble_ = trouble;
  if (entries.ok()) tokens_.Set(std::move(entries).value());
}

void ControlRole::Tick() {
  const Status done = plane_->Tick();
  const std::string trouble = done.ok() ? "" : done.error().ToString();
  if (trouble != tick_trouble_ && !trouble.empty()) spdlog::error("control: {}", trouble);
  tick_trouble_ = trouble;
  if (!done.ok()) counters_.Get("tick_failures").Add();
}

void ControlRole::RunErrands(const Layout& layout) {
  const control::Actor self{"local:" + std::to_string(geteuid())};
  ControlLake lakes(*plane_, self, disk_, clock_, layout);
  ControlGauges gauges(*plane_, self, clock_, counters_);
  std::optional<ControlWebhook> webhook;
  if (IsTelling()) {
    webhook.emplace(ControlWebhook::Parts{*plane_, disk_, clock_, counters_},
                    WebhookOptions{.url = config_.control_webhook_url,
                                   .secret_file = config_.control_webhook_secret_file,
                                   .ca = config_.control_webhook_ca});
  }
  do {
    lakes.Look();
    gauges.Look();
    if (webhook) webhook->Look();
  } while (!WaitForStop(kLakeLook));
}

Status ControlRole::Run() {
  RETURN_IF_ERROR(disk_.MakeFolders(paths_.data() + "/control", 0755));
  RETURN_IF_ERROR(disk_.MakeFolders(paths_.run() + "/counters"));
  RETURN_IF_ERROR(OpenPlane());
  RETURN_IF_ERROR(MakeLocalToken());
  LookAtTokens();
  RETURN_IF_ERROR(StartServer());
  ASSIGN_OR_RETURN(const Layout layout, Layout::OfThisProgram());
  const std::jthread errands([&] { RunErrands(layout); });  // so that no tick waits for them
  int ticks = 0;
  do {
    Tick();
    counters_.Get("ticks").Add();
    ++ticks;
    if (ticks % kTicksBetweenLooks == 1) {
      LookAtTokens();
      const Status written = WriteCounters(paths_.run() + "/counters", "control", counters_);
      if (!written.ok()) spdlog::warn("control: counters: {}", written.error().message);
    }
    if (ticks % kTicksBetweenReloads == 0) {
      const auto reloaded = server_->ReloadTls();
      if (!reloaded.ok()) spdlog::warn("control: {}", reloaded.error().ToString());
    }
  } while (!WaitForStop(kTick));
  server_.reset();
  return Ok();
}

}  // namespace

int RunControlRole(const RoleOptions& options) {
  StartLogging("control");
  PosixDisk disk;
  auto config = Config::Load(disk, Paths(options.dir).config());
  Status done = config.ok()
                    ? ConfigureLogging("control", config->logging_format, config->logging_level)
                    : Status(config.error());
  if (done.ok()) done = ControlRole(options, std::move(config).value()).Run();
  if (done.ok()) return 0;
  spdlog::error("control: {}", done.error().ToString());
  return 1;
}

}  // namespace telltale::app
