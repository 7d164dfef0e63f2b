// The feed's answers (docs/formats/feed.md), from a read-only connection of its own.
#pragma once

#include "net/http_server.h"
#include "publish/alert_store.h"

namespace telltale::publish {

// The HTTP server's thread only.
class Feed final : public net::HttpHandler {
 public:
  explicit Feed(AlertStore store) : store_(std::move(store)) {}

  net::HttpResponse Handle(const net::HttpRequest& request) override;
  std::string_view stream_path() const override { return "/v1/alerts/feed"; }
  std::string_view stream_event_name() const override { return "alert"; }
  Result<std::uint64_t> NewestId() override { return store_.NewestChange(); }
  Result<std::vector<net::StreamEvent>> EventsAfter(std::uint64_t after,
                                                    std::size_t bytes_max) override;

 private:
  AlertStore store_;
};

}  // namespace telltale::publish
