// What a trial's control plane is told: its environments, mirrors and policies, as objects of
// docs/control.md.
#pragma once

#include <string>
#include <vector>

#include "app/layout.h"
#include "app/up_file.h"

namespace telltale::app {

// Writes each object to <data>/objects/<kind>/<key>.json (those of the trial's folder <kind>/*.yaml
// stay where they are) and gives the files in the order in which they are to be registered: what is
// referred to comes first.
struct TrialObject {
  std::string command;  // policy, gate, environment, mirror: as `telltale <command> put`
  std::string file;
};
Result<std::vector<TrialObject>> WriteObjects(Disk& disk, const Trial& trial,
                                              const std::string& data);

// Puts them through the control plane's API, by the command that people use. Doing it again is
// fine.
//   kUnavailable  one was not taken: which
Status RegisterEnvironments(const std::vector<TrialObject>& objects, const std::string& control_dir,
                            const Layout& layout);

}  // namespace telltale::app
