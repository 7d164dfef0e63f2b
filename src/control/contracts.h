// The contracts of an installation: which are in force, and the config record that changes that.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/config_record.h"

namespace telltale::control {

struct Contracts {
  InForce in_force;                           // the newest config that the log's owner keeps
  std::map<std::uint32_t, std::string> ever;  // number to digest, of all that were ever in force
  std::uint64_t leader_epoch_max = 0;         // of all configs that are kept

  // Its number, if it was ever in force; else the next free one.
  std::uint32_t NumberOf(const std::string& digest) const;
};

// Reads data/log/config, and data/control/first-config where nothing was put in force yet.
//   kNotFound  neither is there: not an installation
//   kCorrupt   a config that does not read (the message names the file)
//   errors of VerifyConfig
Result<Contracts> ReadContracts(Disk& disk, const Paths& paths, std::string_view control_public);

// Puts the descriptor set, and the approvals it rests on ("" = none), below data/contracts, where
// the log's owner looks for them. Doing it again is fine. Returns the digest.
//   kInvalid  no contract
Result<std::string> InstallContract(Disk& disk, const Paths& paths, std::string_view descriptor,
                                    std::string_view approvals);

// The config that follows `now_in_force` with contract `digest` for everyone, or for `cohort` alone
// while the others keep the first. It is a command's, and no leader's.
//   kExists   it is in force so already
//   kInvalid  a share for a contract with a lower number than the first: activate it for everyone
Result<InForce> NextConfig(const Contracts& now_in_force, const std::string& digest,
                           const std::optional<Cohort>& cohort, Micros created_at);

}  // namespace telltale::control
