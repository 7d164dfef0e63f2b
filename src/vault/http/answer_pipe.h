// The messages of one answer between the thread that makes them and the connection that takes them:
// at most kPipeBytesMax wait, so a reader that is slow slows the answer down and costs no more.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "net/http_source.h"

namespace telltale::vault {

inline constexpr std::size_t kPipeBytesMax = 1u << 20;

// Any thread.
class AnswerPipe {
 public:
  // Waits while the pipe is full.
  //   kUnavailable  the reader is gone
  Status Put(std::string_view message);
  // Nothing comes after it.
  void End(Status status);

  // Waits for the first message, or the end without one: how the answer begins.
  struct Beginning {
    std::optional<std::string> message;
    Status status;  // when there is none
  };
  Beginning WaitForFirst();

  struct Taken {
    std::optional<std::string> message;  // none: nothing now, or ended
    bool has_ended = false;
    Status status;  // when it has
  };
  // Without waiting; `wake` is called once when there is more.
  Taken Take(const net::HttpSource::Wake& wake);
  void Cancel();

 private:
  void Wake() REQUIRES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> messages_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  bool has_ended_ GUARDED_BY(mutex_) = false;
  bool is_cancelled_ GUARDED_BY(mutex_) = false;
  Status status_ GUARDED_BY(mutex_);
  net::HttpSource::Wake wake_ GUARDED_BY(mutex_);
};

}  // namespace telltale::vault
