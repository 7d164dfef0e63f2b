// For tests: a plane that remembers what it was asked.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "control/plane.h"

namespace telltale::control {

class FakePlane final : public Plane {
 public:
  struct Asked {
    std::string subject;
    std::string operation;
    nlohmann::json arguments;
  };
  Result<nlohmann::json> Do(const Actor& actor, std::string_view operation,
                            const nlohmann::json& arguments) override {
    MutexLock lock(mutex_);
    asked_.push_back({actor.subject, std::string(operation), arguments});
    if (answer) return answer(std::string(operation));
    return nlohmann::json{{"items", nlohmann::json::array()}};
  }
  Status Tick() override { return Ok(); }
  std::vector<Asked> asked() const {
    MutexLock lock(mutex_);
    return asked_;
  }

  std::function<Result<nlohmann::json>(const std::string& operation)> answer;  // before it is asked

 private:
  mutable Mutex mutex_;
  std::vector<Asked> asked_ GUARDED_BY(mutex_);
};

}  // namespace telltale::control
