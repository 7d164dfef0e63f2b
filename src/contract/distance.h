// The open copy of a LINKING distance.
#pragma once

#include <string>

#include "contract/split_rules.h"

namespace telltale::contract {

// Appends `tag` and the value that lies at `value`, plus `offset_km` in the field's unit, in the
// field's own encoding. False, and nothing appended, when the value is negative or not finite, or
// the sum does not fit the type. A whole-number field gets a whole offset, so that differences
// between two readings stay exact.
bool AppendShifted(std::string& out, std::string_view tag, ByteSpan value, const FieldRule& rule,
                   double offset_km);

}  // namespace telltale::contract
