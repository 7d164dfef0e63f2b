// The vault's socket: who may ask is the kernel's word, what was asked is recorded.
// Messages: docs/formats/vault-socket.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/local_socket.h"
#include "vault/query.h"

namespace telltale::vault {

inline constexpr int kConnectionsMax = 8;

class Service {
 public:
  Service(Store& store, QueryDoor& door, Clock& clock, Counters& counters,
          std::vector<std::uint32_t> allowed_uids);

  // Answers one connection. Any thread.
  void Serve(LocalConnection& connection);

  // Accepts until asked to stop; each connection on a thread of its own, at most kConnectionsMax.
  // Returns when stopped; a peer that does not take its answer is left to the end of the process.
  static Status Run(std::shared_ptr<Service> service, LocalListener listener);

 private:
  Status Answer(const std::string& frame, std::uint32_t uid, const Send& send);
  Status ListAudit(const nlohmann::json& request, const Send& send);
  bool IsAllowed(std::uint32_t uid) const;
  // Each is recorded, but of one uid at most 20 in 10 s, so that asking cannot fill the disk; the
  // next entry says how many were left out.
  void RecordRefusal(std::uint32_t uid, const std::string& reason);

  Store& store_;
  QueryDoor& door_;
  Clock& clock_;
  Counters& counters_;
  const std::vector<std::uint32_t> allowed_uids_;
  struct Refusals {
    Micros since;
    std::uint64_t recorded = 0;
    std::uint64_t left_out = 0;
  };
  bool Enter();
  void Leave();
  void WaitUntilIdle(std::chrono::milliseconds timeout);

  Mutex mutex_;
  std::condition_variable_any idle_;
  int connections_ GUARDED_BY(mutex_) = 0;
  std::map<std::uint32_t, Refusals> refusals_ GUARDED_BY(mutex_);
};

}  // namespace telltale::vault
