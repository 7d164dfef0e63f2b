#include "net/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <set>
#include <thread>

#include "net/http_connection.h"
#include "net/http_tls.h"

namespace telltale::net {
namespace {

using boost::asio::ip::tcp;

class Server final : public HttpServer, public HttpConnectionOwner {
 public:
  Server(const HttpOptions& options, HttpHandler& handler, Counters& counters)
      : shared_{.options = options,
                .handler = handler,
                .connections = counters.Get("http_connections_total"),
                .slow = counters.Get("http_slow_readers_total"),
                .unauthorized = counters.Get("http_unauthorized_total"),
                .handshakes_failed = counters.Drops("http", Reason::kTlsHandshake)},
        refused_(counters.Get("http_connections_refused_total")) {
    if (!handler.stream_path().empty()) shared_.events = &counters.Get("feed_events_total");
  }

  ~Server() override {
    boost::asio::post(io_, [this] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
      const auto all = connections_;  // Close() takes them out of the set
      for (const auto& connection : all) connection->Close();
    });
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

  Status Listen() {
    const HttpOptions& options = shared_.options;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(
        options.listen == "localhost" ? "127.0.0.1" : options.listen, error);
    if (error) return Error{Code::kInvalid, options.section + ".listen must be an IP address"};
    if (!address.is_loopback()) RETURN_IF_ERROR(CheckMayBeReached());
    if (options.tls_certificate.empty() != options.tls_key.empty()) {
      return Error{Code::kInvalid, options.section + ".tls_certificate and " + options.section +
                                       ".tls_key go together: set both or none"};
    }
    if (!options.tls_certificate.empty()) {
      ASSIGN_OR_RETURN(tls_, MakeHttpTls(options.tls_certificate, options.tls_key));
      shared_.tls = tls_.get();
    }
    const tcp::endpoint endpoint(address, options.port);
    if (!acceptor_.open(endpoint.protocol(), error) &&
        !acceptor_.set_option(tcp::acceptor::reuse_address(true), error) &&
        !acceptor_.bind(endpoint, error) &&
        !acceptor_.listen(boost::asio::socket_base::max_listen_connections, error)) {
      port_ = acceptor_.local_endpoint(error).port();
    }
    if (error) {
      return Error{Code::kUnavailable, "cannot listen on " + options.section + ".port " +
                                           std::to_string(options.port) + ": " + error.message()};
    }
    Accept();
    thread_ = std::thread([this] { io_.run(); });
    return Ok();
  }

  std::uint16_t port() const override { return port_; }

  void Notify() override {
    if (notified_.exchange(true)) return;
    boost::asio::post(io_, [this] {
      notified_ = false;
      const auto all = connections_;
      for (const auto& connection : all) connection->Pump();
    });
  }

  void Remove(const std::shared_ptr<HttpConnection>& connection) override {
    connections_.erase(connection);
  }

 private:
  // What can be reached from another machine speaks TLS and asks for a token.
  Status CheckMayBeReached() const {
    const HttpOptions& options = shared_.options;
    std::string missing;
    for (const auto& [value, key] :
         {std::pair{&options.tls_certificate, ".tls_certificate"},
          std::pair{&options.tls_key, ".tls_key"}, std::pair{&options.token, ".token_file"}}) {
      if (value->empty()) missing += (missing.empty() ? "" : ", ") + options.section + key;
    }
    if (missing.empty()) return Ok();
    return Error{Code::kRefused, options.section + ".listen " + options.listen +
                                     " is not a loopback address (127.0.0.1, ::1): that needs TLS "
                                     "and a token; missing: " +
                                     missing};
  }

  void Accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) Admit(std::move(socket));
      Accept();
    });
  }
  void Admit(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const bool full = connections_.size() >= kHttpConnectionsMax;
    if (full) refused_.Add();
    shared_.connections.Add();
    auto connection = HttpConnection::Make(std::move(socket), shared_, *this);
    connections_.insert(connection);
    connection->Start(full);
  }

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  tcp::acceptor acceptor_{io_};
  HttpShared shared_;
  std::shared_ptr<ssl_ctx_st> tls_;
  Counter& refused_;
  std::set<std::shared_ptr<HttpConnection>> connections_;  // the server's thread
  std::atomic<bool> notified_{false};
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpOptions& options,
                                                      HttpHandler& handler, Counters& counters) {
  auto server = std::make_unique<Server>(options, handler, counters);
  RETURN_IF_ERROR(server->Listen());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace telltale::net
