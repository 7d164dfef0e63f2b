#include "sim/drives/readers.h"

namespace telltale::sim {

const std::vector<DriveFormat>& DriveFormats() {
  static const std::vector<DriveFormat> formats = {
      {"nds-csv", "naturalistic driving black box, 1 Hz, several drives in one file",
       "nds-blackbox/nds_drives.csv.gz", false, &ReadNdsCsv},
  };
  return formats;
}

}  // namespace telltale::sim
