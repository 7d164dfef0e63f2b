#include "net/event_loop.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <thread>

namespace telltale::net {

namespace asio = boost::asio;

struct EventLoop::Impl {
  // One thread runs it: Asio may leave its own locking out between that thread's operations, but
  // Post comes from others, so the scheduler keeps its lock.
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::function<void()> on_turn;
  std::atomic<std::thread::id> thread{};
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  // OpenSSL writes with write(2): a peer that is gone would end the process. Programs that call
  // WatchForStop() ignore it already; tests and tools must not depend on that.
  std::signal(SIGPIPE, SIG_IGN);
}
EventLoop::~EventLoop() = default;

void EventLoop::Run() {
  impl_->thread = std::this_thread::get_id();
  while (!impl_->context.stopped()) {
    int events = static_cast<int>(impl_->context.run_one());
    while (events > 0 && events < kTurnEventsMax && impl_->context.poll_one() > 0) ++events;
    if (impl_->on_turn) impl_->on_turn();
  }
}

void EventLoop::Stop() { impl_->context.stop(); }

void EventLoop::Post(Task task) {
  asio::post(impl_->context, [task = std::move(task)]() mutable { task(); });
}

void EventLoop::SetOnTurn(std::function<void()> on_turn) { impl_->on_turn = std::move(on_turn); }

bool EventLoop::InThisThread() const { return impl_->thread.load() == std::this_thread::get_id(); }

struct Timer::State : std::enable_shared_from_this<Timer::State> {
  explicit State(EventLoop& loop) : timer(loop.impl().context) {}

  void Arm() {
    // The generation tells a wait that was already due from the one that is wanted now.
    timer.async_wait([self = shared_from_this(), mine = generation](boost::system::error_code ec) {
      if (ec || self->generation != mine) return;
      if (self->period.count() > 0) {
        // From the planned time, so that the pace does not drift; after a long stall without a
        // burst of missed beats.
        const auto now = std::chrono::steady_clock::now();
        self->timer.expires_at(std::max(self->timer.expiry() + self->period, now));
        self->Arm();
      }
      const auto call = self->callback;  // it may set another one
      call();
    });
  }

  asio::steady_timer timer;
  std::chrono::milliseconds period{0};
  std::function<void()> callback;
  std::uint64_t generation = 0;
};

Timer::Timer(EventLoop& loop) : state_(std::make_shared<State>(loop)) {}
Timer::~Timer() { Cancel(); }

void Timer::After(std::chrono::milliseconds delay, std::function<void()> callback) {
  Cancel();
  state_->period = std::chrono::milliseconds(0);
  state_->callback = std::move(callback);
  state_->timer.expires_after(delay);
  state_->Arm();
}

void Timer::Every(std::chrono::milliseconds period, std::function<void()> callback) {
  Cancel();
  state_->period = period;
  state_->callback = std::move(callback);
  state_->timer.expires_after(period);
  state_->Arm();
}

void Timer::Cancel() {
  ++state_->generation;
  state_->timer.cancel();
}

struct FdWatch::State : std::enable_shared_from_this<FdWatch::State> {
  State(EventLoop& loop, int fd, std::function<void()> readable, std::function<void()> writable)
      : descriptor(loop.impl().context),
        on_readable(std::move(readable)),
        on_writable(std::move(writable)) {
    boost::system::error_code refused;
    descriptor.assign(fd, refused);
    watched = !refused;
  }

  asio::posix::stream_descriptor descriptor;
  std::function<void()> on_readable;
  std::function<void()> on_writable;
  bool wants_readable = false;
  bool wants_writable = false;
  bool gone = false;
  bool watched = false;
};

FdWatch::FdWatch(EventLoop& loop, int fd, std::function<void()> on_readable,
                 std::function<void()> on_writable)
    : state_(std::make_shared<State>(loop, fd, std::move(on_readable), std::move(on_writable))) {}

FdWatch::~FdWatch() {
  state_->gone = true;
  if (state_->watched) state_->descriptor.release();  // cancels the waits; does not close
}

bool FdWatch::ok() const { return state_->watched; }

void FdWatch::WantReadable() {
  if (!state_->watched || std::exchange(state_->wants_readable, true)) return;
  state_->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                [self = state_](boost::system::error_code) {
                                  if (self->gone) return;
                                  self->wants_readable = false;
                                  self->on_readable();
                                });
}

void FdWatch::WantWritable() {
  if (!state_->watched || std::exchange(state_->wants_writable, true)) return;
  state_->descriptor.async_wait(asio::posix::descriptor_base::wait_write,
                                [self = state_](boost::system::error_code) {
                                  if (self->gone) return;
                                  self->wants_writable = false;
                                  self->on_writable();
                                });
}

}  // namespace telltale::net
