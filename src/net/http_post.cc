#include "net/http_post.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace telltale::net {

void HttpPost::Post(Task task) {
  MutexLock lock(mutex_);
  if (io_ == nullptr) return;
  boost::asio::post(*io_, [task = std::move(task)]() mutable { task(); });
}

void HttpPost::Close() {
  MutexLock lock(mutex_);
  io_ = nullptr;
}

}  // namespace telltale::net
