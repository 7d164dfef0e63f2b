// What a reader is told when retention was faster than it (the passes themselves: log.h, Retain).
#pragma once

#include "base/result.h"

namespace telltale::log {

// True of an error of Reader that says that records it wants were removed. Reading on from the same
// place fails for ever: whoever reads stops there and tells a person, who decides what is lost.
bool IsExpired(const Error& error);

}  // namespace telltale::log
