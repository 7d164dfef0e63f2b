// Accepts TCP connections for TLS.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/event_loop.h"

namespace telltale::net {

class TlsListener {
 public:
  // `on_accept` owns the descriptor it gets (non-blocking, close-on-exec). `port` 0 = any free one.
  // When the process is out of descriptors it stops accepting for 100 ms at a time; clients wait in
  // the kernel's queue. Loop's thread only, or before the loop runs.
  //   kInvalid      `address` is no IPv4 or IPv6 address
  //   kUnavailable  the port is taken or may not be used: says what to change
  static Result<std::unique_ptr<TlsListener>> Listen(EventLoop& loop, const std::string& address,
                                                     std::uint16_t port,
                                                     std::function<void(int fd)> on_accept);
  ~TlsListener();

  static void Discard(int fd);  // closes a descriptor that on_accept got

  std::uint16_t port() const { return port_; }

 private:
  TlsListener(EventLoop& loop, int fd) : fd_(fd), retry_(loop) {}
  void Accept();

  int fd_;
  std::uint16_t port_ = 0;
  std::function<void(int)> on_accept_;
  Timer retry_;
  std::unique_ptr<FdWatch> watch_;
};

}  // namespace telltale::net
