// A signed word on how long the audit log was: kept elsewhere, it shows a log that was rewritten.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/disk.h"
#include "vault/audit.h"

namespace telltale::vault {

// The vault's own Ed25519 key, made when there is none; its public half lies beside it as .pub.
Result<std::string> AuditKey(Disk& disk, const std::string& path);
// {"v":1,"entries":…,"hash":…,"at":…,"key":…,"signature":…}: docs/formats/audit-log.md.
Result<nlohmann::json> SignCheckpoint(const AuditHead& head, Micros now,
                                      const std::string& private_key);

}  // namespace telltale::vault
