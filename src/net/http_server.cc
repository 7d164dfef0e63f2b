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
                .handshakes_failed = counters.Drops("http", Reason::kTlsHandshake),
                .unavailable = counters.Get("http_workers_full_total"),
                .answers_failed = counters.Get("http_answers_failed_total"),
                .answers_abandoned = counters.Get("http_answers_abandoned_total"),
                .certificates_ended = counters.Get("http_certificates_ended_total"),
                .post = std::make_shared<HttpPost>(io_)},
        refused_(counters.Get("http_connections_refused_total")) {
    if (!handler.stream_path().empty()) shared_.events = &counters.Get("feed_events_total");
  }

  ~Server() override {
    boost::asio::post(io_, [this] {
      boost::system::error_code ignored;
      static_cast<void>(acceptor_.close(ignored));
      const auto all = connections_;  // Close() takes them out of the set
      for (const auto& connection : all) connection->Close();
    });
    work_.reset();
    if (thread_.joinable()) thread_.join();
    workers_.reset();       // what they still post is not run, and goes with io_
    shared_.post->Close();  // sources may keep it
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
    if (options.workers > kHttpWorkersMax) {
      return Error{Code::kInvalid,
                   options.section + ": at most " + std::to_string(kHttpWorkersMax) + " workers"};
    }
    RETURN_IF_ERROR(LoadTls());
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
    if (options.workers > 0) {
      workers_ = std::make_unique<HttpWorkers>(options.workers, options.work_queue_max);
      shared_.workers = workers_.get();
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

  Result<bool> ReloadTls() override {
    if (clients_ == nullptr) return false;
    Result<bool> has_changed = clients_->ReloadIfChanged();
    boost::asio::post(io_, [this] {  // also when nothing changed: certificates expire
      const auto all = connections_;
      for (const auto& connection : all) connection->CloseIfCertificateEnded();
    });
    return has_changed;
  }

  void Remove(const std::shared_ptr<HttpConnection>& connection) override {
    connections_.erase(connection);
  }

 private:
  Status LoadTls() {
    const HttpOptions& options = shared_.options;
    if (options.tls_client_ca.empty()) {
      if (options.tls_certificate.empty()) return Ok();
      ASSIGN_OR_RETURN(tls_, MakeHttpTls(options.tls_certificate, options.tls_key));
      shared_.tls = tls_.get();
      return Ok();
    }
    if (options.tls_certificate.empty()) {
      return Error{Code::kInvalid, options.section + ".tls_client_ca needs " + options.section +
                                       ".tls_certificate and " + options.section + ".tls_key"};
    }
    // No tickets: every handshake shows the certificate.
    ASSIGN_OR_RETURN(clients_, ReloadableTlsContext::ForServer(
                                   {options.tls_client_ca, options.tls_certificate, options.tls_key,
                                    options.tls_revocation_list},
                                   {.clock = options.clock,
                                    .only_tls_1_3 = true,
                                    .certificate_optional = options.tls_client_optional}));
    shared_.clients = clients_.get();
    return Ok();
  }

  // By other means than the one token.
  bool AsksWhoItIs() const {
    const HttpOptions& options = shared_.options;
    return options.handler_authenticates ||
           (!options.tls_client_ca.empty() && !options.tls_client_optional);
  }

  // What can be reached from another machine speaks TLS and asks who it is.
  Status CheckMayBeReached() const {
    const HttpOptions& options = shared_.options;
    std::string missing;
    for (const auto& [value, key] :
         {std::pair{&options.tls_certificate, ".tls_certificate"},
          std::pair{&options.tls_key, ".tls_key"}, std::pair{&options.token, ".token_file"}}) {
      if (value == &options.token && AsksWhoItIs()) continue;
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
    static_cast<void>(socket.set_option(tcp::no_delay(true), ignored));
    // A pulled answer that waits for its source writes nothing: only this tells a dead peer.
    static_cast<void>(socket.set_option(boost::asio::socket_base::keep_alive(true), ignored));
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
  std::unique_ptr<ReloadableTlsContext> clients_;
  Counter& refused_;
  std::set<std::shared_ptr<HttpConnection>> connections_;  // the server's thread
  std::atomic<bool> notified_{false};
  std::uint16_t port_ = 0;
  std::unique_ptr<HttpWorkers> workers_;
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
