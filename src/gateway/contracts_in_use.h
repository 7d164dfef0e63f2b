// Which contract reads which vehicle, as the config in force says.
#pragma once

#include <memory>
#include <optional>

#include "base/cohort.h"
#include "contract/contract.h"

namespace telltale::gateway {

// A contract and the number that records carry.
struct NumberedContract {
  std::uint32_t number = 0;
  std::shared_ptr<const contract::Contract> contract;
};

// What reads whom: `next` the vehicles of `cohort`, where there is one, `first` all others.
struct ContractsInUse {
  NumberedContract first;
  std::optional<NumberedContract> next;
  Cohort cohort;
};

}  // namespace telltale::gateway
