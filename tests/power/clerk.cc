#include "clerk.h"

#include <fmt/format.h>

namespace telltale::power {
namespace {

constexpr std::uint64_t kVins = 6;

std::string VinOf(std::uint64_t number) { return fmt::format("WTT0000000000{:04}", number); }

}  // namespace

std::uint64_t Clerk::VersionOf(const registry::Vehicle& vehicle) {
  return vehicle.entry.model.empty() ? 0 : std::stoull(vehicle.entry.model);
}

// A reference is for ever, whatever else is said of the vehicle.
Status Clerk::Learn(const registry::Vehicle& vehicle) {
  const auto [at, is_new] = refs_.emplace(
      std::pair(vehicle.entry.vin, vehicle.entry.ownership_epoch), vehicle.vehicle_ref);
  if (!is_new && at->second != vehicle.vehicle_ref) {
    return Error{Code::kCorrupt, "a vehicle has got another reference"};
  }
  vehicles_[vehicle.entry.vin] = {vehicle.entry.ownership_epoch, VersionOf(vehicle),
                                  vehicle.vehicle_ref};
  return Ok();
}

Status Clerk::Import(Platform& platform, Random& random) {
  ++version_;
  unanswered_.clear();
  std::vector<registry::VehicleEntry> entries;
  for (std::uint64_t number = 0; number < kVins; ++number) {
    if (random.Below(3) != 0) continue;
    registry::VehicleEntry entry;
    entry.vin = VinOf(number);
    std::uint32_t& epoch = epochs_tried_[entry.vin];
    if (epoch == 0 || random.Below(4) == 0) ++epoch;
    entry.ownership_epoch = epoch;
    entry.model = std::to_string(version_);
    unanswered_.push_back(entry.vin);
    entries.push_back(std::move(entry));
  }
  ASSIGN_OR_RETURN(const auto imported, platform.registry().Import(entries));
  if (imported.changed.size() != entries.size()) {
    return Error{Code::kCorrupt, "an import left a vehicle as it was"};
  }
  for (const registry::Vehicle& vehicle : imported.changed) RETURN_IF_ERROR(Learn(vehicle));
  unanswered_.clear();
  changes_ += entries.size();
  ++answered_;
  return Ok();
}

Status Clerk::Resolve(Platform& platform, Random& random) {
  const std::string vin = VinOf(random.Below(2 * kVins));  // half of them are never imported
  std::uint32_t& epoch = epochs_tried_[vin];
  epoch = std::max(epoch, 1u);
  ASSIGN_OR_RETURN(const auto resolved, platform.registry().Resolve(vin));
  RETURN_IF_ERROR(Learn(resolved.vehicle));
  changes_ += resolved.added ? 1 : 0;
  ++answered_;
  return Ok();
}

std::string Clerk::Check(Platform& platform) {
  for (const auto& [vin, known] : vehicles_) {
    std::string problem = CheckOne(platform, vin, known);
    if (!problem.empty()) return problem;
  }
  for (const auto& [name, ref] : refs_) {
    const auto found = platform.registry().FindByRef(ref);
    if (!found.ok() || found->entry.vin != name.first ||
        found->entry.ownership_epoch != name.second) {
      return "the registry lost a reference that it gave out";
    }
  }
  std::size_t there = 0;  // of the import that nobody was answered
  for (const std::string& vin : unanswered_) {
    const auto found = platform.registry().FindByVin(vin);
    if (!found.ok() || VersionOf(*found) != version_) continue;
    ++there;
    if (const Status learned = Learn(*found); !learned.ok()) return learned.error().message;
  }
  if (there != 0 && there != unanswered_.size()) {
    return fmt::format("{} of {} vehicles of one import", there, unanswered_.size());
  }
  changes_ += there;
  unanswered_.clear();
  const auto changes = platform.CountRegistryChanges();
  if (!changes.ok()) return "registry: " + changes.error().ToString();
  // A resolve that nobody was answered may have added one.
  if (*changes < changes_) return fmt::format("{} of {} vehicle changes", *changes, changes_);
  return "";
}

std::string Clerk::CheckOne(Platform& platform, const std::string& vin, const Known& known) {
  const auto found = platform.registry().FindByVin(vin);
  if (!found.ok()) return "the registry lost a vehicle: " + found.error().ToString();
  const std::pair here{found->entry.ownership_epoch, VersionOf(*found)};
  if (here < std::pair{known.epoch, known.version}) {
    return fmt::format("a vehicle of epoch {} version {} went back to {} {}", known.epoch,
                       known.version, here.first, here.second);
  }
  if (here.first == known.epoch && found->vehicle_ref != known.ref) {
    return "a vehicle has got another reference";
  }
  return "";
}

}  // namespace telltale::power
