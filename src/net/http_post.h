// The way back to the server's thread, for workers and for sources that outlive the server.
#pragma once

#include "base/mutex.h"
#include "net/event_loop.h"

namespace boost::asio {
class io_context;
}

namespace telltale::net {

// Any thread.
class HttpPost {
 public:
  explicit HttpPost(boost::asio::io_context& io) : io_(&io) {}
  // Runs on the server's thread, in order of posting. After Close(): destroyed, here.
  void Post(Task task);
  void Close();  // before the io_context goes

 private:
  Mutex mutex_;
  boost::asio::io_context* io_ GUARDED_BY(mutex_);
};

}  // namespace telltale::net
