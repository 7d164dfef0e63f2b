// One pulled answer (http_source.h): asks its source, on a worker where there are some, and frames
// what it gives. For this folder's .cc files.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "net/http_post.h"
#include "net/http_source.h"
#include "net/http_workers.h"

namespace telltale::net {

// The bytes of a chunk, "" for none; and the last chunk with its trailers.
std::string ToHttpChunk(std::string_view bytes);
std::string ToLastHttpChunk(const HttpFields& trailers);

// The server's thread only. Never keeps the connection alive.
class HttpPull final : public std::enable_shared_from_this<HttpPull> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // To be written. Next() when it is, unless it is the last.
    virtual void OnPulled(std::string chunk, bool is_last) = 0;
    virtual void OnPullFailed() = 0;
  };
  // Null `workers`: pulls on the server's thread. The owner must outlive this, or Cancel() it.
  HttpPull(std::shared_ptr<HttpSource> source, HttpWorkers* workers, std::shared_ptr<HttpPost> post,
           Owner& owner);

  // Asks for a piece; the owner gets it later, never within this call.
  void Next();
  void Cancel();  // no call to the owner afterwards

 private:
  void Run(Task task);
  void OnPiece(HttpPiece piece);
  void OnWake();
  void Drop();

  std::shared_ptr<HttpSource> source_;  // null: has ended
  HttpWorkers* const workers_;
  const std::shared_ptr<HttpPost> post_;
  Owner* owner_;                // null: has ended
  HttpSource::Wake wake_ = {};  // set by the first Next(), before any other thread reads it
  std::atomic<bool> is_cancelled_{false};
  bool asking_ = false;   // a Pull() is under way
  bool waiting_ = false;  // after kNotYet
  bool woken_ = false;    // during the Pull()
};

}  // namespace telltale::net
