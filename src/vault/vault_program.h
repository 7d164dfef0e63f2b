// The vault's process but for main(): its parts in the order they need each other, and what is done
// now and then.
#pragma once

#include <memory>
#include <string>

#include "vault/desk.h"
#include "vault/owner_loop.h"
#include "vault/query.h"
#include "vault/settings.h"
#include "vault/tree_parts.h"

namespace telltale::vault {

class VaultProgram {
 public:
  // `disk`, `clock`, `random` and `counters` must outlive it. Nothing is served yet.
  //   kRefused  the configuration asks for what its environment may not do
  //   as VaultFolder::Open, AccessDoor::Open, Config::Load
  static Result<std::unique_ptr<VaultProgram>> Open(Disk& disk, Clock& clock, Random& random,
                                                    Counters& counters, const std::string& dir);

  const Paths& paths() const { return paths_; }
  const Config& config() const { return config_; }
  AccessDoor& door() { return *door_; }
  OwnerLoop& loop() { return *loop_; }

 private:
  VaultProgram(Disk& disk, Clock& clock, Random& random, Counters& counters, const std::string& dir)
      : disk_(disk),
        clock_(clock),
        random_(random),
        counters_(counters),
        paths_(dir),
        transport_keys_(disk, paths_.vault() + "/keys/transport"),
        gateways_(disk, paths_.vault() + "/gateways") {}
  Status OpenStore();
  Status LoadTransportKeys();
  void OpenIntake();
  Status OpenDoor();
  void RecordStart(const std::string& waiver);
  std::vector<Expiring> ExpiringAnswers();
  void AddChores();

  Disk& disk_;
  Clock& clock_;
  Random& random_;
  Counters& counters_;
  const Paths paths_;
  Config config_;
  TransportKeys transport_keys_;
  GatewayKeys gateways_;
  std::unique_ptr<Opener> opener_;
  std::unique_ptr<VaultFolder> folder_;
  std::unique_ptr<RecordIntake> records_;
  std::unique_ptr<Intake> intake_;
  OwnerTasks tasks_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<StoreRows> rows_;
  std::unique_ptr<TreeTags> tags_;
  std::unique_ptr<TreeExportKeys> export_keys_;
  std::unique_ptr<Desk> desk_;
  std::unique_ptr<AccessDoor> door_;
  std::unique_ptr<OwnerLoop> loop_;
};

}  // namespace telltale::vault
