#include "app/operations.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "app/metrics.h"
#include "app/operations_state.h"
#include "app/run_files.h"
#include "base/config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "log/kafka/open_streams.h"
#include "net/http_token.h"

namespace telltale::app {
namespace {

constexpr std::chrono::seconds kCountersPause{1};

Status Run(const RoleOptions& options) {
  const Paths paths(options.dir);
  PosixDisk posix_disk;
  Disk& disk = posix_disk;
  const SystemClock clock;
  Counters counters;
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging("operations", config.logging_format, config.logging_level));
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/counters"));
  ASSIGN_OR_RETURN(std::string token, net::LoadHttpToken(config.operations_token_file));
  ASSIGN_OR_RETURN(const auto streams, log::kafka::OpenStreams(disk, config, paths));
  OperationsPages pages(disk, clock, *streams, options.dir);
  ASSIGN_OR_RETURN(const auto server,
                   net::HttpServer::Start({.section = "operations",
                                           .listen = config.operations_listen,
                                           .port = config.operations_port,
                                           .tls_certificate = config.operations_tls_certificate,
                                           .tls_key = config.operations_tls_key,
                                           .token = std::move(token)},
                                          pages, counters));
  RETURN_IF_ERROR(WriteFileDurably(disk, paths.run() + "/operations.port",
                                   std::to_string(server->port()) + "\n", 0644));
  spdlog::info("operations: metrics and health on port {}", server->port());
  do {
    const Status written = WriteCounters(paths.run() + "/counters", "operations", counters);
    if (!written.ok()) spdlog::warn("operations: counters: {}", written.error().message);
  } while (!WaitForStop(kCountersPause));
  return Ok();
}

}  // namespace

net::HttpResponse OperationsPages::Handle(const net::HttpRequest& request) {
  if (request.path == "/healthz") {
    if (SupervisorLock::IsHeld(Paths(dir_).run())) return {200, "text/plain", "ok\n"};
    return {503, "text/plain", "nobody holds run/supervisor.lock\n"};
  }
  if (request.path != "/readyz" && request.path != "/metrics") {
    return {404, "text/plain", "there is /metrics, /healthz and /readyz\n"};
  }
  const OperationsState state = LookAtOperations(disk_, clock_, dir_, streams_);
  if (request.path == "/metrics") {
    return {200, kMetricsContentType, MetricsText(state, TELLTALE_VERSION)};
  }
  const auto causes = NotReadyCauses(state);
  if (causes.empty()) return {200, "text/plain", "ready\n"};
  return {503, "text/plain", fmt::format("{}\n", fmt::join(causes, "\n"))};
}

int RunOperationsRole(const RoleOptions& options) {
  StartLogging("operations");
  const Status done = Run(options);
  if (done.ok()) return 0;
  spdlog::error("operations: {}", done.error().ToString());
  return 1;
}

}  // namespace telltale::app
