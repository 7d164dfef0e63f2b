// Files that belong to nobody: temporary files left by a crash, and names that no part of Telltale
// makes below data/ and vault/.
#pragma once

#include <string>
#include <string_view>

#include "app/doctor_report.h"
#include "base/config.h"
#include "base/disk.h"

namespace telltale::app {

// Whether `path` is one that `pattern` names: '*' is any part of a name, '#' a decimal number; the
// last part "**" is anything below.
bool MatchesPath(std::string_view pattern, std::string_view path);

void FindStrays(Disk& disk, const Paths& paths, DoctorReport& report);

}  // namespace telltale::app
