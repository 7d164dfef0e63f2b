// One connection of the HTTP server. Included by this folder's .cc files only: Asio shows.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "net/http_server.h"

struct ssl_ctx_st;

namespace telltale::net {

struct HttpShared {
  HttpOptions options;
  HttpHandler& handler;
  Counter& connections;
  Counter& slow;
  Counter& unauthorized;       // requests without the token
  Counter& handshakes_failed;  // TLS
  Counter* events = nullptr;   // null: the handler has no stream
  ssl_ctx_st* tls = nullptr;   // null: in the clear; the server's
};

class HttpConnection;
class HttpConnectionOwner {
 public:
  virtual ~HttpConnectionOwner() = default;
  virtual void Remove(const std::shared_ptr<HttpConnection>& connection) = 0;
};

// The server's thread only. Lives while its owner has it or an operation is under way.
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
};

}  // namespace telltale::net
