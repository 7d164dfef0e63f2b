// gateway/ - where vehicles come in: MQTT over mutual TLS, identity, split, acknowledgement.
//   in      PUBLISHes of ReportBatches; the registry's map; SignedConfig on append.sock
//   out     records in the streams safety, telemetry and sealed
//   owns    <data>/log (it is the log's one writer) and run/gateway.port
//   thread  a door for arrivals, one thread a shard, one for config records, two for the registry
//   not here: what a rule makes of a record (safety/), opening sealed data (vault/)
// An acknowledgement leaves when every stream its PUBLISH was written to is durable, in PUBLISH
// order. What is refused is sealed in quarantine, counted and acknowledged.
#pragma once

#include <memory>
#include <vector>

#include "base/config.h"
#include "base/counters.h"
#include "gateway/condition_file.h"
#include "gateway/door.h"
#include "gateway/shard.h"
#include "gateway/transport_keys.h"
#include "gateway/vehicle_trust.h"
#include "log/streams.h"

namespace telltale::gateway {

class ConfigDesk;
class RetentionKeeper;

class Gateway {
 public:
  struct Parts {
    Disk& disk;
    Clock& clock;
    Counters& counters;
    log::Streams& streams;
    ByteBudget::Rate vehicle_rate = {};
    std::chrono::milliseconds sweep_every{1000};  // for who is late; shorter in tests
  };
  // Loads keys and certificates, opens the log and starts the shards. Cars are not accepted yet.
  //   errors of TlsContext, LoadKey, Log::Open
  static Result<std::unique_ptr<Gateway>> Start(const Config& config, const Paths& paths,
                                                Parts parts);
  ~Gateway();  // stops

  // True when a config record is in force: kept, appended everywhere and in the ledger. Any thread.
  bool has_config() const;
  // Lets the cars in; returns the port. Once, when has_config().
  Result<std::uint16_t> OpenDoor();
  // Looks whether certificates or the revocation list have changed; then they are in force, and
  // connections whose certificate is revoked are closed. Files that are no good change nothing. To
  // be called every few seconds, on the thread that calls Stop().
  void RefreshTrust();
  // Looks whether the bundle of the vault's transport keys has changed. As RefreshTrust().
  void RefreshTransportKeys() { transport_keys_.Refresh(); }
  // True when the log failed: end the process, the supervisor starts a new one. Any thread.
  bool has_failed() const { return has_failed_; }
  // Why vehicles wait. Any thread.
  Conditions conditions() const;
  // Writes down what unknown fields came, if any did since the last time. On the thread that calls
  // Stop(), every second or so: what came since is not counted after a crash.
  void SaveUnknown();
  // Looks at once what may be removed and who lags, as a thread does every minute. Any thread.
  void RunRetention();
  // No new connections; what was read is written, synced and acknowledged. Idempotent.
  void Stop();

 private:
  Gateway(const Config& config, const Paths& paths, Parts parts);
  Status LoadKeys();
  Status OpenLog();
  Status StartShards();
  void LoadUnknown();
  void StartRetention();

  const Config config_;
  const Paths paths_;
  Parts parts_;
  std::atomic<bool> has_failed_{false};
  std::string gateway_private_;
  std::string control_public_;
  TransportKeys transport_keys_;
  std::unique_ptr<VehicleTrust> trust_;
  UnknownTally unknown_;
  TakenChoices taken_choices_;         // from the shards to the registry
  std::uint64_t unknown_written_ = 0;  // unknown_.changes() that the file has
  bool is_unknown_refused_ = false;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<log::WakeServer> wake_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<RegistryClient> registry_;
  std::unique_ptr<ConfigDesk> desk_;
  std::unique_ptr<RetentionKeeper> retention_;
  std::unique_ptr<Door> door_;
};

}  // namespace telltale::gateway
