// An answer that is made while it is sent: the server pulls pieces, one at a time, each only when
// all before are in the socket's hands. So a reader that is slow costs one piece; one that does not
// take a piece within `write_timeout` is disconnected.
//
// Threads: Pull() and the destructor run where HttpHandler::Serve() does: on a worker, where they
// may block, or on the server's thread when there are no workers, where they must be quick. Never
// two calls of Pull() at one time. Cancel() comes from the server's thread, also during a Pull().
// A source that was never pulled may be destroyed without Cancel(); what is left when the server
// ends is destroyed by who ends it.
//
// A source that has nothing yet may take as long as its client stays; it holds no worker.
//
// The client sees where an answer ends: it is sent in chunks (HTTP/1.1), and only kEnd sends the
// last one. After it the connection is closed; a client that sends anything while it is answered is
// taken for gone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "net/http_message.h"

namespace telltale::net {

inline constexpr std::size_t kHttpPieceBytesMax = 256u << 10;

struct HttpPiece {
  enum class State : std::uint8_t {
    kMore,    // `bytes`, and there is more
    kNotYet,  // nothing now: asked again after a Wake
    kEnd,     // `bytes` are the last, maybe none
    kFailed,  // the connection is closed without the last chunk
  };
  State state = State::kEnd;
  std::string bytes = {};
  HttpFields trailers = {};  // with kEnd; not printable ASCII makes it kFailed
};

class HttpSource {
 public:
  // There may be more now. Any thread, any number of times, also when the connection or the server
  // is gone; never blocks.
  using Wake = std::function<void()>;

  virtual ~HttpSource() = default;
  // At most `bytes_max` bytes. After kNotYet nothing is asked until `wake` or a copy of it was
  // called; a call that came during this Pull() counts.
  virtual HttpPiece Pull(std::size_t bytes_max, const Wake& wake) = 0;
  // The client hung up or was too slow, or the server ends: nothing is asked any more. A Pull()
  // that is under way, or just begins, should return soon. Must be quick. Not after kEnd and
  // kFailed.
  virtual void Cancel() {}
};

}  // namespace telltale::net
