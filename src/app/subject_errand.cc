#include "app/subject_errand.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

namespace telltale::app {
namespace {

// As `telltale subject resume` says it: something is left that another try may move.
constexpr int kWorkLeftExit = 3;

}  // namespace

// It may be killed at any moment: every step it takes can be taken again.
ErasureErrand::~ErasureErrand() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  (void)WaitFor(pid_);
}

void ErasureErrand::Look() {
  if (pid_ != 0) return Reap();
  const Micros now = clock_.NowMonotonic();
  if (now < look_at_) return;
  look_at_ = now + kErrandPauseMin;
  const auto names = disk_.List(jobs_folder_);
  if (!names.ok() || names->empty()) return;
  const bool is_new = std::exchange(jobs_, names->size()) != names->size();
  if (is_new) pause_ = kErrandPauseMin;
  if (is_new || now >= due_at_) Start();
}

void ErasureErrand::Start() {
  const auto started = app::Start(program_);
  if (started.ok()) {
    pid_ = *started;
    return;
  }
  spdlog::error("serve: erasures: {}", started.error().message);
  due_at_ = clock_.NowMonotonic() + kErrandPauseMax;
}

void ErasureErrand::Reap() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return;
  pid_ = 0;
  const bool is_quiet = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!is_quiet && !(WIFEXITED(status) && WEXITSTATUS(status) == kWorkLeftExit)) {
    spdlog::error("serve: going on with erasures {}; tried again", DescribeEnd(status));
  }
  pause_ = is_quiet ? kErrandPauseMax : std::min(pause_ + pause_, kErrandPauseMax);
  due_at_ = clock_.NowMonotonic() + pause_;
}

}  // namespace telltale::app
