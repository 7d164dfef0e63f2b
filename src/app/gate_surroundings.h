// What the gate's observer asks of the rest of an installation: releases, run/releases.json and the
// workers' counters, the alert store, the register. It reads, and holds no key. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/config.h"
#include "base/disk.h"
#include "gate/sights.h"
#include "log/streams.h"
#include "publish/alert_store.h"

namespace telltale::app {

class GateSurroundings final : public gate::Surroundings {
 public:
  // What is referred to must outlive it.
  GateSurroundings(Disk& disk, const Clock& clock, log::Streams& streams, Paths paths)
      : disk_(disk), clock_(clock), streams_(streams), paths_(std::move(paths)) {}

  void Begin() override;
  Result<std::map<std::string, Micros>> HoldsOf(const std::string& release) override;
  Result<std::map<std::string, std::string>> ComponentsOf(const std::string& release) override;
  gate::Sights Look(const std::string& stable, const std::string& candidate) override;
  std::string ModelOf(const VehicleRef& vehicle) override;

 private:
  void LookAtWorkers(const std::string& stable, const std::string& candidate, gate::Sights& sights);
  void LookAtCounters(const std::string& release, gate::WorkerSight& worker);
  void LookAtAuthority(const std::string& candidate);
  Status CheckAuthority(const std::string& candidate);
  void LookAtContracts(const std::string& stable, const std::string& candidate,
                       gate::Sights& sights);
  void LookAtEnds(gate::Sights& sights);

  Disk& disk_;
  const Clock& clock_;
  log::Streams& streams_;
  const Paths paths_;
  std::unique_ptr<publish::AlertStore> store_;
  std::optional<std::uint64_t> checked_to_;  // number of an alert change
  gate::AuthoritySight authority_;
  std::string contracts_of_;  // both releases
  std::vector<std::string> opened_fields_;
  std::unordered_map<VehicleRef, std::string, VehicleRefHash> models_;
  std::optional<Micros> models_at_;  // monotonic
};

}  // namespace telltale::app
