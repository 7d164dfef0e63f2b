// The processes of one installation, without their sockets, on one simulated disk: gateway and log,
// worker and journal, lake, vault, publisher and its store, registry. Real code from the batch to
// the files, SQLite's included (store/disk_vfs.h); each can die alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/sim_disk.h"
#include "fleet.h"
#include "gateway/batch_processor.h"
#include "lake/lake.h"
#include "publish/publisher.h"
#include "registry/registry.h"
#include "safety/shard_worker.h"
#include "store/disk_vfs.h"
#include "vault/intake.h"
#include "vault/vault_folder.h"

namespace telltale::power {

inline constexpr std::uint16_t kPartitions = 4;
inline constexpr std::uint16_t kShards = 2;
inline constexpr Micros kStart{1'764'000'000'000'000};

inline const std::string kRelease(64, 'a');

// What is there after everything came up again, by identity.
struct Found {
  std::set<Identity> safety;
  std::set<Identity> telemetry;
  std::set<Identity> sealed;                           // opened from the stream
  std::set<Identity> vault;                            // frames the vault committed
  std::map<Identity, std::uint64_t> rows;              // telemetry rows in hand-offs
  std::map<std::string, std::string> alerts;           // forwardable outputs: name -> bytes
  std::map<std::string, std::string> expected_alerts;  // the rules over the stream from offset 0
};

class Platform {
 public:
  Platform(SimDisk& disk, ManualClock& clock, std::uint64_t seed);
  ~Platform();

  // Keys, contract and folders, as `telltale init` leaves them: durable.
  void Install();

  // Each starts its process if it does not run; an error is the disk's.
  Status StartGateway();
  Status StartWorker();
  Status StartLake();
  Status StartVault();
  Status StartPublisher();
  Status StartRegistry();
  // An orderly stop, in which SQLite moves its journal into the database.
  void StopPublisher();
  void StopRegistry();
  // As kill -9: what was handed to the disk stays handed.
  void KillAll();

  // nullopt: no room, try again later. Only while the gateway runs.
  Result<std::optional<CommitNumber>> Take(const gateway::Vehicle& vehicle, const Batch& batch);
  void Flush();
  Status Sync();  // blocks until all that was staged is durable
  Status Tick();
  CommitNumber Durable(const gateway::Vehicle& vehicle) const;

  // One step; true when there may be more to do.
  Result<bool> StepWorker();
  Status SaveSnapshots();
  Result<bool> StepLake();
  Status CutLake();
  Result<bool> StepVault();
  void CommitVault();
  // An access that the vault recorded: the number of its entry.
  Result<std::uint64_t> Audit();
  // Entries of the audit log, its chain checked.
  Result<std::uint64_t> AuditEntries();
  Result<bool> StepPublisher();
  Status SavePublisherPositions();
  registry::Registry& registry() { return *registry_; }
  // Rows of vehicle_changes, the file checked by SQLite.
  Result<std::uint64_t> CountRegistryChanges();
  // What is wrong with the alert store right after a cut: what a client of the feed was shown is
  // not there any more, a change is there twice, a place covers what is not there. "" = nothing.
  Result<std::string> CheckAlertStore();

  bool gateway_runs() const { return gateway_ != nullptr; }
  bool worker_runs() const { return worker_ != nullptr; }
  bool lake_runs() const { return lake_ != nullptr; }
  bool vault_runs() const { return vault_ != nullptr; }
  bool publisher_runs() const { return publisher_ != nullptr; }
  bool registry_runs() const { return registry_ != nullptr; }

  // Reads the streams alone.
  Status FindInStreams(Found& found);
  // Reads what consumers made. They must run and be drained.
  Status FindInResults(Found& found);

 private:
  struct GatewayProcess;
  struct WorkerProcess;
  struct VaultProcess;
  Status PutConfigInForce();
  Status FindSealed(Found& found);
  Status FindRows(Found& found);
  Status FindAlerts(Found& found);
  Status ComparePublished(const Found& found);
  Status ShowChanges();
  Result<std::string> CheckPlaces(publish::AlertStore& store);
  Status ExpectAlerts(Found& found);

  SimDisk& disk_;
  ManualClock& clock_;
  SeededRandom random_;
  Counters counters_;
  seal::KeyPair gateway_key_;
  seal::KeyPair vault_key_;
  seal::KeyPair control_key_;
  std::string digest_;
  std::string signed_config_;
  std::shared_ptr<const contract::Contract> contract_;
  const safety::Engine engine_;
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<WorkerProcess> worker_;
  std::unique_ptr<lake::Lake> lake_;
  const std::unique_ptr<log::Streams> streams_;
  store::DiskVfs vfs_;
  std::unique_ptr<VaultProcess> vault_;  // its databases close before vfs_ goes
  registry::RandomReferences references_;
  std::unique_ptr<publish::Publisher> publisher_;
  std::optional<publish::AlertStore> feed_;
  std::unique_ptr<registry::Registry> registry_;
  std::vector<publish::AlertChange> shown_;  // to a client of the feed, ever
};

}  // namespace telltale::power
