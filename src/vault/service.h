// The vault's socket: who asks is the kernel's word; all else is access/.
// Messages: docs/formats/vault-socket.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>

#include "base/local_socket.h"
#include "base/mutex.h"
#include "vault/access/door.h"

namespace telltale::vault {

inline constexpr int kConnectionsMax = 8;

class Service {
 public:
  explicit Service(AccessDoor& door) : door_(door) {}

  // Answers one connection. Any thread.
  void Serve(LocalConnection& connection);

  // Accepts until asked to stop; each connection on a thread of its own, at most kConnectionsMax.
  // Returns when stopped; a peer that does not take its answer is left to the end of the process.
  static Status Run(std::shared_ptr<Service> service, LocalListener listener);

 private:
  bool Enter();
  void Leave();
  void WaitUntilIdle(std::chrono::milliseconds timeout);

  AccessDoor& door_;
  Mutex mutex_;
  std::condition_variable_any idle_;
  int connections_ GUARDED_BY(mutex_) = 0;
};

}  // namespace telltale::vault
