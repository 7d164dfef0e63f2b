#include "gate/kept_evidence.h"

#include <nlohmann/json.hpp>

#include "gate/evidence.h"

namespace telltale::gate {
namespace {

constexpr std::uint64_t kEvidenceBytesMax = 256u << 20;

bool IsErased(const std::string& vehicle, const ErasureList& erased) {
  const auto ref = VehicleRef::FromHex(vehicle);
  return !ref.ok() || erased.Contains(*ref);
}

std::size_t TakeOut(Evidence& evidence, const ErasureList& erased) {
  std::size_t taken = 0;
  for (InvariantEvidence& one : evidence.invariants) {
    taken += std::erase_if(one.vehicles,
                           [&](const std::string& vehicle) { return IsErased(vehicle, erased); });
  }
  for (PairedEvidence& one : evidence.paired) {
    taken += std::erase_if(one.examples, [&](const PairedExample& example) {
      return IsErased(example.vehicle, erased);
    });
  }
  return taken;
}

Status TidyOne(Disk& disk, const std::string& folder, const ErasureList& erased) {
  if (disk.Exists(folder + "/state")) {
    RETURN_IF_ERROR(disk.Remove(folder + "/state"));
    RETURN_IF_ERROR(disk.SyncFolder(folder));
  }
  const std::string path = folder + "/evidence.json";
  if (!disk.Exists(path)) return Ok();
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path, kEvidenceBytesMax));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  auto evidence = json.is_discarded() ? Result<Evidence>(Error{Code::kInvalid, "no JSON"})
                                      : EvidenceFromJson(json);
  if (!evidence.ok()) {
    RETURN_IF_ERROR(disk.Remove(path));
    return disk.SyncFolder(folder);
  }
  if (TakeOut(*evidence, erased) == 0) return Ok();
  return WriteFileDurably(disk, path, EvidenceText(*evidence), 0640);
}

}  // namespace

Status TidyKeptEvidence(Disk& disk, const std::string& folder, const std::string& current,
                        const ErasureList& erased) {
  const auto rollouts = disk.List(folder);
  if (!rollouts.ok()) return rollouts.error().code == Code::kNotFound ? Ok() : rollouts.error();
  Status first = Ok();
  for (const std::string& rollout : *rollouts) {
    if (rollout == current) continue;
    const Status done = TidyOne(disk, folder + "/" + rollout, erased);
    if (first.ok()) first = done;
  }
  return first;
}

}  // namespace telltale::gate
