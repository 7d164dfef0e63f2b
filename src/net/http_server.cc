#include "net/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <set>
#include <thread>

#include "net/http_connection.h"

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
                .events = counters.Get("feed_events_total")},
        refused_(counters.Get("http_connections_refused_total")) {}

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
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(shared_.options.listen, error);
    if (error) return Error{Code::kInvalid, "feed.listen must be an IP address"};
    if (!address.is_loopback()) {
      return Error{
          Code::kRefused,
          "the feed has no TLS yet: feed.listen must be a loopback address (127.0.0.1, ::1)"};
    }
    const tcp::endpoint endpoint(address, shared_.options.port);
    if (!acceptor_.open(endpoint.protocol(), error) &&
        !acceptor_.set_option(tcp::acceptor::reuse_address(true), error) &&
        !acceptor_.bind(endpoint, error) &&
        !acceptor_.listen(boost::asio::socket_base::max_listen_connections, error)) {
      port_ = acceptor_.local_endpoint(error).port();
    }
    if (error) {
      return Error{Code::kUnavailable, "cannot listen on feed port " +
                                           std::to_string(shared_.options.port) + ": " +
                                           error.message()};
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
