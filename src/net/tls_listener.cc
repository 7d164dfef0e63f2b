#include "net/tls_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>

namespace telltale::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kRetryAfter{100};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<Address> Parse(const std::string& text, std::uint16_t port) {
  Address out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof *v4;
    return out;
  }
  out.storage = {};
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof *v6;
    return out;
  }
  return Error{Code::kInvalid, text + " is no IPv4 or IPv6 address to listen on"};
}

Error CannotListen(const std::string& address, std::uint16_t port, int error) {
  return Error{Code::kUnavailable, "cannot listen on " + address + " port " + std::to_string(port) +
                                       ": " + std::generic_category().message(error) +
                                       "; set another port (0 = any free one) in telltale.yaml"};
}

}  // namespace

Result<std::unique_ptr<TlsListener>> TlsListener::Listen(EventLoop& loop,
                                                         const std::string& address,
                                                         std::uint16_t port,
                                                         std::function<void(int fd)> on_accept) {
  ASSIGN_OR_RETURN(Address where, Parse(address, port));
  const int fd = socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return CannotListen(address, port, errno);
  std::unique_ptr<TlsListener> made(new TlsListener(loop, fd));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* generic = reinterpret_cast<sockaddr*>(&where.storage);
  if (bind(fd, generic, where.size) != 0 || listen(fd, kBacklog) != 0 ||
      getsockname(fd, generic, &where.size) != 0) {
    return CannotListen(address, port, errno);
  }
  const bool is_v4 = where.storage.ss_family == AF_INET;
  made->port_ = ntohs(is_v4 ? reinterpret_cast<sockaddr_in*>(&where.storage)->sin_port
                            : reinterpret_cast<sockaddr_in6*>(&where.storage)->sin6_port);
  made->on_accept_ = std::move(on_accept);
  auto* self = made.get();
  made->watch_ = std::make_unique<FdWatch>(loop, fd, [self] { self->Accept(); }, [] {});
  if (!made->watch_->ok()) return CannotListen(address, port, ENOMEM);
  made->watch_->WantReadable();
  return made;
}

TlsListener::~TlsListener() {
  watch_.reset();
  close(fd_);
}

void TlsListener::Discard(int fd) { close(fd); }

void TlsListener::Accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      on_accept_(fd);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return retry_.After(kRetryAfter, [this] { watch_->WantReadable(); });
    }
    // ECONNABORTED and the like concern the one connection that is gone already.
  }
  watch_->WantReadable();
}

}  // namespace telltale::net
