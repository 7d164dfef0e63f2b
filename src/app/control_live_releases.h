// The releases of one environment side by side, as the page shows them (docs/control-page.md).
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "app/control_live_tally.h"
#include "app/operations_state.h"
#include "base/config.h"
#include "control/config_record.h"
#include "internal/v1/local.pb.h"

namespace telltale::app {

// The newest config that the log's owner keeps, and when what it says of releases began.
struct ReleasesInForce {
  control::InForce config;
  Micros since;  // when the rollout under way began; without one, when this config was made
};
//   kNotFound  no config was put in force yet
//   errors of control::ReadContracts
Result<ReleasesInForce> ReadReleasesInForce(Disk& disk, const Paths& paths);

// Asks the publisher who speaks for whom and how far the journals are.
//   kUnavailable  nobody listens there, or no answer in time
Result<internal::v1::PublisherReply> AskPublisher(const Paths& paths);

// What `serve` says of each release's worker in run/releases.json (docs/operate.md), by release.
std::map<std::string, nlohmann::json> ReadWorkers(Disk& disk, const Paths& paths);

// Counts side by side from the beginning of a rollout; another one begins at nothing.
class SideBySide {
 public:
  explicit SideBySide(ReleasesInForce in_force);

  // Whether these counts are about what is in force.
  bool IsAbout(const ReleasesInForce& in_force) const;
  // Reads what is new: {"part": reason} of what cannot be read.
  std::map<std::string, std::string> Look(Disk& disk, const Paths& paths,
                                          Result<publish::AlertStore>& store);
  // {"rollout": …, "releases": […]}
  nlohmann::json ToJson(const OperationsState& state,
                        const std::map<std::string, nlohmann::json>& workers,
                        const internal::v1::PublisherReply& publisher) const;

 private:
  nlohmann::json RulesOf(const std::string& speaker) const;

  const ReleasesInForce in_force_;
  std::map<std::string, std::string> roles_;  // by release: stable, candidate, previous
  std::map<std::string, std::unique_ptr<OpenedTally>> opened_;  // by speaker
  PublishedTally published_;
};

}  // namespace telltale::app
