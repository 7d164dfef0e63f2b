// Reads what control wants out of a signed config record (docs/formats/config-record.md). Any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "publish/authority_map.h"

namespace telltale::publish {

// Whatever its signature.
//   kInvalid  not a SignedConfig, no config_seq, a release that is not named by 64 lower-case hex
//             digits, or a rollout with more authority than shadow, too many lots or the stable
//             release as its candidate
Result<Wanted> ParseOrder(std::string_view signed_config);

// The same, of control alone.
//   kInvalid  also: see above
//   kRefused  signed by another key than `control_public` (32 raw bytes), or a byte was changed
Result<Wanted> VerifyOrder(std::string_view signed_config, std::string_view control_public);

}  // namespace telltale::publish
