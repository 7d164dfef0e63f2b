// What operators and auditors ask beside rows: holds, erasures, the clock, the report. Each is done
// on the owner's thread; the asker waits.
#pragma once

#include "base/config.h"
#include "vault/access/door.h"
#include "vault/intake.h"
#include "vault/inventory.h"
#include "vault/owner_tasks.h"

namespace telltale::vault {

// What lies outside the vault's folder and the report speaks of. Owner thread.
struct DeskFacts {
  std::function<Result<std::vector<SealedPartition>>()> sealed;
  std::function<std::vector<Expiring>()> transport_keys;
  std::function<std::vector<Expiring>()> exports;
  Micros sealed_retention;
};

// Any thread.
class Desk final : public Actions, public Operator {
 public:
  // All must outlive it.
  Desk(Disk& disk, Counters& counters, VaultFolder& folder, Intake& intake, OwnerTasks& tasks,
       const Paths& paths, DeskFacts facts)
      : disk_(disk),
        counters_(counters),
        folder_(folder),
        intake_(intake),
        tasks_(tasks),
        paths_(paths),
        facts_(std::move(facts)) {}

  // Of holds, their lifting and the clock, when the approvals are there.
  Status Check(const Request& request) override;
  Status Run(const BookedRequest& request, nlohmann::json& answer) override;

  Status Erase(const VehicleRef& vehicle, const std::string& job, nlohmann::json& answer) override;
  bool IsErased(const VehicleRef& vehicle) override { return folder_.store().IsErased(vehicle); }
  Status ListHolds(nlohmann::json& answer) override;
  Status Presence(const VehicleRef& vehicle, nlohmann::json& answer) override;
  Status MakeReport(std::optional<Micros> at, bool list, nlohmann::json& answer) override;
  // Owner thread: the hourly one.
  void Reconcile();

 private:
  // On the owner's thread, with everything committed.
  Status OnOwner(const std::function<Status()>& task);
  Status PlaceHold(const BookedRequest& request, nlohmann::json& answer);
  Status LiftHold(const BookedRequest& request, nlohmann::json& answer);
  Status ConfirmClock(nlohmann::json& answer);

  Disk& disk_;
  Counters& counters_;
  VaultFolder& folder_;
  Intake& intake_;
  OwnerTasks& tasks_;
  const Paths& paths_;
  const DeskFacts facts_;
};

}  // namespace telltale::vault
