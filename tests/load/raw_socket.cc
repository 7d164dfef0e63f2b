#include "raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace telltale::load {

int BeginConnecting(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int begun = connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (begun == 0 || errno == EINPROGRESS) return fd;
  close(fd);
  return -1;
}

bool IsConnected(int fd) {
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

std::unique_ptr<RawSocket> RawSocket::Open(net::EventLoop& loop, std::uint16_t port,
                                           std::string_view bytes) {
  const int fd = BeginConnecting(port);
  if (fd < 0) return nullptr;
  std::unique_ptr<RawSocket> made(new RawSocket(fd, bytes));
  RawSocket* raw = made.get();
  made->watch_ = std::make_unique<net::FdWatch>(
      loop, fd, [raw] { raw->OnReadable(); }, [raw] { raw->OnWritable(); });
  made->watch_->WantWritable();
  return made;
}

RawSocket::~RawSocket() {
  watch_.reset();
  close(fd_);
}

void RawSocket::OnWritable() {
  if (write(fd_, bytes_.data(), bytes_.size()) < 0) is_over_ = true;
  if (!is_over_) watch_->WantReadable();
}

void RawSocket::OnReadable() {
  std::array<char, 512> said;
  const auto got = read(fd_, said.data(), said.size());
  is_over_ = got == 0 || (got < 0 && errno != EAGAIN);
  if (!is_over_) watch_->WantReadable();
}

}  // namespace telltale::load
