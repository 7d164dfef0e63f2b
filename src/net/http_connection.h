// One connection of the HTTP server. Included by this folder's .cc files only: Asio shows.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "net/http_post.h"
#include "net/http_server.h"
#include "net/http_workers.h"
#include "net/tls_reload.h"

struct ssl_ctx_st;

namespace telltale::net {

struct HttpShared {
  HttpOptions options;
  HttpHandler& handler;
  Counter& connections;
  Counter& slow;
  Counter& unauthorized;                    // requests without the token
  Counter& handshakes_failed;               // TLS
  Counter& unavailable;                     // no room in the workers' queue
  Counter& answers_failed;                  // by their source
  Counter& answers_abandoned;               // by their client
  Counter& certificates_ended;              // on open connections
  Counter* events = nullptr;                // null: the handler has no stream
  ssl_ctx_st* tls = nullptr;                // null: in the clear, or `clients`; the server's
  ReloadableTlsContext* clients = nullptr;  // null: no client certificates
  HttpWorkers* workers = nullptr;           // null: there are none
  std::shared_ptr<HttpPost> post = nullptr;
  int large_bodies = 0;  // in memory
};

class HttpConnection;
class HttpConnectionOwner {
 public:
  virtual ~HttpConnectionOwner() = default;
  virtual void Remove(const std::shared_ptr<HttpConnection>& connection) = 0;
};

// The server's thread only: work on other threads has it by a weak pointer, which is locked here.
// Lives while its owner has it or an operation is under way.
class HttpConnection {
 public:
  // Over TLS when `shared` has it.
  static std::shared_ptr<HttpConnection> Make(boost::asio::ip::tcp::socket socket,
                                              HttpShared& shared, HttpConnectionOwner& owner);
  virtual ~HttpConnection() = default;
  // Shakes hands and reads the first request; `refuse` answers it with 503 and closes.
  virtual void Start(bool refuse) = 0;
  // A stream with nothing under way looks for events.
  virtual void Pump() = 0;
  virtual void Close() = 0;
  // Closes when the client's certificate has expired or been revoked since the handshake.
  virtual void CloseIfCertificateEnded() = 0;
};

}  // namespace telltale::net
