#include "app/supervisor.h"

#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace telltale::app {
namespace {

using namespace std::chrono_literals;

Micros ToMicros(std::chrono::milliseconds time) { return Micros{time.count() * 1000}; }

}  // namespace

Supervisor::Child Supervisor::ChildOf(const Program& program) {
  Child child;
  child.program = program;
  return child;
}

const Supervisor::Child* Supervisor::Find(const std::string& name) const {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [&](const Child& child) { return child.program.name == name; });
  return found == children_.end() ? nullptr : &*found;
}

Supervisor::Child* Supervisor::Find(const std::string& name) {
  return const_cast<Child*>(std::as_const(*this).Find(name));
}

void Supervisor::KeepTrying(const Program& program) {
  Child child = ChildOf(program);
  child.is_counted = false;
  children_.push_back(std::move(child));  // the next Look() starts it
}

void Supervisor::Drop(const std::string& name) {
  Child* const child = Find(name);
  if (child == nullptr || child->is_leaving) return;
  child->is_leaving = true;
  child->is_counted = false;
  child->kill_at = clock_.NowMonotonic() + ToMicros(kEndGrace);
  if (child->pid != 0) kill(child->pid, SIGTERM);
}

void Supervisor::ChangeLimits(const std::string& name, const ProcessLimits& limits) {
  Child* const child = Find(name);
  if (child == nullptr || child->program.limits == limits) return;
  child->program.limits = limits;
  if (child->pid != 0) app::ChangeLimits(child->pid, limits);
}

void Supervisor::SetCounted(const std::string& name, bool is_counted) {
  if (Child* const child = Find(name); child != nullptr && !child->is_leaving) {
    child->is_counted = is_counted;
  }
}

std::optional<Supervisor::State> Supervisor::StateOf(const std::string& name) const {
  const Child* const child = Find(name);
  if (child == nullptr) return std::nullopt;
  return State{child->pid, child->is_leaving, child->restarts, child->last_end};
}

std::optional<Micros> Supervisor::CpuOf(const std::string& name) {
  Child* const child = Find(name);
  if (child == nullptr) return std::nullopt;
  if (child->pid != 0) {
    child->cpu_seen = std::max(child->cpu_seen, CpuTimeOf(child->pid).value_or(Micros{}));
  }
  return child->cpu_of_ended + child->cpu_seen;
}

Status Supervisor::Keep(const Program& program) {
  Child child = ChildOf(program);
  RETURN_IF_ERROR(StartChild(child));
  children_.push_back(std::move(child));
  return Ok();
}

Status Supervisor::StartChild(Child& child) {
  ASSIGN_OR_RETURN(child.pid, Start(child.program));
  child.started_at = clock_.NowMonotonic();
  spdlog::info("serve: {} runs (pid {})", child.program.name, child.pid);
  const Status noted =
      run_files_.Write(child.program.name + ".pid", std::to_string(child.pid) + "\n");
  if (!noted.ok()) spdlog::warn("serve: {}", noted.error().message);
  return Ok();
}

void Supervisor::Reap(Child& child, bool ending) {
  if (child.pid == 0) return;
  const auto ended = TakeEnded(child.pid);
  if (!ended) return;
  child.pid = 0;
  child.cpu_of_ended = child.cpu_of_ended + std::max(child.cpu_seen, ended->cpu);
  child.cpu_seen = {};
  run_files_.Remove(child.program.name + ".pid");
  // Where it listened is no longer so; with any free port it comes back on another one.
  run_files_.Remove(child.program.name + ".port");
  child.last_end = DescribeEnd(ended->wait_status);
  if (ending) return;
  ++child.restarts;
  const Micros now = clock_.NowMonotonic();
  const std::chrono::milliseconds alive((now - child.started_at).value / 1000);
  child.backoff = AfterEnd(child.backoff, alive);
  child.start_again_at = now + ToMicros(child.backoff.delay);
  spdlog::error("serve: {} {} after {:.1f} s; starting it again in {} ms", child.program.name,
                child.last_end, static_cast<double>(alive.count()) / 1000.0,
                child.backoff.delay.count());
}

void Supervisor::LookAtLeaving(Child& child) {
  Reap(child, /*ending=*/true);
  if (child.pid == 0) {
    spdlog::info("serve: {} was ended", child.program.name);
  } else if (clock_.NowMonotonic() >= child.kill_at) {
    kill(child.pid, SIGKILL);
  }
}

void Supervisor::Look() {
  for (Child& child : children_) {
    if (child.is_leaving) {
      LookAtLeaving(child);
      continue;
    }
    Reap(child, /*ending=*/false);
    if (child.pid != 0 || clock_.NowMonotonic() < child.start_again_at) continue;
    const Status started = StartChild(child);
    if (started.ok()) continue;
    child.backoff = AfterEnd(child.backoff, 0ms);
    child.start_again_at = clock_.NowMonotonic() + ToMicros(child.backoff.delay);
    child.last_end = started.error().message;
    spdlog::error("serve: {}: {}", child.program.name, started.error().message);
  }
  std::erase_if(children_, [](const Child& child) { return child.is_leaving && child.pid == 0; });
}

void Supervisor::SignalAll(int signal_number) {
  for (const Child& child : children_) {
    if (child.pid != 0) kill(child.pid, signal_number);
  }
}

bool Supervisor::any_runs() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const Child& child) { return child.pid != 0; });
}

bool Supervisor::AllRunFor(std::chrono::milliseconds at_least) const {
  const Micros since = clock_.NowMonotonic() - ToMicros(at_least);
  return std::all_of(children_.begin(), children_.end(), [&](const Child& child) {
    return !child.is_counted || (child.pid != 0 && child.started_at <= since);
  });
}

std::uint32_t Supervisor::early_ends(const std::string& name) const {
  const Child* const child = Find(name);
  return child == nullptr ? 0 : child->backoff.early_ends;
}

void Supervisor::EndAll() {
  SignalAll(SIGTERM);
  const Micros patience_ends = clock_.NowMonotonic() + ToMicros(end_grace_);
  bool killed = false;
  while (any_runs()) {
    for (Child& child : children_) Reap(child, /*ending=*/true);
    if (!killed && clock_.NowMonotonic() >= patience_ends) {
      for (const Child& child : children_) {
        if (child.pid != 0) spdlog::warn("serve: {} does not end; killing it", child.program.name);
      }
      SignalAll(SIGKILL);
      killed = true;
    }
    if (any_runs()) std::this_thread::sleep_for(10ms);
  }
  children_.clear();
}

}  // namespace telltale::app
