#include "publish/role.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "base/config.h"
#include "base/stop.h"
#include "net/http_token.h"
#include "publish/ears.h"
#include "publish/feed.h"
#include "publish/orders_desk.h"
#include "publish/publisher.h"
#include "seal/seal.h"

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

// What the loop stands on.
struct Desk {
  Bell bell;
  std::unique_ptr<OrdersDesk> orders;
  std::unique_ptr<Ears> ears;

  void AnswerAll(Publisher& publisher) {
    orders->AnswerAll([&publisher](const auto& request) { return publisher.Answer(request); });
    ears->ListenTo(publisher.Releases());
  }
};

// False when asked to stop first. Orders are answered meanwhile.
Result<bool> WaitForAuthority(Publisher& publisher, Desk& desk) {
  for (bool said = false; !StopRequested(); desk.bell.Wait(kRetry)) {
    ASSIGN_OR_RETURN(const bool there, publisher.LoadAuthority());
    desk.AnswerAll(publisher);
    if (there) return true;
    if (!said) spdlog::warn("no release has authority: nothing is published until one has");
    said = true;
  }
  return false;
}

// One turn; gives whether more may be waiting. What time or a fresh look may heal, a full disk say,
// is waited out, and said once: `waits_for` is what it waited for in the turn before.
Result<bool> Turn(Publisher& publisher, Desk& desk, std::string& waits_for) {
  desk.AnswerAll(publisher);
  auto more = publisher.RunOnce();
  if (more.ok() || more.error().code == Code::kCorrupt || more.error().code == Code::kUnsupported) {
    if (more.ok() && !std::exchange(waits_for, "").empty()) spdlog::info("goes on");
    return more;
  }
  const std::string why = more.error().ToString();
  if (std::exchange(waits_for, why) != why) spdlog::warn("{}; it is tried again", why);
  if (more.error().code == Code::kRefused) {
    RETURN_IF_ERROR(WaitForAuthority(publisher, desk));
    return true;
  }
  desk.bell.Wait(kRetry);
  return true;
}

Status Loop(Publisher& publisher, Desk& desk, const Paths& paths, const Clock& clock,
            Counters& counters) {
  ASSIGN_OR_RETURN(const bool there, WaitForAuthority(publisher, desk));
  if (!there) return Ok();
  Micros counted_at{INT64_MIN / 2};
  std::string waits_for;
  while (!StopRequested()) {
    ASSIGN_OR_RETURN(const bool more, Turn(publisher, desk, waits_for));
    const Micros now = clock.NowMonotonic();
    if (now - counted_at >= Micros{kCountersPaceUs}) {
      counted_at = now;
      const Status written = WriteCounters(paths.run() + "/counters", "publisher", counters);
      if (!written.ok()) spdlog::warn("counters: {}", written.error().ToString());
    }
    if (!more) desk.bell.Wait(kWaitMax);
  }
  RETURN_IF_ERROR(publisher.SavePositions());
  return WriteCounters(paths.run() + "/counters", "publisher", counters);
}

// Without it no config record can be told from a forged one, and none is taken.
std::string LoadControlKey(Disk& disk, const Paths& paths) {
  auto key = seal::LoadKey(disk, paths.keys() + "/control.pub");
  if (key.ok()) return std::move(key).value();
  spdlog::warn("no config record is taken: {}", key.error().ToString());
  return "";
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

  Desk desk;
  RETURN_IF_ERROR(disk.MakeFolders(paths.run() + "/publish"));
  ASSIGN_OR_RETURN(desk.orders, OrdersDesk::Start(paths.orders_socket(), desk.bell));
  desk.ears = std::make_unique<Ears>(paths.run(), desk.bell);
  Publisher publisher({.journal_dir = paths.journal(),
                       .positions_dir = paths.positions(),
                       .erasure_list = paths.erasure_list(),
                       .partitions = config.log_partitions,
                       .shards = config.log_shards,
                       .control_public = LoadControlKey(disk, paths),
                       .is_order_waiting = [&desk] { return desk.orders->is_waiting(); }},
                      std::move(store), disk, clock, counters, [&server] { server->Notify(); });
  return Loop(publisher, desk, paths, clock, counters);
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
