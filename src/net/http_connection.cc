#include "net/http_connection.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <optional>

#include "net/http_target.h"

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

class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, HttpShared& shared, HttpConnectionOwner& owner)
      : stream_(std::move(socket)),
        heartbeat_(stream_.get_executor()),
        shared_(shared),
        owner_(owner) {}

  void Start(bool refuse) override {
    refuse_ = refuse;
    ReadRequest();
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    heartbeat_.cancel();
    error_code ignored;
    stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
    owner_.Remove(shared_from_this());
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
    shared_.events.Add(events->size());
    WriteStream(std::move(text));
  }

 private:
  void ReadRequest() {
    parser_.emplace();
    parser_->header_limit(kHttpHeaderBytesMax);
    parser_->body_limit(0);
    stream_.expires_after(shared_.options.request_timeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->OnRequest(error); });
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
    if (request.method() != http::verb::get) {
      return Respond({405, "text/plain", "only GET\n"}, true);
    }
    const auto parsed = ParseTarget({request.target().data(), request.target().size()});
    if (!parsed) return Respond({400, "text/plain", "the path cannot be read\n"}, close);
    if (parsed->path == shared_.handler.stream_path()) return StartStream(*parsed);
    Respond(shared_.handler.Handle(*parsed), close);
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
    WriteStream(std::string(kStreamHead));
    WatchForHangUp();
  }

  // A client sends nothing more: any byte or the end of it means it is gone.
  void WatchForHangUp() {
    stream_.socket().async_read_some(
        boost::asio::buffer(&ignored_byte_, 1),
        [self = shared_from_this()](error_code, std::size_t) { self->Close(); });
  }

  void WriteStream(std::string text) {
    writing_ = true;
    outgoing_ = std::move(text);
    heartbeat_.cancel();
    // The timer of what cannot be written; when all is written it beats.
    heartbeat_.expires_after(shared_.options.write_timeout);
    heartbeat_.async_wait([self = shared_from_this()](error_code error) {
      if (error || self->closed_ || !self->writing_) return;
      self->shared_.slow.Add();
      self->Close();
    });
    boost::asio::async_write(stream_.socket(), boost::asio::buffer(outgoing_),
                             [self = shared_from_this()](error_code error, std::size_t) {
                               self->OnStreamWritten(error);
                             });
  }

  void OnStreamWritten(error_code error) {
    writing_ = false;
    if (closed_) return;
    if (error) return Close();
    heartbeat_.expires_after(shared_.options.heartbeat);  // cancels the write timeout
    heartbeat_.async_wait([self = shared_from_this()](error_code wait_error) {
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
    response_.keep_alive(!close);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    stream_.expires_after(shared_.options.write_timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this(), close](error_code error, std::size_t) {
                        if (self->closed_) return;
                        if (error || close) return self->Close();
                        self->ReadRequest();
                      });
  }

  beast::tcp_stream stream_;
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
  return std::make_shared<Connection>(std::move(socket), shared, owner);
}

}  // namespace telltale::net
