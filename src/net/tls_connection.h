// One TLS connection, either end, non-blocking, on an event loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "net/event_loop.h"
#include "net/tls_context.h"

struct ssl_session_st;
struct ssl_st;

namespace telltale::net {

// Above this much unsent output nothing more is read from the peer until half of it has left: who
// does not read its answers is not served more of them.
inline constexpr std::size_t kTlsOutHighMarkBytes = 64u << 10;

// What a server gave a client to come back with; null = nothing.
using TlsSession = std::shared_ptr<ssl_session_st>;

// Of OnClosed: the handshake was refused because the peer's certificate is on the revocation list.
bool TlsErrorIsRevoked(const Error& why);

class TlsConnection {
 public:
  // Whoever the connection reports to. In each call it may destroy the connection.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnHandshake() = 0;            // once; the peer's certificate is of our CA
    virtual void OnBytes(ByteSpan bytes) = 0;  // valid during the call
    // The peer, the network or the handshake ended it; the last call. kRefused: the handshake
    // failed (no or foreign certificate, broken TLS); kUnavailable: closed or reset.
    virtual void OnClosed(const Error& why) = 0;
  };

  // Takes `fd` (non-blocking, connected) in any case. `owner` and `loop` must outlive it.
  //   kUnavailable  the kernel or the TLS library is out of something
  static Result<std::unique_ptr<TlsConnection>> Accepted(EventLoop& loop, const TlsContext& context,
                                                         int fd, Owner& owner);
  struct Target {
    std::string host = "127.0.0.1";  // a name is looked up blocking; use addresses
    std::uint16_t port = 0;
    bool verify_host = true;  // the server's certificate must name `host`
    // Of a former connection with the same context. A server that no longer takes it does a whole
    // handshake instead.
    TlsSession session = nullptr;
  };
  // Returns at once; OnHandshake or OnClosed follows.
  //   kInvalid  host cannot be resolved; kUnavailable as above
  static Result<std::unique_ptr<TlsConnection>> Connect(EventLoop& loop, const TlsContext& context,
                                                        const Target& target, Owner& owner);
  ~TlsConnection();  // closes at once; no callback afterwards
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Buffers and sends at the end of the loop's turn, so that small answers share a TLS record.
  void Write(std::string_view bytes);
  std::size_t unsent_bytes() const { return out_.size() - out_at_; }
  // Sends what the socket takes now, says goodbye in TLS. The owner destroys the connection next.
  void Finish();

  // While paused at most one read's worth more arrives in OnBytes. Kernel buffers fill, then the
  // peer's: that is the back-pressure.
  void PauseReading() { paused_ = true; }
  void ResumeReading();

  // Hand-over to another loop: Detach() on the old one's thread, then Attach() on the new one's.
  // Between the two nothing may be called. Only after OnHandshake.
  void Detach();
  //   kUnavailable  the new loop cannot watch it; destroy the connection
  Status Attach(EventLoop& loop, Owner& owner);

  // A client's, on its thread: what the server has given by now (with TLS 1.3 some time after
  // OnHandshake). A copy: it stays good however this connection ends.
  TlsSession TakeSession() const;
  bool is_resumed() const;  // after OnHandshake: it was a short handshake

  ssl_st* ssl() const { return ssl_.get(); }
  std::uint16_t peer_port() const;  // names a connection in messages before its vehicle is known

 private:
  enum class Phase { kConnecting, kHandshake, kOpen, kEnded };
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  // Lets a posted task and a running callback see that the connection is gone or elsewhere.
  struct Guard {
    TlsConnection* connection;
  };

  TlsConnection(int fd, Owner& owner) : fd_(fd), owner_(&owner) {}
  Status MakeSsl(const TlsContext& context);
  Status Watch(EventLoop& loop);
  void OnReady();
  void CheckConnected();
  void Handshake();
  void Read();
  void PostRead();
  bool MayRead() const;
  void Flush();
  void End(Code code, std::string message);

  int fd_;
  Phase phase_ = Phase::kHandshake;
  bool paused_ = false;
  bool is_flush_posted_ = false;
  bool is_read_posted_ = false;
  Owner* owner_;
  EventLoop* loop_ = nullptr;
  std::unique_ptr<ssl_st, SslFree> ssl_;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<Guard> guard_;
  std::string out_;
  std::size_t out_at_ = 0;
};

// The vehicle's end, for the simulator and tests: Connect() makes it.
using TlsClientConnection = TlsConnection;

}  // namespace telltale::net
