// Session tickets: a vehicle that comes back does a short handshake. What it was is sealed into the
// ticket that it keeps; the server keeps the key only, in memory, so that a restart costs each
// vehicle one whole handshake. Who a ticket lets in is judged again each time (tls_trust.h).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"

struct ssl_ctx_st;

namespace telltale::net {

// A key is replaced after this, and no ticket is good for longer. With the former key its tickets
// are gone: each vehicle does one whole handshake more per rotation.
inline constexpr std::chrono::hours kTicketKeyRotation{12};

// Any thread. One for all contexts of a door: so tickets outlive the reload of its files.
class TicketKeys {
 public:
  explicit TicketKeys(const Clock& clock) : clock_(clock) {}  // monotonic; must outlive this
  ~TicketKeys();                                              // wipes the key

  // Which key is the current one: it changes when kTicketKeyRotation has passed.
  std::uint64_t generation();
  // Lets `context`, a server's, issue and take tickets with the current key.
  //   kUnavailable  no randomness, or the TLS library refuses
  Status Use(ssl_ctx_st* context);

 private:
  // A name, a key for the cipher, one for the MAC: as the TLS library takes them.
  using Key = std::array<std::uint8_t, 16 + 32 + 32>;
  void RotateWhenDue() REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;  // 0: none yet, or no randomness for it
  Micros made_ GUARDED_BY(mutex_){};
  Key key_ GUARDED_BY(mutex_){};
};

}  // namespace telltale::net
