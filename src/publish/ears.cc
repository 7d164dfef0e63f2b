#include "publish/ears.h"

#include <algorithm>
#include <chrono>

#include "log/log.h"

namespace telltale::publish {
namespace {

constexpr std::chrono::milliseconds kPatience{50};

}  // namespace

struct Ears::Ear {
  Ear(std::string of, const std::string& socket, Bell& bell)
      : release(std::move(of)), thread([this, socket, &bell] {
          log::WakeClient wake(socket);
          while (!is_stopping) {
            wake.Wait(kPatience);
            bell.Ring();
          }
        }) {}
  ~Ear() {
    is_stopping = true;
    thread.join();
  }
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;

  const std::string release;
  std::atomic<bool> is_stopping{false};
  std::thread thread;  // last: uses all of the above
};

Ears::Ears(std::string run, Bell& bell) : run_(std::move(run)), bell_(bell) {}
Ears::~Ears() = default;

void Ears::ListenTo(const std::vector<std::string>& releases) {
  const auto is_one = [&releases](const std::string& release) {
    return std::find(releases.begin(), releases.end(), release) != releases.end();
  };
  std::erase_if(ears_, [&](const auto& ear) { return !is_one(ear->release); });
  for (const std::string& release : releases) {
    const bool is_there = std::any_of(ears_.begin(), ears_.end(),
                                      [&](const auto& ear) { return ear->release == release; });
    if (is_there) continue;
    ears_.push_back(
        std::make_unique<Ear>(release, run_ + "/worker-" + release.substr(0, 8) + ".sock", bell_));
  }
}

}  // namespace telltale::publish
