// A small HTTP/1.1 server for people and their tools: plain requests, answers that are made while
// they are sent (http_source.h), and streams of server-sent events. On an address that is not a
// loopback one only with TLS, and a token or client certificates.
//
// Flow control of a stream: the server asks its source for the events after the last one that was
// written, only when all before are in the socket's hands. So a slow reader costs one buffer of at
// most `stream_buffer_bytes_max`; one that takes nothing for `write_timeout` is disconnected and
// may come back with the last id it saw.
//
// Threads: sockets, TLS and parsing are one thread's, which never blocks. With `workers` a request
// that was read whole waits in a short queue for one of them, and the handler may block; when the
// queue is full the client gets 503 with Retry-After, and nothing of it was done. Without workers
// the handler runs on the server's thread and must be quick. A client that hangs up is noticed
// while an answer is sent, not while Serve() works: what takes long belongs into a source.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/result.h"
#include "net/http_message.h"
#include "net/http_source.h"
#include "net/http_workers.h"

namespace telltale::net {

inline constexpr std::size_t kHttpConnectionsMax = 256;
// Bodies over kHttpBodyBytesMax that are in memory at one time.
inline constexpr int kHttpLargeBodiesMax = 4;

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
  std::chrono::milliseconds request_timeout{30'000};  // for a whole request, from the last answer
  std::size_t stream_buffer_bytes_max = 256u << 10;
  std::string tls_certificate = {};  // PEM files, both or none: with them it speaks TLS alone
  std::string tls_key = {};
  // PEM: authorities of client certificates. With it the server speaks TLS 1.3 alone, shakes hands
  // only with who shows a certificate of theirs (for TLS clients, in its time, not revoked), and
  // resumes no session: HttpRequest::peer is always of the connection's own handshake. Use an
  // authority of its own: who has a certificate of it is let in.
  std::string tls_client_ca = {};
  std::string tls_revocation_list = {};  // net/tls_files.h
  // With tls_client_ca: a client may come without a certificate, then HttpRequest::peer is empty.
  bool tls_client_optional = false;
  // The handler says who may ask (RefuseEarly), by certificate or HttpRequest::bearer: `token` is
  // not needed then on any address.
  bool handler_authenticates = false;
  std::string token = {};   // not empty: every request must carry it (http_token.h), or gets 401
  std::size_t workers = 0;  // threads for Serve(), at most kHttpWorkersMax; 0 = the server's own
  std::size_t work_queue_max = kHttpWorkQueueMax;  // requests that wait for a worker
  const Clock* clock = nullptr;                    // judges client certificates; null: the system's
};

// What the server serves. What has no stream overrides Handle() alone, or Serve() and RouteOf().
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // GET of anything but the stream's path. An unknown path: status 404.
  virtual HttpResponse Handle(const HttpRequest& /*request*/) { return {404, "text/plain", "\n"}; }
  // The methods of a path (not the stream's), which may be an unknown one. On the server's thread:
  // must be quick.
  virtual HttpRoute RouteOf(const std::string& /*path*/) { return {}; }
  // Refuses a request by its head, before its body is read: without credentials, for one. The body
  // is empty still. 401 says WWW-Authenticate by itself. On the server's thread: must be quick.
  virtual std::optional<HttpResponse> RefuseEarly(const HttpRequest& /*head*/) { return {}; }
  // What the server itself answers (400, 404, 405, 413, 415, 417, 503 …), in the handler's words;
  // the status must stay. On the server's thread: must be quick.
  virtual HttpResponse Worded(HttpResponse refusal) { return refusal; }
  // What RouteOf() takes. On a worker if there are some: several at one time, and may block.
  virtual HttpAnswer Serve(const HttpRequest& request) { return Handle(request); }

  // On the server's thread: must be quick.
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
  // Listens and starts its threads. `handler`, `counters` and the clock must outlive it.
  //   kRefused      `listen` is not a loopback address, and certificate, key, or both token and
  //                 client authority are missing
  //   kInvalid      `listen` is not an address; only one of certificate and key; not PEM; no
  //                 certificate beside a client authority; too many workers
  //   kNotFound     no such certificate, key or authority
  //   kUnavailable  the port is taken
  static Result<std::unique_ptr<HttpServer>> Start(const HttpOptions& options, HttpHandler& handler,
                                                   Counters& counters);
  // Cancels sources, closes connections, waits for what runs on workers. What waited is not done.
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  // There may be new events: streams look at once. Any thread; cheap; never blocks.
  virtual void Notify() = 0;
  // Reads the files of TLS again, where clients show certificates; true: they have changed and are
  // in force for new connections, and those of revoked or expired clients end. Any thread but the
  // server's; reads disk. Call it every few seconds.
  //   as ReloadableTlsContext::ReloadIfChanged (tls_reload.h); what was in force stays
  virtual Result<bool> ReloadTls() = 0;
};

}  // namespace telltale::net
