#include "net/http_connection.h"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <type_traits>

#include "net/http_target.h"
#include "net/http_token.h"

namespace telltale::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/event-stream\r\n"
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n"
    "\r\n"
    "retry: 1000\n"
    ": telltale alert feed\n\n";
constexpr std::string_view kHeartbeat = ": still here\n\n";

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// One in the clear or over TLS: after the handshake both are the same.
template <typename Stream>
class Connection final : public HttpConnection,
                         public std::enable_shared_from_this<Connection<Stream>> {
 public:
  // `with` is what a Stream is made from.
  template <typename... With>
  Connection(HttpShared& shared, HttpConnectionOwner& owner, With&&... with)
      : stream_(std::forward<With>(with)...),
        heartbeat_(stream_.get_executor()),
        shared_(shared),
        owner_(owner) {}

  void Start(bool refuse) override {
    refuse_ = refuse;
    if constexpr (kIsTls) {
      tcp().expires_after(shared_.options.request_timeout);
      stream_.async_handshake(boost::asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (self->closed_) return;
                                if (!error) return self->ReadRequest();
                                self->shared_.handshakes_failed.Add();
                                self->Close();
                              });
    } else {
      ReadRequest();
    }
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    heartbeat_.cancel();
    error_code ignored;
    tcp().socket().shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
    tcp().close();
    owner_.Remove(this->shared_from_this());
  }

  void Pump() override {
    if (!streaming_ || writing_ || closed_) return;
    auto events = shared_.handler.EventsAfter(after_, shared_.options.stream_buffer_bytes_max);
    if (!events.ok()) return Close();  // the reader comes back with its last id
    if (events->empty()) return;
    std::string text;
    for (const StreamEvent& event : *events) {
      text += "id: " + std::to_string(event.id) + "\nevent: ";
      text += shared_.handler.stream_event_name();
      text += "\ndata: " + event.data + "\n\n";
      after_ = event.id;
    }
    shared_.events->Add(events->size());
    WriteStream(std::move(text));
  }

 private:
  static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;

  beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }

  void ReadRequest() {
    parser_.emplace();
    parser_->header_limit(kHttpHeaderBytesMax);
    parser_->body_limit(0);
    tcp().expires_after(shared_.options.request_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](error_code error, std::size_t) {
                       self->OnRequest(error);
                     });
  }

  void OnRequest(error_code error) {
    if (closed_) return;
    if (error == http::error::end_of_stream || error == beast::error::timeout ||
        error == boost::asio::error::operation_aborted) {
      return Close();
    }
    if (error) return Respond({400, "text/plain", "not a request this server understands\n"}, true);
    const auto& request = parser_->get();
    const bool close = !request.keep_alive();
    if (refuse_) return Respond({503, "text/plain", "too many connections\n"}, true);
    if (!IsAuthorized()) {
      shared_.unauthorized.Add();
      return Respond({401, "text/plain", "a token is needed: Authorization: Bearer TOKEN\n"}, true);
    }
    if (request.method() != http::verb::get) {
      return Respond({405, "text/plain", "only GET\n"}, true);
    }
    const auto parsed = ParseTarget({request.target().data(), request.target().size()});
    if (!parsed) return Respond({400, "text/plain", "the path cannot be read\n"}, close);
    if (shared_.events != nullptr && parsed->path == shared_.handler.stream_path()) {
      return StartStream(*parsed);
    }
    Respond(shared_.handler.Handle(*parsed), close);
  }

  bool IsAuthorized() const {
    if (shared_.options.token.empty()) return true;
    const auto& request = parser_->get();
    const auto header = request.find(http::field::authorization);
    return header != request.end() &&
           IsBearerOf({header->value().data(), header->value().size()}, shared_.options.token);
  }

  void StartStream(const HttpRequest& request) {
    std::optional<std::uint64_t> after;
    const auto header = parser_->get().find("Last-Event-ID");
    const auto query = request.query.find("after");
    if (header != parser_->get().end()) {
      after = ParseNumber({header->value().data(), header->value().size()});
      if (!after) return Respond({400, "text/plain", "Last-Event-ID must be a number\n"}, true);
    } else if (query != request.query.end()) {
      after = ParseNumber(query->second);
      if (!after) return Respond({400, "text/plain", "after must be a number\n"}, true);
    } else {
      const auto newest = shared_.handler.NewestId();
      if (!newest.ok()) return Respond({503, "text/plain", "the store cannot be read\n"}, true);
      after = *newest;
    }
    after_ = *after;
    streaming_ = true;
    tcp().expires_never();  // heartbeat_ watches from here on
    WriteStream(std::string(kStreamHead));
    WatchForHangUp();
  }

  // A client sends nothing more: any byte or the end of it means it is gone.
  void WatchForHangUp() {
    stream_.async_read_some(
        boost::asio::buffer(&ignored_byte_, 1),
        [self = this->shared_from_this()](error_code, std::size_t) { self->Close(); });
  }

  void WriteStream(std::string text) {
    writing_ = true;
    outgoing_ = std::move(text);
    heartbeat_.cancel();
    // The timer of what cannot be written; when all is written it beats.
    heartbeat_.expires_after(shared_.options.write_timeout);
    heartbeat_.async_wait([self = this->shared_from_this()](error_code error) {
      if (error || self->closed_ || !self->writing_) return;
      self->shared_.slow.Add();
      self->Close();
    });
    boost::asio::async_write(stream_, boost::asio::buffer(outgoing_),
                             [self = this->shared_from_this()](error_code error, std::size_t) {
                               self->OnStreamWritten(error);
                             });
  }

  void OnStreamWritten(error_code error) {
    writing_ = false;
    if (closed_) return;
    if (error) return Close();
    heartbeat_.expires_after(shared_.options.heartbeat);  // cancels the write timeout
    heartbeat_.async_wait([self = this->shared_from_this()](error_code wait_error) {
      if (wait_error || self->closed_ || self->writing_) return;
      self->WriteStream(std::string(kHeartbeat));
    });
    Pump();
  }

  void Respond(HttpResponse answer, bool close) {
    response_ = {};
    response_.version(11);
    response_.result(answer.status);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (answer.status == 401) response_.set(http::field::www_authenticate, "Bearer");
    response_.keep_alive(!close);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    tcp().expires_after(shared_.options.write_timeout);
    http::async_write(stream_, response_,
                      [self = this->shared_from_this(), close](error_code error, std::size_t) {
                        if (self->closed_) return;
                        if (error) return self->Close();
                        if (close) return self->SayGoodbye();
                        self->ReadRequest();
                      });
  }

  // The end of a TLS stream is said, so that the peer can tell it from a cut one.
  void SayGoodbye() {
    if constexpr (kIsTls) {
      stream_.async_shutdown([self = this->shared_from_this()](error_code) { self->Close(); });
    } else {
      Close();
    }
  }

  Stream stream_;
  boost::asio::steady_timer heartbeat_;
  HttpShared& shared_;
  HttpConnectionOwner& owner_;
  beast::flat_buffer buffer_{kHttpHeaderBytesMax};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  bool refuse_ = false;
  bool closed_ = false;
  bool streaming_ = false;
  bool writing_ = false;
  std::uint64_t after_ = 0;  // id of the last event handed to the socket
  std::string outgoing_;
  char ignored_byte_ = 0;
};

}  // namespace

std::shared_ptr<HttpConnection> HttpConnection::Make(boost::asio::ip::tcp::socket socket,
                                                     HttpShared& shared,
                                                     HttpConnectionOwner& owner) {
  if (shared.tls == nullptr) {
    return std::make_shared<Connection<PlainStream>>(shared, owner, std::move(socket));
  }
  // The connection's own reference: it may outlive the server's.
  SSL_CTX_up_ref(shared.tls);
  boost::asio::ssl::context context(shared.tls);
  return std::make_shared<Connection<TlsStream>>(shared, owner, std::move(socket), context);
}

}  // namespace telltale::net
