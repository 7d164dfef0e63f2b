// The registry's map of vehicles, as this process sees it: in memory only, fed by the registry role
// over its local socket, asked for a vehicle that is not there yet.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/counters.h"
#include "base/mutex.h"
#include "gateway/vehicle.h"

namespace telltale::gateway {

// Vehicles that wait for the registry at one time; more are told that the server is unavailable.
inline constexpr std::size_t kResolvesWaitingMax = 4096;

class RegistryClient {
 public:
  RegistryClient(std::string socket_path, Counters& counters);
  ~RegistryClient();  // ends its threads, < 0.5 s; answers that are outstanding are dropped

  // `on_change` gets the former reference and the row of a vehicle that was known already, or an
  // empty row when the registry has none any more; called on the client's thread. While the
  // registry is away the map stays and the client keeps trying.
  void Start(std::function<void(VehicleRef, const Vehicle&)> on_change);

  std::optional<Vehicle> Find(const std::string& vin) const;  // any thread

  // Asks the registry, which adds and syncs an unknown vehicle before it answers. `done` is called
  // on the client's thread, or at once with kOverloaded when too many wait.
  //   kUnavailable  the registry is down or did not answer in time
  void Resolve(std::string vin, std::function<void(Result<Vehicle>)> done);  // any thread

 private:
  struct Question {
    std::string vin;
    std::function<void(Result<Vehicle>)> done;
  };
  class Line;  // a connection for questions

  void FollowMap();
  void FollowOnce();
  void AnswerQuestions();
  void ForgetVin(const std::string& vin);
  Status TakeRows(const std::string& frame, const std::string* wanted,
                  std::optional<Vehicle>* found);

  const std::string socket_path_;
  Counter& rows_;
  Counter& added_;
  Counter& lost_;
  std::function<void(VehicleRef, const Vehicle&)> on_change_;
  std::atomic<bool> is_stopping_{false};

  mutable Mutex mutex_;
  CondVar asked_;
  std::unordered_map<std::string, Vehicle> by_vin_ GUARDED_BY(mutex_);
  std::deque<Question> questions_ GUARDED_BY(mutex_);
  // While the map comes anew: known VINs that it has not named yet.
  std::unordered_set<std::string> unnamed_ GUARDED_BY(mutex_);

  std::thread follower_;
  std::thread answerer_;
};

}  // namespace telltale::gateway
