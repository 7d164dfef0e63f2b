// The stores of an installation as steps of an erasure: docs/erasure-map.md, line by line.
#pragma once

#include <string>
#include <vector>

#include "app/subject_erasure.h"
#include "app/subject_lake.h"
#include "app/subject_vault.h"
#include "base/config.h"
#include "registry/registry.h"

namespace telltale::app {

// Names of the lines, in the order they are tried. The list first: from then on nobody writes
// anything new of the vehicle. The recipients before the alerts, whose count they need.
namespace store_name {
inline constexpr const char* kList = "erasure_list";
inline constexpr const char* kVaultKeys = "vault_keys";
inline constexpr const char* kVaultFiles = "vault_files";
inline constexpr const char* kRegistry = "registry";
inline constexpr const char* kRecipients = "recipients";
inline constexpr const char* kAlerts = "alerts";
inline constexpr const char* kLake = "lake";
inline constexpr const char* kSnapshots = "worker_snapshots";
inline constexpr const char* kGate = "gate_evidence";
inline constexpr const char* kHandoffs = "lake_handoffs";
inline constexpr const char* kSafety = "stream_safety";
inline constexpr const char* kTelemetry = "stream_telemetry";
inline constexpr const char* kSealed = "stream_sealed";
inline constexpr const char* kJournals = "journals";
}  // namespace store_name

struct SubjectParts {
  Disk& disk;
  Clock& clock;
  Paths paths;
  Config config;
  VaultDoor& vault;
  LakeDoor& lake;
  // The running registry, or its database while nobody serves it. Gives the rows removed.
  std::function<Result<std::uint32_t>(const VehicleRef&)> erase_in_registry;
  const store::DiskVfs* vfs = nullptr;  // where the alert store lies; null = the system's disk
};

// Until the last of these the gateway may still write under the reference: its connections end
// within moments, and what a stopped gateway or registry delays is within this.
inline constexpr Micros kAfterTheDoor = Micros::Seconds(600);

// `parts` must outlive the steps.
std::vector<StoreStep> ErasureSteps(SubjectParts& parts);

// Paths below `folder` whose bytes hold `vehicle`, as it is or as hex digits. Folders that do not
// exist hold nothing.
Result<std::vector<std::string>> FilesHolding(Disk& disk, const std::string& folder,
                                              const VehicleRef& vehicle);

}  // namespace telltale::app
