#include "net/tls_connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "net/tls_error.h"

namespace telltale::net {
namespace {

// Read ahead of the parser at most this much a turn and connection, so that a busy peer does not
// starve the others.
constexpr std::size_t kReadBytesPerTurn = 64u << 10;

constexpr std::string_view kRevokedMessage = "TLS handshake failed: the certificate is revoked";

TlsSession CopyOf(const SSL_SESSION* session) {
  return {SSL_SESSION_dup(session), SSL_SESSION_free};
}

// Why the other end's certificate was not accepted, where that was it.
std::string HandshakeFailure(const SSL* ssl) {
  const std::string detail = TakeTlsError();
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict == X509_V_ERR_CERT_REVOKED) return std::string(kRevokedMessage);
  if (verdict == X509_V_OK) return "TLS handshake failed: " + detail;
  return "TLS handshake failed: " + detail + ": " + X509_verify_cert_error_string(verdict);
}

Error OsError(const char* doing, int error) {
  return Error{Code::kUnavailable,
               std::string(doing) + ": " + std::generic_category().message(error)};
}

// Callbacks never run inside one another on a thread, so one buffer serves all its connections.
std::span<std::uint8_t> Scratch() {
  thread_local std::array<std::uint8_t, kReadBytesPerTurn> scratch;
  return scratch;
}

Status ExpectHost(SSL* ssl, const std::string& host) {
  in6_addr ignored;
  const bool is_address = inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
                          inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
  const int set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str())
                             : SSL_set1_host(ssl, host.c_str());
  if (set != 1) return Error{Code::kInvalid, host + " is no host name or address"};
  return Ok();
}

Result<int> StartConnecting(const TlsConnection::Target& target) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(target.port);
  if (getaddrinfo(target.host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    return Error{Code::kInvalid, "cannot resolve " + target.host};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return OsError("cannot make a socket", errno);
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    close(fd);
    return OsError("cannot connect", error);
  }
  return fd;
}

}  // namespace

bool TlsErrorIsRevoked(const Error& why) {
  return why.code == Code::kRefused && why.message == kRevokedMessage;
}

void TlsConnection::SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Status TlsConnection::MakeSsl(const TlsContext& context) {
  ERR_clear_error();
  ssl_.reset(SSL_new(context.get()));
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd_) != 1) {
    return Error{Code::kUnavailable, "no TLS connection object: " + TakeTlsError()};
  }
  if (context.is_server()) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
  if (const Clock* clock = context.clock()) {
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl_.get()), clock->NowUtc().value / 1'000'000);
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return Ok();
}

Status TlsConnection::Watch(EventLoop& loop) {
  loop_ = &loop;
  guard_ = std::make_shared<Guard>(Guard{this});
  watch_ = std::make_unique<FdWatch>(loop, fd_, [this] { OnReady(); }, [this] { OnReady(); });
  if (!watch_->ok()) return Error{Code::kUnavailable, "the kernel cannot watch one more socket"};
  return Ok();
}

Result<std::unique_ptr<TlsConnection>> TlsConnection::Accepted(EventLoop& loop,
                                                               const TlsContext& context, int fd,
                                                               Owner& owner) {
  std::unique_ptr<TlsConnection> made(new TlsConnection(fd, owner));
  RETURN_IF_ERROR(made->MakeSsl(context));
  RETURN_IF_ERROR(made->Watch(loop));
  made->watch_->WantReadable();
  return made;
}

Result<std::unique_ptr<TlsConnection>> TlsConnection::Connect(EventLoop& loop,
                                                              const TlsContext& context,
                                                              const Target& target, Owner& owner) {
  ASSIGN_OR_RETURN(const int fd, StartConnecting(target));
  std::unique_ptr<TlsConnection> made(new TlsConnection(fd, owner));
  RETURN_IF_ERROR(made->MakeSsl(context));
  if (target.verify_host) RETURN_IF_ERROR(ExpectHost(made->ssl(), target.host));
  if (target.session != nullptr) {
    // A copy, which the library may mark as it likes. Refused: a whole handshake.
    SSL_set_session(made->ssl(), CopyOf(target.session.get()).get());
    ERR_clear_error();
  }
  RETURN_IF_ERROR(made->Watch(loop));
  made->phase_ = Phase::kConnecting;
  made->watch_->WantWritable();
  return made;
}

TlsConnection::~TlsConnection() {
  if (guard_) guard_->connection = nullptr;
  watch_.reset();
  ssl_.reset();
  close(fd_);
}

void TlsConnection::OnReady() {
  switch (phase_) {
    case Phase::kConnecting:
      return CheckConnected();
    case Phase::kHandshake:
      return Handshake();
    case Phase::kEnded:
      return;
    case Phase::kOpen:
      break;
  }
  // TLS may need to write in order to read and the other way round: either readiness tries both.
  const auto guard = guard_;
  if (unsent_bytes() > 0) Flush();
  if (guard->connection == this && phase_ == Phase::kOpen) Read();
}

void TlsConnection::CheckConnected() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return End(Code::kUnavailable, "cannot connect: " + std::generic_category().message(error));
  }
  phase_ = Phase::kHandshake;
  Handshake();
}

void TlsConnection::Handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    phase_ = Phase::kOpen;
    const auto guard = guard_;
    owner_->OnHandshake();
    // The peer's first bytes may have come with its last handshake message. The owner may have
    // detached meanwhile: then Attach() reads.
    if (guard->connection != this || !watch_) return;
    if (unsent_bytes() > 0) Write({});  // written before it was open
    Read();
    return;
  }
  switch (SSL_get_error(ssl_.get(), done)) {
    case SSL_ERROR_WANT_READ:
      return watch_->WantReadable();
    case SSL_ERROR_WANT_WRITE:
      return watch_->WantWritable();
    default:
      return End(Code::kRefused, HandshakeFailure(ssl_.get()));
  }
}

bool TlsConnection::MayRead() const {
  return phase_ == Phase::kOpen && !paused_ && unsent_bytes() <= kTlsOutHighMarkBytes;
}

void TlsConnection::Read() {
  const std::span<std::uint8_t> scratch = Scratch();
  if (!MayRead()) return;
  std::size_t filled = 0;
  int failure = SSL_ERROR_NONE;
  while (filled < scratch.size()) {
    ERR_clear_error();
    const int got =
        SSL_read(ssl_.get(), scratch.data() + filled, static_cast<int>(scratch.size() - filled));
    if (got <= 0) {
      failure = SSL_get_error(ssl_.get(), got);
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  const std::string detail = failure == SSL_ERROR_SSL ? TakeTlsError() : std::string();
  if (filled > 0) {
    const auto guard = guard_;
    owner_->OnBytes(ByteSpan(scratch.data(), filled));
    if (guard->connection != this || !watch_) return;
  }
  switch (failure) {
    case SSL_ERROR_NONE:
      return PostRead();
    case SSL_ERROR_WANT_READ:
      return watch_->WantReadable();
    case SSL_ERROR_WANT_WRITE:
      return watch_->WantWritable();
    case SSL_ERROR_ZERO_RETURN:
      return End(Code::kUnavailable, "the peer closed the connection");
    // TLS 1.3 tells a client that its certificate is refused only after the client's handshake.
    case SSL_ERROR_SSL:
      return End(Code::kRefused, "TLS broken: " + detail);
    default:
      return End(Code::kUnavailable, "the peer is gone");
  }
}

void TlsConnection::PostRead() {
  if (std::exchange(is_read_posted_, true)) return;
  loop_->Post([guard = guard_] {
    TlsConnection* self = guard->connection;
    if (self == nullptr) return;
    self->is_read_posted_ = false;
    self->Read();
  });
}

void TlsConnection::ResumeReading() {
  if (!std::exchange(paused_, false)) return;
  // Not only when the socket is readable: the TLS library may hold decrypted bytes already.
  if (watch_ && phase_ == Phase::kOpen) PostRead();
}

void TlsConnection::Write(std::string_view bytes) {
  if (phase_ == Phase::kEnded) return;
  out_.append(bytes);
  if (!watch_ || phase_ != Phase::kOpen || std::exchange(is_flush_posted_, true)) return;
  loop_->Post([guard = guard_] {
    TlsConnection* self = guard->connection;
    if (self == nullptr) return;
    self->is_flush_posted_ = false;
    self->Flush();
  });
}

void TlsConnection::Flush() {
  const bool was_over = unsent_bytes() > kTlsOutHighMarkBytes;
  while (phase_ == Phase::kOpen && unsent_bytes() > 0) {
    ERR_clear_error();
    const int put = SSL_write(ssl_.get(), out_.data() + out_at_, static_cast<int>(unsent_bytes()));
    if (put <= 0) {
      const int failure = SSL_get_error(ssl_.get(), put);
      if (failure == SSL_ERROR_WANT_WRITE) watch_->WantWritable();
      if (failure == SSL_ERROR_WANT_READ) watch_->WantReadable();
      if (failure == SSL_ERROR_WANT_WRITE || failure == SSL_ERROR_WANT_READ) break;
      return End(Code::kUnavailable, "the peer is gone");
    }
    out_at_ += static_cast<std::size_t>(put);
  }
  if (unsent_bytes() == 0) {
    std::string().swap(out_);  // an idle connection holds no buffer
    out_at_ = 0;
  } else if (out_at_ >= kTlsOutHighMarkBytes) {
    out_.erase(0, std::exchange(out_at_, 0));
  }
  if (was_over && MayRead()) PostRead();
}

void TlsConnection::Finish() {
  if (phase_ != Phase::kOpen || !watch_) return;
  const auto guard = guard_;
  // A failing write must not call the owner now: it is ending the connection already.
  while (unsent_bytes() > 0) {
    ERR_clear_error();
    const int put = SSL_write(ssl_.get(), out_.data() + out_at_, static_cast<int>(unsent_bytes()));
    if (put <= 0) break;
    out_at_ += static_cast<std::size_t>(put);
  }
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  phase_ = Phase::kEnded;
  shutdown(fd_, SHUT_WR);
}

void TlsConnection::End(Code code, std::string message) {
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kEnded;
  owner_->OnClosed(Error{code, std::move(message)});  // may destroy this
}

void TlsConnection::Detach() {
  CHECK(phase_ == Phase::kOpen);
  guard_->connection = nullptr;
  guard_.reset();
  watch_.reset();
  is_flush_posted_ = is_read_posted_ = false;
  loop_ = nullptr;
}

Status TlsConnection::Attach(EventLoop& loop, Owner& owner) {
  owner_ = &owner;
  RETURN_IF_ERROR(Watch(loop));
  if (unsent_bytes() > 0) Write({});
  PostRead();
  return Ok();
}

TlsSession TlsConnection::TakeSession() const {
  const SSL_SESSION* session = SSL_get0_session(ssl_.get());
  if (session == nullptr || SSL_SESSION_is_resumable(session) != 1) return nullptr;
  return CopyOf(session);
}

bool TlsConnection::is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

std::uint16_t TlsConnection::peer_port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace telltale::net
