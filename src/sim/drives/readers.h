// The readers, one source file each. Errors as DriveFormat::read.
#pragma once

#include <vector>

#include "sim/drives/drive.h"

namespace telltale::sim {

Result<std::vector<Drive>> ReadCandump(const Source& source);
Result<std::vector<Drive>> ReadCapMetroCsv(const Source& source);
Result<std::vector<Drive>> ReadCarObdCsv(const Source& source);
Result<std::vector<Drive>> ReadComma2k19(const Source& source);
Result<std::vector<Drive>> ReadEnvirocarJson(const Source& source);
Result<std::vector<Drive>> ReadGoalCsv(const Source& source);
Result<std::vector<Drive>> ReadKitCsv(const Source& source);
Result<std::vector<Drive>> ReadNdsCsv(const Source& source);
Result<std::vector<Drive>> ReadNycEventJson(const Source& source);
Result<std::vector<Drive>> ReadOpenXcJson(const Source& source);
Result<std::vector<Drive>> ReadTwizyCsv(const Source& source);
Result<std::vector<Drive>> ReadWydotJson(const Source& source);

}  // namespace telltale::sim
