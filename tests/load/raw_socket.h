// A TCP connection to the gateway that says what no TLS library would say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/event_loop.h"

namespace telltale::load {

// Begins to connect; the descriptor is the caller's. Below 0: no descriptor or port is left.
int BeginConnecting(std::uint16_t port);
// The connection stands.
bool IsConnected(int fd);

class RawSocket {
 public:
  // Begins to connect, sends `bytes` once, then nothing. Null: no descriptor is left.
  static std::unique_ptr<RawSocket> Open(net::EventLoop& loop, std::uint16_t port,
                                         std::string_view bytes);
  ~RawSocket();
  bool is_over() const { return is_over_; }  // the other end closed it

 private:
  RawSocket(int fd, std::string_view bytes) : fd_(fd), bytes_(bytes) {}
  void OnWritable();
  void OnReadable();

  const int fd_;
  const std::string bytes_;
  bool is_over_ = false;
  std::unique_ptr<net::FdWatch> watch_;
};

}  // namespace telltale::load
