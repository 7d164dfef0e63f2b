#include "publish/role.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "base/config.h"
#include "base/stop.h"
#include "net/http_token.h"
#include "publish/feed.h"
#include "publish/publisher.h"

namespace telltale::publish {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry{500};
constexpr milliseconds kWaitMax{50};
constexpr std::int64_t kCountersPaceUs = 1'000'000;

Status WritePorts(Disk& disk, const Paths& paths, std::uint16_t port) {
  const std::string text = std::to_string(port) + "\n";
  RETURN_IF_ERROR(WriteFileDurably(disk, paths.run() + "/feed.port", text, 0644));
  return WriteFileDurably(disk, paths.run() + "/publisher.port", text, 0644);
}

// False when asked to stop first.
Result<bool> WaitForAuthority(Publisher& publisher) {
  for (bool said = false; !StopRequested(); WaitForStop(kRetry)) {
    ASSIGN_OR_RETURN(const bool there, publisher.LoadAuthority());
    if (there) return true;
    if (!said) spdlog::warn("no release has authority: nothing is published until one has");
    said = true;
  }
  return false;
}

// One turn; gives whether more may be waiting. What time or a fresh look may heal, a full disk say,
// is waited out, and said once: `waits_for` is what it waited for in the turn before.
Result<bool> Turn(Publisher& publisher, std::string& waits_for) {
  auto more = publisher.RunOnce();
  if (more.ok() || more.error().code == Code::kCorrupt || more.error().code == Code::kUnsupported) {
    if (more.ok() && !std::exchange(waits_for, "").empty()) spdlog::info("goes on");
    return more;
  }
  const std::string why = more.error().ToString();
  if (std::exchange(waits_for, why) != why) spdlog::warn("{}; it is tried again", why);
  if (more.error().code == Code::kRefused) {
    RETURN_IF_ERROR(WaitForAuthority(publisher));
    return true;
  }
  WaitForStop(kRetry);
  return true;
}

Status Loop(Publisher& publisher, const Paths& paths, const Clock& clock, Counters& counters) {
  ASSIGN_OR_RETURN(const bool there, WaitForAuthority(publisher));
  if (!there) return Ok();
  const std::string socket =
      paths.run() + "/worker-" + publisher.Releases().front().substr(0, 8) + ".sock";
  log::WakeClient wake(socket);
  Micros counted_at{INT64_MIN / 2};
  std::string waits_for;
  while (!StopRequested()) {
    ASSIGN_OR_RETURN(const bool more, Turn(publisher, waits_for));
    const Micros now = clock.NowMonotonic();
    if (now - counted_at >= Micros{kCountersPaceUs}) {
      counted_at = now;
      const Status written = WriteCounters(paths.run() + "/counters", "publisher", counters);
      if (!written.ok()) spdlog::warn("counters: {}", written.error().ToString());
    }
    if (!more) wake.Wait(kWaitMax);
  }
  RETURN_IF_ERROR(publisher.SavePositions());
  return WriteCounters(paths.run() + "/counters", "publisher", counters);
}

Status Run(const RoleOptions& options) {
  const Paths paths(options.dir);
  PosixDisk posix_disk;
  Disk& disk = posix_disk;
  SystemClock clock;
  Counters counters;
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/counters"));
  const std::string database = paths.publish() + "/alerts.db";
  ASSIGN_OR_RETURN(AlertStore store, AlertStore::Open(database));
  ASSIGN_OR_RETURN(AlertStore reader, AlertStore::OpenReadOnly(database));

  Feed feed(std::move(reader));
  ASSIGN_OR_RETURN(std::string token, net::LoadHttpToken(config.feed_token_file));
  ASSIGN_OR_RETURN(const auto server,
                   net::HttpServer::Start({.section = "feed",
                                           .listen = config.feed_listen,
                                           .port = config.feed_port,
                                           .tls_certificate = config.feed_tls_certificate,
                                           .tls_key = config.feed_tls_key,
                                           .token = std::move(token)},
                                          feed, counters));
  RETURN_IF_ERROR(WritePorts(disk, paths, server->port()));
  spdlog::info("feed on port {}", server->port());

  Publisher publisher({.journal_dir = paths.journal(),
                       .positions_dir = paths.positions(),
                       .erasure_list = paths.erasure_list(),
                       .partitions = config.log_partitions,
                       .shards = config.log_shards},
                      std::move(store), disk, clock, counters, [&server] { server->Notify(); });
  return Loop(publisher, paths, clock, counters);
}

}  // namespace

int RunPublisherRole(const RoleOptions& options) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("publisher"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l publisher: %v", spdlog::pattern_time_type::utc);
  const Status status = Run(options);
  if (status.ok()) return 0;
  spdlog::error("{}", status.error().ToString());
  return 1;
}

}  // namespace telltale::publish
