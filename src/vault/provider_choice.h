// Which key provider the configuration asks for.
#pragma once

#include <memory>
#include <string>

#include "base/config.h"
#include "vault/keys/provider.h"

namespace telltale::vault {

// All passed must outlive it. `waiver` gets the reason when a prod environment keeps root keys in
// files all the same: it is to be recorded.
//   kRefused      a prod environment with keys in files and no waiver
//   kUnavailable  the provider does not answer
Result<std::unique_ptr<KeyProvider>> ChooseProvider(Disk& disk, Clock& clock, Random& random,
                                                    const Config& config, const Paths& paths,
                                                    std::string& waiver);

}  // namespace telltale::vault
