// The contracts of an installation, as commands look at them. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/disk.h"
#include "contract/contract.h"
#include "control/contracts.h"

namespace telltale::app {

struct InstalledContract {
  std::uint32_t number = 0;
  std::string digest;
  std::shared_ptr<const contract::Contract> contract;  // null: its file is gone or damaged
};

// All that were ever in force, in number order.
//   errors of control::ReadContracts, LoadKey
Result<std::vector<InstalledContract>> InstalledContracts(Disk& disk, const Paths& paths);
Result<control::Contracts> ReadContracts(Disk& disk, const Paths& paths);

// Whether `contract` has field `number` in the message at `path` ("" = Report, "60." = the message
// that field 60 is). Derived numbers are no car's.
bool HasField(const contract::Contract& contract, std::string_view path, std::uint32_t number);

}  // namespace telltale::app
