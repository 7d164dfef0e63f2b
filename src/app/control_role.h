// The control plane's process: the plane's leader work, and its API over HTTP.
#pragma once

#include "base/role.h"

namespace telltale::app {

// Runs until asked to stop (base/stop.h). The port in use is in run/control.port; run/control.token
// (0600, made anew) lets in who may read it, as local:<uid>.
int RunControlRole(const RoleOptions& options);

}  // namespace telltale::app
