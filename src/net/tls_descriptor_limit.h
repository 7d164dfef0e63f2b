// As many open descriptors as the system lets this process have: one connection is one.
#pragma once

namespace telltale::net {

// The limit now in force.
int RaiseDescriptorLimit();

}  // namespace telltale::net
