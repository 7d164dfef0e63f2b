// The vault's part of telltale.yaml as its parts want it, and what the report says of things that
// lie outside the vault's folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "vault/ledger/report.h"
#include "vault/retention.h"
#include "vault/transport_keys.h"

namespace telltale::vault {

Windows WindowsOf(const Config& config);
std::vector<std::string> ReplicasOf(const Config& config);
Micros SealedRetentionOf(const Config& config);
// Whose the folder is; none when it is not there.
std::optional<std::uint32_t> OwnerOf(const std::string& folder);

// What the gateways sealed, partition by partition.
//   kNotFound  no log yet
Result<std::vector<SealedPartition>> SealedPartitions(Disk& disk, const std::string& log_dir);

// Each with the moment by which it must be gone.
std::vector<Expiring> ExpiringKeys(const TransportKeys& keys, Micros sealed_retention);

}  // namespace telltale::vault
