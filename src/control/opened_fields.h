// Fields that one contract seals and another leaves open: what was meant for the vault would lie in
// the open streams. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "base/disk.h"
#include "base/result.h"
#include "contract/contract.h"

namespace telltale::control {

// By path ("outer.inner" of a member), in the order of `after`; the same field by its number. A
// field that `before` does not have is none: it was never sealed.
std::vector<std::string> OpenedFields(const contract::Contract& before,
                                      const contract::Contract& after);

// The same of two releases as they lie in the environment's folder, without those of which the
// candidate declares a change: they were said beforehand.
//   kNotFound  a manifest or contract is not there; kCorrupt  bytes that are not theirs
//   kInvalid   a contract is none
Result<std::vector<std::string>> OpenedFieldsOf(Disk& disk, const Paths& environment,
                                                const std::string& stable,
                                                const std::string& candidate);

}  // namespace telltale::control
