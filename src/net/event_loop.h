// net/ - sockets: TLS for vehicles (event loop, connections) and HTTP with server-sent events for
// people. The only folder that includes Asio and Beast, and only inside .cc files.
//   in      file descriptors, OpenSSL
//   out     bytes and events, to gateway/, publish/, sim/
//   owns    every socket that is not AF_UNIX
//   thread  one EventLoop, one thread; objects belong to the loop they were made with
//   not here: MQTT (gateway/), what bytes mean
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/result.h"

namespace telltale::net {

// A move-only `void()`; std::function would ask for copies of what is moved into a loop.
class Task {
 public:
  template <typename F>
  Task(F f) : body_(new Body<F>(std::move(f))) {}  // NOLINT: implicit by intent
  void operator()() { body_->Run(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void Run() = 0;
  };
  template <typename F>
  struct Body final : Base {
    explicit Body(F&& f) : function(std::move(f)) {}
    void Run() override { function(); }
    F function;
  };
  std::unique_ptr<Base> body_;
};

// One thread's readiness loop. Run() on that thread; everything except Post and Stop is for it (or
// for before it runs). Objects made with a loop must be gone before the loop is.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Until Stop(). Tasks posted before it are run; those left at Stop() are destroyed with the loop.
  void Run();
  void Stop();           // any thread
  void Post(Task task);  // any thread; runs on the loop's thread, in order of posting
  // Called after each turn (all that was ready, at most kTurnEventsMax): the place to flush what
  // the turn staged. Set before Run().
  void SetOnTurn(std::function<void()> on_turn);
  bool InThisThread() const;

  static constexpr int kTurnEventsMax = 256;

  struct Impl;
  Impl& impl() { return *impl_; }  // for this folder's .cc files

 private:
  std::unique_ptr<Impl> impl_;
};

// Calls back after a delay or at a steady pace. Loop's thread only.
class Timer {
 public:
  explicit Timer(EventLoop& loop);
  ~Timer();  // no callback afterwards
  void After(std::chrono::milliseconds delay, std::function<void()> callback);
  void Every(std::chrono::milliseconds period, std::function<void()> callback);
  void Cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Watches one descriptor, which stays the caller's. Level-triggered and one-shot: each Want… gives
// at most one call. Loop's thread only.
class FdWatch {
 public:
  FdWatch(EventLoop& loop, int fd, std::function<void()> on_readable,
          std::function<void()> on_writable);
  ~FdWatch();           // no callback afterwards; the descriptor is left open
  bool ok() const;      // false when the kernel refused to watch it: then nothing is ever called
  void WantReadable();  // no effect when already wanted
  void WantWritable();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace telltale::net
