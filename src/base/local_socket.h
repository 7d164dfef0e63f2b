// Stream sockets inside one machine (AF_UNIX), with framed messages and the peer's uid from the
// kernel. Used for the registry's map, config records, wake-ups of log readers and vault queries.
// Frame: u32 length (little-endian), then that many bytes; at most `frame_bytes_max`.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace telltale {

inline constexpr std::size_t kLocalFrameBytesMax = 8u << 20;

// One connection. One thread sends and one receives; moves, does not copy.
class LocalConnection {
 public:
  explicit LocalConnection(int fd) : fd_(fd) {}
  LocalConnection(LocalConnection&& other) noexcept;
  LocalConnection& operator=(LocalConnection&& other) noexcept;
  ~LocalConnection();

  //   kUnavailable  no listener at `path`, or it hung up
  static Result<LocalConnection> Connect(const std::string& path);

  // Blocks until all is written. kUnavailable when the peer is gone, kTooBig over the limit.
  Status Send(std::string_view frame);
  // Blocks up to `timeout` (negative: for ever). nullopt = timeout.
  // kUnavailable when the peer hung up; kTooBig when it announces more than the limit.
  Result<std::optional<std::string>> Receive(std::chrono::milliseconds timeout);
  // One byte without waiting: a wake-up. A full socket already carries one, so that is fine.
  // False when the peer is gone.
  bool Nudge();
  // Waits for a nudge or `timeout` and swallows what is there. False when the peer is gone.
  bool WaitNudge(std::chrono::milliseconds timeout);

  uid_t PeerUid() const;  // SO_PEERCRED: as of connect(2), cannot be forged
  pid_t PeerPid() const;
  int fd() const { return fd_; }

 private:
  int fd_;
};

class LocalListener {
 public:
  LocalListener(LocalListener&& other) noexcept;
  LocalListener& operator=(LocalListener&& other) = delete;
  ~LocalListener();

  // Replaces a stale socket file. `permissions` of the file decide who may connect.
  static Result<LocalListener> Listen(const std::string& path, std::uint32_t permissions);
  // nullopt = timeout.
  Result<std::optional<LocalConnection>> Accept(std::chrono::milliseconds timeout);
  int fd() const { return fd_; }

 private:
  LocalListener(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

}  // namespace telltale
