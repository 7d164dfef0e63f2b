#include "gateway/ack_queue.h"

#include "base/check.h"
#include "gateway/mqtt_codec.h"

namespace telltale::gateway {

void AckQueue::Push(std::uint16_t packet_id, CommitNumber commit) {
  CHECK(!IsFull());
  if (head_ > 0 && head_ * 2 >= waiting_.size()) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  waiting_.push_back({commit, packet_id});
}

std::size_t AckQueue::Release(CommitNumber durable, std::string& out) {
  std::size_t released = 0;
  while (!empty() && waiting_[head_].commit <= durable) {
    AppendPubAck(out, waiting_[head_].packet_id);
    ++head_;
    ++released;
  }
  if (empty()) {
    std::vector<Waiting>().swap(waiting_);  // an idle connection holds no memory here
    head_ = 0;
  }
  return released;
}

}  // namespace telltale::gateway
