// Units a rule may be written in. UCUM text as in the contract, and a few everyday spellings.
#pragma once

#include <optional>
#include <string_view>

namespace telltale::safety {

// `value` in `from`, expressed in `to`; nullopt when they do not measure the same thing. Equal
// texts always convert.
std::optional<double> ConvertUnit(double value, std::string_view from, std::string_view to);

}  // namespace telltale::safety
