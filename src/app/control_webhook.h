// Tells somebody outside what happened to rollouts: docs/control.md, webhook. In order, each until
// it was taken or given up; the plane remembers across restarts.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "control/plane.h"
#include "net/http_client.h"

namespace telltale::app {

inline constexpr int kWebhookTriesMax = 10;  // 1, 2, 4 … 300 s apart: about a quarter of an hour
inline constexpr Micros kWebhookPauseMax = Micros::Seconds(300);

struct WebhookOptions {
  std::string url;
  std::string secret_file;  // read for each look, so that a new secret needs no restart
  std::string ca = {};
};

// "sha256=<hex>": HMAC-SHA256 with the secret over "<timestamp_s>.<body>".
std::string WebhookSignature(std::string_view secret, std::int64_t timestamp_s,
                             std::string_view body);

class ControlWebhook {
 public:
  using Ask = std::function<Result<net::HttpResponse>(const net::HttpClientOptions& options,
                                                      const net::HttpQuestion& question)>;
  // References must outlive it.
  struct Parts {
    control::Plane& plane;
    Disk& disk;
    const Clock& clock;
    Counters& counters;
    Ask ask = net::AskHttp;
  };
  ControlWebhook(Parts parts, WebhookOptions options)
      : parts_(std::move(parts)), options_(std::move(options)) {}

  // Tells what is due, at most a few. Call about every second; one thread.
  void Look();

 private:
  Status Tell(const nlohmann::json& event);
  bool Settle(nlohmann::json event, const Status& told);
  Result<std::string> Secret();

  Parts parts_;
  const WebhookOptions options_;
  std::string trouble_;  // what was said last
};

}  // namespace telltale::app
