// What the loop over rules asks before it calls Decide(). Pure.
#pragma once

#include "safety/safety.h"

namespace telltale::safety {

// Decide(Episode{}, report, rule) would open nothing and leave the rule idle: the answer for nearly
// every report, without the copies that an episode takes.
bool StaysIdle(const Report& report, const Rule& rule);

}  // namespace telltale::safety
