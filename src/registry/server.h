// Serves a Registry on a local socket: requests with one reply each, or a subscription.
//
// Each connection has a thread; all of them share the registry under one lock. A subscriber gets
// every vehicle in pages, then each change. Its queue holds the VINs that changed, not rows: what
// is sent is always the newest row, however slow the subscriber is. A queue over kPendingChangesMax
// ends the subscription; the subscriber connects again and gets the whole map.
#pragma once

#include <memory>
#include <string>

#include "base/counters.h"
#include "registry/registry.h"

namespace telltale::registry {

inline constexpr std::size_t kConnectionsMax = 128;  // more are hung up on at once
inline constexpr std::size_t kPendingChangesMax = 1'000'000;
inline constexpr std::uint32_t kRowsPerPage = 2000;  // of the map; a frame stays under 1 MiB

class Server {
 public:
  // Listens on `socket_path` (mode 0660: owner and group may ask). `counters` must outlive it, and
  // so must what `registry` refers to.
  static Result<std::unique_ptr<Server>> Start(Registry registry, const std::string& socket_path,
                                               Counters& counters);
  // Stops accepting and waits up to a second for the connections to end. One that is stuck sending
  // to a peer that does not read is left behind; it holds nothing that is not durable.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Core;
  explicit Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  std::shared_ptr<Core> core_;
};

}  // namespace telltale::registry
