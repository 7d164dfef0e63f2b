// Takes config records in on the local socket and puts them in force: keep, append to every
// partition of every stream, ledger, reply. At a start it finishes what a crash cut short.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/local_socket.h"
#include "gateway/config_store.h"
#include "gateway/shard.h"

namespace telltale::gateway {

class ConfigDesk {
 public:
  struct Parts {
    ConfigStore store;
    log::Log& log;
    std::vector<Shard*> shards;  // by shard id
  };
  explicit ConfigDesk(Parts parts) : parts_(std::move(parts)) {}
  ~ConfigDesk() { Stop(); }

  // Puts the newest kept config in force again, then listens at `socket_path`.
  //   errors of ConfigStore, Log::AppendLedger, LocalListener::Listen
  Status Start(const std::string& socket_path);
  void Stop();  // before the shards stop
  bool has_config() const { return seq_ > 0; }

  // A config at or below the one in force is ok and has no effect. After a failure the same one
  // may be sent again.
  Status PutInForce(std::string_view signed_config);  // the desk's thread, or before Start()

 private:
  void Serve(LocalListener& listener);
  void ServeOne(LocalConnection connection);
  Status Append(const CheckedConfig& config);

  Parts parts_;
  std::atomic<std::uint64_t> seq_{0};
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace telltale::gateway
