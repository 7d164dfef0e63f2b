// What telltale.yaml of a trial's environment says at its start.
#pragma once

#include "app/up_file.h"
#include "base/config.h"

namespace telltale::app {

// This program has a control plane to register with.
bool HasControlPlane();

//   kInvalid  a setting that is none, or settings that do not go together
Result<Config> ConfigOfTrial(const Trial& trial, const TrialEnvironment& environment);

// Of all environments, the first mistake, with the environment's name.
Status CheckTrial(const Trial& trial);

}  // namespace telltale::app
