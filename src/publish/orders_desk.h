// Takes PublisherRequests on orders.sock and hands them to the publisher's thread, which answers
// them between two journals. A peer that says nothing costs a thread of its own, nobody's time.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/local_socket.h"
#include "base/mutex.h"
#include "internal/v1/local.pb.h"

namespace telltale::publish {

inline constexpr std::size_t kOrderConnectionsMax = 16;  // more are hung up on at once

// What the publisher's thread waits for: rung by whoever has something for it. Any thread.
class Bell {
 public:
  void Ring();
  // Until it has rung since the last Wait(), or `timeout` is over.
  void Wait(std::chrono::milliseconds timeout);

 private:
  Mutex mutex_;
  CondVar rung_;
  bool has_rung_ GUARDED_BY(mutex_) = false;
};

class OrdersDesk {
 public:
  // Mode 0660: the owner and its group may ask; what moves authority is signed by control. Rings
  // `bell`, which must outlive it, for each request.
  static Result<std::unique_ptr<OrdersDesk>> Start(const std::string& socket_path, Bell& bell);
  ~OrdersDesk();
  OrdersDesk(const OrdersDesk&) = delete;
  OrdersDesk& operator=(const OrdersDesk&) = delete;

  bool is_waiting() const { return waiting_count_ > 0; }  // any thread
  // Answers what waits. The publisher's thread.
  using Answer = std::function<internal::v1::PublisherReply(const internal::v1::PublisherRequest&)>;
  void AnswerAll(const Answer& answer);

 private:
  struct Request;
  struct Peer {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> is_over;
  };
  OrdersDesk(LocalListener listener, Bell& bell);
  void Accept();
  void Serve(LocalConnection connection);
  // nullopt: the desk closes.
  std::optional<internal::v1::PublisherReply> Ask(const internal::v1::PublisherRequest& request);

  LocalListener listener_;
  Bell& bell_;
  std::atomic<bool> is_stopping_{false};
  std::atomic<std::size_t> waiting_count_{0};
  Mutex mutex_;
  CondVar answered_;
  std::deque<std::shared_ptr<Request>> waiting_ GUARDED_BY(mutex_);
  std::list<Peer> peers_;  // of the accepting thread
  std::thread thread_;     // last: uses all of the above
};

}  // namespace telltale::publish
