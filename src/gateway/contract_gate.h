// Whether a contract may come in force here: only if it breaks none that ever was, by the same core
// as `telltale contract check` (docs/contract-check.md). One thread.
#pragma once

#include <map>
#include <string>

#include "base/disk.h"
#include "base/result.h"

namespace telltale::gateway {

// Number to digest (hex) of contracts that were in force before.
using EarlierContracts = std::map<std::uint32_t, std::string>;

class ContractGate {
 public:
  // `contracts`: the folder with <digest>.desc and <digest>.approvals.yaml.
  ContractGate(Disk& disk, std::string contracts) : disk_(disk), contracts_(std::move(contracts)) {}

  // Ok also for one that was in force before under this number: going back breaks nobody.
  //   kRefused   it breaks an earlier one; the message has the first finding, the log all
  //   kInvalid   its number is another contract's, or not above all earlier ones
  //   kNotFound, kCorrupt  a file that the judgement needs is gone or no contract
  Status Admit(std::uint32_t number, const std::string& digest, const EarlierContracts& earlier);

 private:
  Status Judge(std::uint32_t number, const std::string& digest, const EarlierContracts& earlier);

  Disk& disk_;
  const std::string contracts_;
};

}  // namespace telltale::gateway
