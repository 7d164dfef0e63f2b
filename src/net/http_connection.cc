#include "net/http_connection.h"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <sstream>
#include <type_traits>

#include "net/http_peer.h"
#include "net/http_pull.h"
#include "net/http_rules.h"
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
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
const HttpFields kRetrySoon = {{"Retry-After", "1"}};
// A large body may take this much longer than `request_timeout`.
constexpr std::size_t kLargeBodyBytesPerSMin = 1u << 20;
// What is still taken of a request that was refused before its end.
constexpr std::chrono::seconds kDrainTimeout{1};
constexpr std::size_t kDrainBytesMax = 1u << 20;

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// One in the clear or over TLS: after the handshake both are the same.
template <typename Stream>
class Connection final : public HttpConnection,
                         public HttpPull::Owner,
                         public std::enable_shared_from_this<Connection<Stream>> {
 public:
  // `with` is what a Stream is made from.
  template <typename... With>
  Connection(HttpShared& shared, HttpConnectionOwner& owner, With&&... with)
      : stream_(std::forward<With>(with)...),
        timer_(stream_.get_executor()),
        shared_(shared),
        owner_(owner) {}

  void Start(bool refuse) override {
    refuse_ = refuse;
    if constexpr (kIsTls) {
      tcp().expires_after(shared_.options.request_timeout);
      if (shared_.clients != nullptr && shared_.options.clock != nullptr) {
        X509_VERIFY_PARAM_set_time(SSL_get0_param(stream_.native_handle()),
                                   Now().value / 1'000'000);
      }
      stream_.async_handshake(boost::asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (self->closed_) return;
                                if (!error && self->LearnPeer()) return self->ReadRequest();
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
    timer_.cancel();
    if (pull_ != nullptr && !is_last_written_) shared_.answers_abandoned.Add();
    EndPull();
    EndLargeBody();
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

  void CloseIfCertificateEnded() override { CertificateEnds(); }

  // HttpPull::Owner
  void OnPulled(std::string chunk, bool is_last) override {
    if (CertificateEnds()) return;
    is_last_ = is_last;
    WriteStream(std::move(chunk));
  }
  void OnPullFailed() override {
    shared_.answers_failed.Add();
    EndPull();
    Close();
  }

 private:
  static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;

  beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }
  Micros Now() const {
    const Clock* clock = shared_.options.clock;
    return clock != nullptr ? clock->NowUtc() : SystemClock().NowUtc();
  }

  // After the handshake. False: the certificate does not say who it is.
  bool LearnPeer() {
    if constexpr (kIsTls) {
      if (shared_.clients == nullptr) return true;
      X509* certificate = SSL_get0_peer_certificate(stream_.native_handle());
      if (certificate == nullptr) return shared_.options.tls_client_optional;
      auto peer = HttpPeerOf(certificate);
      if (!peer.ok()) return false;
      peer_ = std::move(peer).value();
    }
    return true;
  }
  bool IsCertificateGood() {
    if constexpr (kIsTls) {
      if (shared_.clients == nullptr || peer_.common_name.empty()) return true;
      const X509* certificate = SSL_get0_peer_certificate(stream_.native_handle());
      return !HasEnded(certificate, Now()) && !shared_.clients->current().IsRevoked(certificate);
    }
    return true;
  }

  // True: the connection is closed.
  bool CertificateEnds() {
    if (closed_) return true;
    if (IsCertificateGood()) return false;
    shared_.certificates_ended.Add();
    Close();
    return true;
  }

  void ReadRequest() {
    parser_.emplace();
    parser_->header_limit(kHttpHeaderBytesMax);
    parser_->body_limit(boost::none);  // judged by OnHead(), before any of it is read
    request_ = {};
    tcp().expires_after(shared_.options.request_timeout);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, std::size_t) {
                              if (self->CanGoOn(error)) self->OnHead();
                            });
  }

  // False: the connection has ended, or will with an answer that says why.
  bool CanGoOn(error_code error) {
    if (closed_) return false;
    if (!error) return true;
    if (error == http::error::end_of_stream || error == beast::error::timeout ||
        error == boost::asio::error::operation_aborted) {
      Close();
    } else {
      has_unread_body_ = true;
      Refuse(error == http::error::body_limit
                 ? TooLargeHttpBody(body_bytes_max_)
                 : HttpResponse{400, "text/plain", "not a request this server understands\n"},
             true);
    }
    return false;
  }

  HttpHead HeadOf() const {
    const auto& request = parser_->get();
    const auto view = [](const auto& text) { return std::string_view(text.data(), text.size()); };
    HttpHead head{.is_http_1_1 = request.version() == 11, .method = view(request.method_string())};
    head.hosts = request.count(http::field::host);
    head.content_type = view(request[http::field::content_type]);
    head.expect = view(request[http::field::expect]);
    for (const auto& field : request) {
      if (field.name() == http::field::content_length) head.lengths.push_back(view(field.value()));
      if (field.name() == http::field::transfer_encoding) {
        head.codings.push_back(view(field.value()));
      }
    }
    return head;
  }

  void OnHead() {
    const HttpHead head = HeadOf();
    has_unread_body_ = true;  // for all that is known
    if (auto refusal = RefuseFraming(head)) return Refuse(std::move(*refusal), true);
    has_unread_body_ = HasHttpBody(head);
    close_ = !parser_->get().keep_alive();
    const bool close = close_ || has_unread_body_;
    if (refuse_) return Refuse({503, "text/plain", "too many connections\n"}, true);
    if (CertificateEnds()) return;
    if (!IsAuthorized()) {
      shared_.unauthorized.Add();
      return Refuse({401, "text/plain", "a token is needed: Authorization: Bearer TOKEN\n"}, true);
    }
    const auto target = parser_->get().target();
    auto parsed = ParseTarget({target.data(), target.size()});
    const HttpRoute route =
        parsed && !IsStream(*parsed) ? shared_.handler.RouteOf(parsed->path) : HttpRoute();
    HttpMethod method{};
    if (auto refusal = RefuseByRoute(head, route, method)) {
      return Refuse(std::move(*refusal), close || refusal->status == 405);
    }
    if (!parsed) return Refuse({400, "text/plain", "the path cannot be read\n"}, close);
    request_ = std::move(*parsed);
    request_.method = method;
    request_.content_type = head.content_type;
    request_.peer = peer_;
    request_.bearer = BearerOf(Authorization());
    body_bytes_max_ = route.body_bytes_max;
    if (auto refusal = shared_.handler.RefuseEarly(request_)) {
      if (refusal->status == 401) shared_.unauthorized.Add();
      return Respond(std::move(*refusal), close);
    }
    if (!has_unread_body_) return Dispatch();
    if (MayHaveLargeBody(head, route) && !BeginLargeBody()) {
      return Refuse({503, "text/plain", "busy with other large bodies; ask again\n", kRetrySoon},
                    true);
    }
    if (!WantsToHear100(head)) return ReadBody();
    boost::asio::async_write(stream_, boost::asio::buffer(kContinue),
                             [self = this->shared_from_this()](error_code error, std::size_t) {
                               if (self->closed_) return;
                               error ? self->Close() : self->ReadBody();
                             });
  }

  bool IsStream(const HttpRequest& request) const {
    return shared_.events != nullptr && request.path == shared_.handler.stream_path();
  }

  bool BeginLargeBody() {
    if (shared_.large_bodies >= kHttpLargeBodiesMax) return false;
    ++shared_.large_bodies;
    has_large_body_ = true;
    return true;
  }
  // When its request is answered, or never will be.
  void EndLargeBody() {
    if (!has_large_body_) return;
    has_large_body_ = false;
    --shared_.large_bodies;
  }

  void ReadBody() {
    parser_->body_limit(body_bytes_max_);
    if (has_large_body_) {
      tcp().expires_after(shared_.options.request_timeout +
                          std::chrono::seconds(body_bytes_max_ / kLargeBodyBytesPerSMin));
    }
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](error_code error, std::size_t) {
                       if (!self->CanGoOn(error)) return;
                       self->has_unread_body_ = false;
                       self->request_.body = std::move(self->parser_->get().body());
                       self->Dispatch();
                     });
  }

  void Dispatch() {
    if (IsStream(request_)) return StartStream(request_);
    if (shared_.workers == nullptr) return OnAnswer(shared_.handler.Serve(request_));
    tcp().expires_never();  // nothing is read or written until the answer is there
    // Weak, and locked on this thread: a connection never ends on another one.
    const std::weak_ptr<Connection> weak = this->weak_from_this();
    const bool has_room =
        shared_.workers->TryPost([weak, &shared = shared_, request = std::move(request_)] {
          auto answer = std::make_shared<HttpAnswer>(shared.handler.Serve(request));
          shared.post->Post([weak, answer, &workers = *shared.workers] {
            if (const auto self = weak.lock()) return self->OnAnswer(std::move(*answer));
            // Closed meanwhile. A source's end may block.
            workers.Post([source = std::move(answer->source)]() mutable { source.reset(); });
          });
        });
    if (has_room) return;
    shared_.unavailable.Add();
    Refuse({503, "text/plain", "busy; ask again\n", kRetrySoon}, close_);
  }

  void OnAnswer(HttpAnswer answer) {
    EndLargeBody();
    if (answer.source != nullptr) {
      pull_ = std::make_shared<HttpPull>(std::move(answer.source), shared_.workers, shared_.post,
                                         *this);
    }
    if (closed_) return EndPull();
    if (!CanBeSent(answer.response)) {
      EndPull();
      return Refuse({500, "text/plain", "the answer cannot be sent\n"}, true);
    }
    if (pull_ == nullptr) return Respond(std::move(answer.response), close_);
    if (parser_->get().version() != 11) {
      EndPull();
      return Refuse({505, "text/plain", "this answer needs HTTP/1.1\n"}, true);
    }
    tcp().expires_never();  // timer_ watches from here on
    WriteStream(PulledHead(answer.response));
    WatchForHangUp();
  }

  std::string PulledHead(const HttpResponse& answer) {
    http::response<http::empty_body> head = HeadOfAnswer<http::empty_body>(answer);
    head.keep_alive(false);
    head.chunked(true);
    std::ostringstream text;
    text << head.base();
    return text.str();
  }

  void EndPull() {
    if (pull_ == nullptr) return;
    pull_->Cancel();
    pull_ = nullptr;
  }

  bool IsAuthorized() const {
    if (shared_.options.token.empty()) return true;
    return IsBearerOf(Authorization(), shared_.options.token);
  }
  std::string_view Authorization() const {
    const auto value = parser_->get()[http::field::authorization];
    return {value.data(), value.size()};
  }

  void StartStream(const HttpRequest& request) {
    std::optional<std::uint64_t> after;
    const auto header = parser_->get().find("Last-Event-ID");
    const auto query = request.query.find("after");
    if (header != parser_->get().end()) {
      after = ParseNumber({header->value().data(), header->value().size()});
      if (!after) return Refuse({400, "text/plain", "Last-Event-ID must be a number\n"}, true);
    } else if (query != request.query.end()) {
      after = ParseNumber(query->second);
      if (!after) return Refuse({400, "text/plain", "after must be a number\n"}, true);
    } else {
      const auto newest = shared_.handler.NewestId();
      if (!newest.ok()) return Refuse({503, "text/plain", "the store cannot be read\n"}, true);
      after = *newest;
    }
    after_ = *after;
    streaming_ = true;
    tcp().expires_never();  // timer_ watches from here on
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
    timer_.cancel();
    // The timer of what cannot be written; when all is written it beats.
    timer_.expires_after(shared_.options.write_timeout);
    timer_.async_wait([self = this->shared_from_this()](error_code error) {
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
    if (pull_ != nullptr) return OnPieceWritten();
    timer_.expires_after(shared_.options.heartbeat);  // cancels the write timeout
    timer_.async_wait([self = this->shared_from_this()](error_code wait_error) {
      if (wait_error || self->closed_ || self->writing_) return;
      self->WriteStream(std::string(kHeartbeat));
    });
    Pump();
  }

  void OnPieceWritten() {
    timer_.cancel();
    if (!is_last_) return pull_->Next();
    is_last_written_ = true;
    // The watch for a hang-up goes on, so the stream's own timers cannot be set.
    timer_.expires_after(shared_.options.write_timeout);
    timer_.async_wait([self = this->shared_from_this()](error_code error) {
      if (!error) self->Close();
    });
    SayGoodbye();
  }

  template <typename Body>
  static http::response<Body> HeadOfAnswer(const HttpResponse& answer) {
    http::response<Body> head;
    head.version(11);
    head.result(answer.status);
    head.set(http::field::content_type, answer.content_type);
    head.set(http::field::cache_control, "no-store");
    if (answer.status == 401) head.set(http::field::www_authenticate, "Bearer");
    for (const auto& [name, value] : answer.fields) head.set(name, value);
    return head;
  }

  // What the server says by itself.
  void Refuse(HttpResponse refusal, bool close) {
    Respond(shared_.handler.Worded(std::move(refusal)), close);
  }

  void Respond(HttpResponse answer, bool close) {
    response_ = HeadOfAnswer<http::string_body>(answer);
    response_.keep_alive(!close);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    tcp().expires_after(shared_.options.write_timeout);
    http::async_write(stream_, response_,
                      [self = this->shared_from_this(), close](error_code error, std::size_t) {
                        if (self->closed_) return;
                        if (error) return self->Close();
                        if (!close) return self->ReadRequest();
                        if (!self->has_unread_body_) return self->SayGoodbye();
                        self->StartDrain();
                      });
  }

  // Closing on bytes that were not read would reset the connection, and the client might never see
  // why it was refused.
  void StartDrain() {
    if constexpr (!kIsTls) {
      error_code ignored;
      static_cast<void>(
          tcp().socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored));
    }
    tcp().expires_after(kDrainTimeout);
    Drain(0);
  }

  void Drain(std::size_t drained) {
    outgoing_.resize(kHttpHeaderBytesMax);
    stream_.async_read_some(
        boost::asio::buffer(outgoing_),
        [self = this->shared_from_this(), drained](error_code error, std::size_t size) {
          if (self->closed_) return;
          if (error || drained + size > kDrainBytesMax) return self->SayGoodbye();
          self->Drain(drained + size);
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
  boost::asio::steady_timer timer_;  // of streams and pulled answers
  HttpShared& shared_;
  HttpConnectionOwner& owner_;
  beast::flat_buffer buffer_{kHttpHeaderBytesMax};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  HttpRequest request_;
  HttpPeer peer_;                   // of the handshake
  std::shared_ptr<HttpPull> pull_;  // the answer, while it is sent
  bool is_last_ = false;            // what is being written is the end of it
  bool is_last_written_ = false;
  bool has_unread_body_ = false;
  bool has_large_body_ = false;  // one of shared_.large_bodies
  std::size_t body_bytes_max_ = kHttpBodyBytesMax;
  bool close_ = false;  // after this answer
  bool refuse_ = false;
  bool closed_ = false;
  bool streaming_ = false;
  bool writing_ = false;
  std::uint64_t after_ = 0;  // id of the last event handed to the socket
  std::string outgoing_;
  char ignored_byte_ = 0;
};

// A reference for the connection: it may outlive the server's, and a reload.
SSL_CTX* TakeTlsContext(const HttpShared& shared) {
  if (shared.clients == nullptr) {
    SSL_CTX_up_ref(shared.tls);
    return shared.tls;
  }
  const TlsContext current = shared.clients->current();
  SSL_CTX_up_ref(current.get());
  return current.get();
}

}  // namespace

std::shared_ptr<HttpConnection> HttpConnection::Make(boost::asio::ip::tcp::socket socket,
                                                     HttpShared& shared,
                                                     HttpConnectionOwner& owner) {
  if (shared.tls == nullptr && shared.clients == nullptr) {
    return std::make_shared<Connection<PlainStream>>(shared, owner, std::move(socket));
  }
  boost::asio::ssl::context context(TakeTlsContext(shared));
  return std::make_shared<Connection<TlsStream>>(shared, owner, std::move(socket), context);
}

}  // namespace telltale::net
