#include "publish/orders_desk.h"

#include <utility>

#include "base/stop.h"

namespace telltale::publish {
namespace {

constexpr std::uint32_t kPermissions = 0660;
constexpr std::chrono::milliseconds kOrderPatience{100};

}  // namespace

void Bell::Ring() {
  MutexLock lock(mutex_);
  has_rung_ = true;
  rung_.NotifyAll();
}

void Bell::Wait(std::chrono::milliseconds timeout) {
  MutexLock lock(mutex_);
  if (!has_rung_) rung_.WaitFor(mutex_, timeout);
  has_rung_ = false;
}

struct OrdersDesk::Request {
  internal::v1::PublisherRequest request;
  internal::v1::PublisherReply reply;
  bool is_answered = false;
};

Result<std::unique_ptr<OrdersDesk>> OrdersDesk::Start(const std::string& socket_path, Bell& bell) {
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(socket_path, kPermissions));
  return std::unique_ptr<OrdersDesk>(new OrdersDesk(std::move(listener), bell));
}

OrdersDesk::OrdersDesk(LocalListener listener, Bell& bell)
    : listener_(std::move(listener)), bell_(bell), thread_([this] { Accept(); }) {}

OrdersDesk::~OrdersDesk() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    answered_.NotifyAll();
  }
  thread_.join();
}

void OrdersDesk::Accept() {
  while (!is_stopping_) {
    auto accepted = listener_.Accept(kOrderPatience);
    for (auto peer = peers_.begin(); peer != peers_.end();) {
      if (!*peer->is_over) {
        ++peer;
        continue;
      }
      peer->thread.join();
      peer = peers_.erase(peer);
    }
    if (!accepted.ok()) {  // out of descriptors, say
      WaitForStop(kOrderPatience);
      continue;
    }
    if (!accepted->has_value() || peers_.size() >= kOrderConnectionsMax) continue;
    auto is_over = std::make_shared<std::atomic<bool>>(false);
    std::thread thread([this, is_over, connection = std::move(**accepted)]() mutable {
      Serve(std::move(connection));
      *is_over = true;
    });
    peers_.push_back({.thread = std::move(thread), .is_over = std::move(is_over)});
  }
  for (Peer& peer : peers_) peer.thread.join();
}

void OrdersDesk::Serve(LocalConnection connection) {
  while (!is_stopping_) {
    const auto frame = connection.Receive(kOrderPatience);
    if (!frame.ok()) return;
    if (!frame->has_value()) continue;
    internal::v1::PublisherRequest request;
    if (!request.ParseFromString(**frame)) return;
    const auto reply = Ask(request);
    if (!reply || !connection.Send(reply->SerializeAsString()).ok()) return;
  }
}

std::optional<internal::v1::PublisherReply> OrdersDesk::Ask(
    const internal::v1::PublisherRequest& request) {
  const auto asked = std::make_shared<Request>();
  asked->request = request;
  {
    MutexLock lock(mutex_);
    if (is_stopping_) return std::nullopt;
    waiting_.push_back(asked);
    ++waiting_count_;
  }
  bell_.Ring();
  MutexLock lock(mutex_);
  while (!asked->is_answered && !is_stopping_) answered_.Wait(mutex_);
  if (!asked->is_answered) return std::nullopt;
  return std::move(asked->reply);
}

void OrdersDesk::AnswerAll(const Answer& answer) {
  while (is_waiting()) {
    std::shared_ptr<Request> asked;
    {
      MutexLock lock(mutex_);
      asked = waiting_.front();
      waiting_.pop_front();
      --waiting_count_;
    }
    internal::v1::PublisherReply reply = answer(asked->request);
    MutexLock lock(mutex_);
    asked->reply = std::move(reply);
    asked->is_answered = true;
    answered_.NotifyAll();
  }
}

}  // namespace telltale::publish
