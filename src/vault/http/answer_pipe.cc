#include "vault/http/answer_pipe.h"

#include <utility>

namespace telltale::vault {

void AnswerPipe::Wake() {
  changed_.NotifyAll();
  if (wake_) std::exchange(wake_, nullptr)();
}

Status AnswerPipe::Put(std::string_view message) {
  MutexLock lock(mutex_);
  while (bytes_ > 0 && bytes_ + message.size() > kPipeBytesMax && !is_cancelled_) {
    changed_.Wait(mutex_);
  }
  if (is_cancelled_) return Error{Code::kUnavailable, "the reader is gone"};
  messages_.emplace_back(message);
  bytes_ += message.size();
  Wake();
  return Ok();
}

void AnswerPipe::End(Status status) {
  MutexLock lock(mutex_);
  has_ended_ = true;
  status_ = std::move(status);
  Wake();
}

AnswerPipe::Beginning AnswerPipe::WaitForFirst() {
  MutexLock lock(mutex_);
  while (messages_.empty() && !has_ended_) changed_.Wait(mutex_);
  if (messages_.empty()) return {std::nullopt, status_};
  return {messages_.front(), Ok()};
}

AnswerPipe::Taken AnswerPipe::Take(const net::HttpSource::Wake& wake) {
  MutexLock lock(mutex_);
  Taken taken;
  if (!messages_.empty()) {
    taken.message = std::move(messages_.front());
    messages_.pop_front();
    bytes_ -= taken.message->size();
    changed_.NotifyAll();
    return taken;
  }
  taken.has_ended = has_ended_;
  taken.status = status_;
  if (!has_ended_) wake_ = wake;
  return taken;
}

void AnswerPipe::Cancel() {
  MutexLock lock(mutex_);
  is_cancelled_ = true;
  wake_ = nullptr;
  changed_.NotifyAll();
}

}  // namespace telltale::vault
