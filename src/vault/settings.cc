#include "vault/settings.h"

#include <sys/stat.h>

#include "log/log.h"

namespace telltale::vault {
namespace {

constexpr const char* kStream = "sealed";
constexpr std::uint32_t kDayHours = 24;

}  // namespace

Windows WindowsOf(const Config& config) {
  Windows windows;
  windows.Set(RetentionClass::kPosition, config.vault_window_days * kDayHours);
  windows.Set(RetentionClass::kQuarantine, config.vault_quarantine_days * kDayHours);
  windows.Set(RetentionClass::kRefused, config.vault_refused_days * kDayHours);
  windows.Set(RetentionClass::kUnknown, config.vault_unknown_days * kDayHours);
  return windows;
}

std::vector<std::string> ReplicasOf(const Config& config) {
  if (config.vault_key_replica.empty()) return {};
  return {config.vault_key_replica};
}

Micros SealedRetentionOf(const Config& config) {
  return Micros{config.log_sealed_retention_hours * kHourUs};
}

std::optional<std::uint32_t> OwnerOf(const std::string& folder) {
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0) return std::nullopt;
  return status.st_uid;
}

Result<std::vector<SealedPartition>> SealedPartitions(Disk& disk, const std::string& log_dir) {
  ASSIGN_OR_RETURN(const std::vector<log::DurableEnd> ends,
                   log::DurableEnds(disk, log_dir, kStream));
  std::vector<SealedPartition> partitions;
  for (const log::DurableEnd& end : ends) {
    for (std::size_t p = end.shard.value; p < end.next.size(); p += ends.size()) {
      SealedPartition partition;
      partition.partition = PartitionId{static_cast<std::uint16_t>(p)};
      partition.next = end.next[p].value;
      partitions.push_back(partition);
    }
    // The oldest record of a shard is its first.
    ASSIGN_OR_RETURN(const auto reader, log::Reader::Open(disk, log_dir, kStream, end.shard, {}));
    ASSIGN_OR_RETURN(const log::RecordView* const first, reader->Next());
    if (first == nullptr) continue;
    for (SealedPartition& partition : partitions) {
      if (partition.partition != first->partition) continue;
      partition.first = first->offset.value;
      partition.oldest_at = first->log_time;
    }
  }
  return partitions;
}

std::vector<Expiring> ExpiringKeys(const TransportKeys& keys, Micros sealed_retention) {
  std::vector<Expiring> expiring;
  for (const auto& [name, not_after] : keys.Ends()) {
    expiring.push_back({name, not_after + sealed_retention});
  }
  return expiring;
}

}  // namespace telltale::vault
