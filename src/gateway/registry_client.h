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
#include "base/local_socket.h"
#include "base/mutex.h"
#include "gateway/choice_book.h"
#include "gateway/vehicle.h"

namespace telltale::gateway {

// Vehicles that wait for the registry at one time; more are told that the server is unavailable.
inline constexpr std::size_t kResolvesWaitingMax = 4096;

class RegistryClient {
 public:
  struct Options {
    std::string socket_path;
    std::uint8_t off_by_default = 0;  // of a vehicle for which nothing was chosen
  };
  // `taken` is told to the registry as it fills, again and again until it has it; may be null.
  RegistryClient(Options options, Counters& counters, TakenChoices* taken = nullptr);
  ~RegistryClient();  // ends its threads, < 0.5 s; answers that are outstanding are dropped

  // `on_change` gets the former reference and the row of a vehicle that was known already (an empty
  // row when the registry has none any more), and the row of any vehicle for which something was
  // chosen; called on one of the client's threads. While the registry is away the map stays and the
  // client keeps trying.
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
  void TellTaken();
  void AnswerQuestions();
  void ForgetVin(const std::string& vin);
  Status TakeRows(const std::string& frame, const std::string* wanted,
                  std::optional<Vehicle>* found);

  const Options options_;
  TakenChoices* const taken_;
  Counter& rows_;
  Counter& added_;
  Counter& lost_;
  std::function<void(VehicleRef, const Vehicle&)> on_change_;
  std::atomic<bool> is_stopping_{false};
  // Of the thread that follows the map.
  std::vector<TakenChoice> telling_;
  std::optional<LocalConnection> teller_;
  bool is_taken_refused_ = false;  // logged once

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
