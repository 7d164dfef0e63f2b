// The role `operations`: metrics and health over HTTP, for monitoring and load balancers.
//   in      run/ and the log's ends and positions: files only
//   out     GET /metrics, /healthz, /readyz on operations.listen:operations.port
//   owns    run/operations.port
// A process of its own, as the platform's user: whoever parses HTTP is neither root nor near a key.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/disk.h"
#include "base/role.h"
#include "log/streams.h"
#include "net/http_server.h"

namespace telltale::app {

// Answers from what it reads at that moment. The HTTP server's thread only.
class OperationsPages final : public net::HttpHandler {
 public:
  // All must outlive it.
  OperationsPages(Disk& disk, const Clock& clock, log::Streams& streams, std::string dir)
      : disk_(disk), clock_(clock), streams_(streams), dir_(std::move(dir)) {}

  // /healthz  200 while a supervisor holds its lock, so that what dies is started again; else 503
  // /readyz   200, or 503 with one line per cause
  // /metrics  200, Prometheus text
  net::HttpResponse Handle(const net::HttpRequest& request) override;

 private:
  Disk& disk_;
  const Clock& clock_;
  log::Streams& streams_;
  std::string dir_;
};

// Runs until asked to stop; the process's exit code.
int RunOperationsRole(const RoleOptions& options);

}  // namespace telltale::app
