// The contract's range as the last gate of a reader.
#pragma once

#include "sim/drives/drive.h"

namespace telltale::sim {

// Takes off what lies outside the range that the contract gives its field, or is no number, and
// counts each as kOutOfRange. Fields of Report itself; members of its messages are not looked at.
void ClearOutOfRange(telltale::v1::Report& report, RowCounts& counts);

}  // namespace telltale::sim
