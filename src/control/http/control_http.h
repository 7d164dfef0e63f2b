// The control plane's door: HTTP requests as operations of the plane (docs/control.md), answers and
// errors as JSON; and the page (control/page/), which reads the API with a token of its reader's.
// Who asks is a client certificate's common name or a token's name; what he may is the plane's to
// say. Nothing of a token is ever in an answer, a message or a log.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "control/http/routes.h"
#include "control/http/tokens.h"
#include "control/plane.h"
#include "net/http_server.h"

namespace telltale::control {

// What one subject may ask: this many at once, and so many a second from then on; above it 429.
inline constexpr std::int64_t kRequestsBurstMax = 2000;
inline constexpr std::int64_t kRequestsPerSMax = 200;
inline constexpr std::size_t kWorkers = 8;
inline constexpr int kJsonDepthMax = 32;

// {"error": {"code", "message", "next"}}
net::HttpResponse ErrorAnswer(const Error& error);

// Must outlive its server, which needs workers: Serve() blocks.
class ControlHttp final : public net::HttpHandler {
 public:
  // All must outlive it.
  //   kInvalid  the API's document cannot be read (a mistake of the build)
  static Result<std::unique_ptr<ControlHttp>> Make(Plane& plane, const TokenBook& tokens,
                                                   const Clock& clock);

  net::HttpRoute RouteOf(const std::string& path) override;
  std::optional<net::HttpResponse> RefuseEarly(const net::HttpRequest& head) override;
  net::HttpResponse Worded(net::HttpResponse refusal) override;
  net::HttpAnswer Serve(const net::HttpRequest& request) override;

 private:
  struct Allowance {
    std::int64_t micro_requests;  // millionths of a request
    Micros at;
  };
  ControlHttp(Plane& plane, const TokenBook& tokens, const Clock& clock, std::string openapi);
  std::string SubjectOf(const net::HttpRequest& request) const;
  bool MayAskNow(const std::string& subject);

  Plane& plane_;
  const TokenBook& tokens_;
  const Clock& clock_;
  const std::string openapi_;  // JSON
  Mutex mutex_;
  std::map<std::string, Allowance> allowances_ GUARDED_BY(mutex_);
};

}  // namespace telltale::control
