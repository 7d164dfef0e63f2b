// The config records that the log's owner keeps, one file each (docs/formats/config-record.md), for
// everyone who has to know what is in force. The bytes are as they lie: who reads them checks the
// signature. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/disk.h"
#include "base/ids.h"

namespace telltale {

inline constexpr std::uint64_t kKeptConfigBytesMax = 1u << 20;

std::string KeptConfigFolder(const Paths& paths);

std::string KeptConfigPath(const std::string& folder, ConfigSeq config_seq);

// Rising; none while there is no folder.
Result<std::vector<ConfigSeq>> KeptConfigSeqs(Disk& disk, const std::string& folder);
// The highest; nullopt when none is kept yet.
Result<std::optional<ConfigSeq>> NewestKeptConfigSeq(Disk& disk, const std::string& folder);
// A SignedConfig.
//   kNotFound  it is not kept
Result<std::string> ReadKeptConfig(Disk& disk, const std::string& folder, ConfigSeq config_seq);

}  // namespace telltale
