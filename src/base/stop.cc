#include "base/stop.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/check.h"

namespace telltale {
namespace {

// One per process by nature: signals are.
std::atomic<bool> g_stop{false};
const int g_stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

}  // namespace

void WatchForStop() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  signal(SIGPIPE, SIG_IGN);
  std::thread([signals] {
    int received = 0;
    while (sigwait(&signals, &received) != 0) {
    }
    RequestStop();
  }).detach();
}

bool StopRequested() { return g_stop.load(); }

void RequestStop() {
  g_stop.store(true);
  const std::uint64_t one = 1;
  CHECK(write(g_stop_fd, &one, sizeof one) == sizeof one);
}

bool WaitForStop(std::chrono::milliseconds timeout) {
  pollfd waiting{.fd = g_stop_fd, .events = POLLIN, .revents = 0};
  poll(&waiting, 1, static_cast<int>(timeout.count()));
  return StopRequested();
}

int StopFd() { return g_stop_fd; }

}  // namespace telltale
