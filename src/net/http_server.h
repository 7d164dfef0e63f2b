// A small HTTP/1.1 server for people and their tools: plain requests, and streams of server-sent
// events. On an address that is not a loopback one only with TLS and a token.
//
// Flow control of a stream: the server asks its source for the events after the last one that was
// written, only when all before are in the socket's hands. So a slow reader costs one buffer of at
// most `stream_buffer_bytes_max`; one that takes nothing for `write_timeout` is disconnected and
// may come back with the last id it saw.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/counters.h"
#include "base/result.h"

namespace telltale::net {

inline constexpr std::size_t kHttpHeaderBytesMax = 8u << 10;
inline constexpr std::size_t kHttpConnectionsMax = 256;

struct HttpRequest {
  std::string path;                          // without the query
  std::map<std::string, std::string> query;  // percent-decoded; of several equal keys the last
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

struct StreamEvent {
  std::uint64_t id = 0;  // rising
  std::string data;      // one line
};

struct HttpOptions {
  std::string section = "feed";      // of telltale.yaml: messages name its keys
  std::string listen = "127.0.0.1";  // an address, or localhost
  std::uint16_t port = 0;            // 0 = any free one
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds request_timeout{30'000};
  std::size_t stream_buffer_bytes_max = 256u << 10;
  std::string tls_certificate = {};  // PEM files, both or none: with them it speaks TLS alone
  std::string tls_key = {};
  std::string token = {};  // not empty: every request must carry it (http_token.h), or gets 401
};

// What the server serves. All calls come on the server's thread and must be quick. What has no
// stream overrides Handle() alone.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // GET of anything but the stream's path. An unknown path: status 404.
  virtual HttpResponse Handle(const HttpRequest& request) = 0;

  virtual std::string_view stream_path() const { return {}; }  // "" = there is no stream
  virtual std::string_view stream_event_name() const { return {}; }
  // Id of the newest event: where a stream starts that names no id.
  virtual Result<std::uint64_t> NewestId() { return std::uint64_t{0}; }
  // Events with id > after, in order, about `bytes_max` of data at most; empty when there are none.
  virtual Result<std::vector<StreamEvent>> EventsAfter(std::uint64_t /*after*/,
                                                       std::size_t /*bytes_max*/) {
    return std::vector<StreamEvent>();
  }
};

class HttpServer {
 public:
  // Listens and starts its thread. `handler` and `counters` must outlive it.
  //   kRefused      `listen` is not a loopback address, and certificate, key or token are missing
  //   kInvalid      `listen` is not an address; only one of certificate and key; not PEM
  //   kNotFound     no such certificate or key
  //   kUnavailable  the port is taken
  static Result<std::unique_ptr<HttpServer>> Start(const HttpOptions& options, HttpHandler& handler,
                                                   Counters& counters);
  virtual ~HttpServer() = default;  // closes connections, joins the thread
  virtual std::uint16_t port() const = 0;
  // There may be new events: streams look at once. Any thread; cheap; never blocks.
  virtual void Notify() = 0;
};

}  // namespace telltale::net
