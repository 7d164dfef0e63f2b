#include "base/local_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace telltale {
namespace {

Error Failure(const char* doing, const std::string& what, int error) {
  return Error{Code::kUnavailable, fmt::format("cannot {} {}: {}", doing, what,
                                               std::generic_category().message(error))};
}

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{Code::kInvalid, path + " is too long for a socket path (107 bytes)"};
  }
  path.copy(address.sun_path, path.size());
  return address;
}

// True when readable (or hung up) before the timeout.
bool WaitReadable(int fd, std::chrono::milliseconds timeout) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, static_cast<int>(timeout.count())) > 0;
}

Status ReceiveAll(int fd, char* at, std::size_t size) {
  while (size > 0) {
    const ssize_t got = recv(fd, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure("receive from", "the peer", errno);
    if (got == 0) return Error{Code::kUnavailable, "the peer hung up"};
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return Ok();
}

Status SendAll(int fd, const char* at, std::size_t size) {
  while (size > 0) {
    const ssize_t put = send(fd, at, size, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Failure("send to", "the peer", errno);
    at += put;
    size -= static_cast<std::size_t>(put);
  }
  return Ok();
}

ucred PeerOf(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0);
  return peer;
}

}  // namespace

LocalConnection::LocalConnection(LocalConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

LocalConnection& LocalConnection::operator=(LocalConnection&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

LocalConnection::~LocalConnection() {
  if (fd_ >= 0) close(fd_);
}

Result<LocalConnection> LocalConnection::Connect(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  LocalConnection connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connection.fd_ < 0) return Failure("make a socket for", path, errno);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (connect(connection.fd_, generic, sizeof address) != 0) {
    return Failure("connect to", path, errno);
  }
  return connection;
}

Status LocalConnection::Send(std::string_view frame) {
  if (frame.size() > kLocalFrameBytesMax) return Error{Code::kTooBig, "frame over the limit"};
  std::string whole;
  whole.reserve(frame.size() + 4);
  PutBlob(whole, frame);
  return SendAll(fd_, whole.data(), whole.size());
}

Result<std::optional<std::string>> LocalConnection::Receive(std::chrono::milliseconds timeout) {
  if (!WaitReadable(fd_, timeout)) return std::optional<std::string>();
  char head[4];
  RETURN_IF_ERROR(ReceiveAll(fd_, head, sizeof head));
  const auto size = GetLe<std::uint32_t>(head);
  if (size > kLocalFrameBytesMax)
    return Error{Code::kTooBig, "the peer announces too large a frame"};
  std::string frame(size, '\0');
  RETURN_IF_ERROR(ReceiveAll(fd_, frame.data(), size));
  return std::optional<std::string>(std::move(frame));
}

bool LocalConnection::Nudge() {
  const char byte = 1;
  if (send(fd_, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) return true;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

bool LocalConnection::WaitNudge(std::chrono::milliseconds timeout) {
  if (!WaitReadable(fd_, timeout)) return true;
  char swallowed[256];
  const ssize_t got = recv(fd_, swallowed, sizeof swallowed, MSG_DONTWAIT);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

uid_t LocalConnection::PeerUid() const { return PeerOf(fd_).uid; }
pid_t LocalConnection::PeerPid() const { return PeerOf(fd_).pid; }

LocalListener::LocalListener(LocalListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

LocalListener::~LocalListener() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(path_.c_str());
}

Result<LocalListener> LocalListener::Listen(const std::string& path, std::uint32_t permissions) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  LocalListener listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path);
  if (listener.fd_ < 0) return Failure("make a socket for", path, errno);
  unlink(path.c_str());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // The file must never be connectable by more than `permissions`, not even for a moment.
  const mode_t before = umask(0177);
  const int bound = bind(listener.fd_, generic, sizeof address);
  const int error = errno;
  umask(before);
  if (bound != 0) return Failure("bind", path, error);
  if (chmod(path.c_str(), permissions) != 0) return Failure("set permissions of", path, errno);
  if (listen(listener.fd_, 128) != 0) return Failure("listen on", path, errno);
  return listener;
}

Result<std::optional<LocalConnection>> LocalListener::Accept(std::chrono::milliseconds timeout) {
  if (!WaitReadable(fd_, timeout)) return std::optional<LocalConnection>();
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return Failure("accept on", path_, errno);
  return std::optional<LocalConnection>(LocalConnection(fd));
}

}  // namespace telltale
