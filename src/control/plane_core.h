// The plane with its threads: PlaneState behind one mutex, and the talking to installations, which
// never happens under it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/mutex.h"
#include "control/plane.h"
#include "control/plane_state.h"
#include "control/release.h"

namespace telltale::control {

class PlaneCore final : public Plane {
 public:
  PlaneCore(PlaneOptions options, std::unique_ptr<PlaneState> state);
  ~PlaneCore() override;

  Result<nlohmann::json> Do(const Actor& actor, std::string_view operation,
                            const nlohmann::json& arguments) override;
  Status Tick() override;
  Result<std::vector<nlohmann::json>> Events(std::size_t most) override;
  Status KeepEvent(const nlohmann::json& event, EventFate fate) override;

 private:
  // An installation as the ticking thread keeps it.
  struct Link {
    std::string dir = {};
    std::unique_ptr<Installation> installation = {};
    std::string append_reason = {};  // of the last failure to send; "" = none
    std::string order_reason = {};
    Micros append_again = {};  // monotonic; not before
    Micros ask_again = {};
    std::string publisher_reason = {};
    std::optional<PublisherView> publisher = {};
    std::string installed = {};  // candidate whose files are there
    GateWatch gate = {};
    std::string drafted = {};   // rollout whose repair draft is complete
    Micros draft_again = {};    // monotonic; not before
    std::string compared = {};  // "<stable> <candidate>": has_stable_path is about them
    bool has_stable_path = false;
  };

  Result<nlohmann::json> Answer(const Call& call) REQUIRES(mutex_);
  Result<nlohmann::json> AnswerObjects(const Call& call) REQUIRES(mutex_);
  Result<nlohmann::json> AnswerChange(const Call& call) REQUIRES(mutex_);
  // Outside of the mutex: they read folders or call installations.
  Result<nlohmann::json> AnswerRelease(const Call& call);
  Result<nlohmann::json> AnswerFolder(const Call& call);
  Result<nlohmann::json> Preview(const Call& call);
  Result<nlohmann::json> Rollout(const Call& call);
  Result<nlohmann::json> Report(const Call& call);
  Result<nlohmann::json> GateOf(const Call& call);
  // Kept in a file; made anew until the candidate speaks nowhere any more.
  Result<nlohmann::json> DraftRepair(const std::string& rollout);
  Result<nlohmann::json> Promote(const Call& call);
  Result<nlohmann::json> GoBack(const Call& call);
  Result<nlohmann::json> Fence(const std::string& rollout, Micros decided_at);
  Result<std::string> DirOf(const std::string& environment);

  Status TickPlace(const PlaneState::Place& place) REQUIRES(tick_mutex_);
  Sight Look(const PlaneState::Place& place, Link& link) REQUIRES(tick_mutex_);
  void AskPublisher(Link& link) REQUIRES(tick_mutex_);
  bool HasStablePath(const PlaneState::Place& place, const Components& candidate)
      REQUIRES(tick_mutex_);
  void MakeReady(const PlaneState::Place& place, Link& link, Sight& sight) REQUIRES(tick_mutex_);
  Status Send(Sending sending, Link& link) REQUIRES(tick_mutex_);
  void SendToLog(ConfigRow& row, Link& link) REQUIRES(tick_mutex_);
  void SendToPublisher(ConfigRow& row, Link& link) REQUIRES(tick_mutex_);

  const PlaneOptions options_;
  Mutex tick_mutex_;  // taken before mutex_
  std::map<std::string, Link> links_ GUARDED_BY(tick_mutex_);
  Mutex mutex_;
  const std::unique_ptr<PlaneState> state_;  // what it points to: under mutex_
};

}  // namespace telltale::control
