#include "sim/drives/readers.h"

namespace telltale::sim {

const std::vector<DriveFormat>& DriveFormats() {
  static const std::vector<DriveFormat> formats = {
      {"candump", "CAN log: OBD-II, J1939 or UDS, with GNSS and motion sensor; joined to 100 ms",
       "css-canedge/ev_kona_uds_2020-12-15.candump.log.gz", false, &ReadCandump},
      {"capmetro-csv", "city buses, a fix every 120 s, many in a file; mph in 2015, m/s since 2016",
       "capmetro-avl/2016-02-07.csv.gz", false, &ReadCapMetroCsv},
      {"carobd-csv", "one car, 27 OBD-II PIDs polled in rounds of 1.9 s, no date, no clock",
       "carobd/drive5.csv.gz", false, &ReadCarObdCsv},
      {"comma2k19", "a folder: CAN, radar, inertial sensor and GNSS of a minute, joined to 10 Hz",
       "comma2k19-segment", true, &ReadComma2k19},
      {"envirocar-json", "phone and OBD dongle, a point every 5 s, values interpolated",
       "envirocar/2020-02-28T115419_Picanto_91124d.json.gz", false, &ReadEnvirocarJson},
      {"goal-csv", "delivery agents' positions in metres, a point every 5 s, no place, no date",
       "goal-delivery/goal_trajectories.csv.gz", false, &ReadGoalCsv},
      {"kit-csv", "one car, 10 OBD-II PIDs, one a row, 11 rows a second, German local time",
       "kit-obd2/2017-07-14_Seat_Leon_KA_KA_Frei.csv.gz", false, &ReadKitCsv},
      {"nds-csv", "naturalistic driving black box, 1 Hz, several drives in one file",
       "nds-blackbox/nds_drives.csv.gz", false, &ReadNdsCsv},
      {"nyc-event-json", "one warning of New York: host and target, 10 Hz, m/s, no date, no place",
       "nyc-cv-events/nycdot-fcw-event.json.gz", false, &ReadNycEventJson},
      {"openxc-json", "OpenXC trace, a message a signal, joined to a report every 100 ms",
       "openxc-ford-trace/trace-shorter.json", false, &ReadOpenXcJson},
      {"twizy-csv", "one electric car, 1 Hz, MM/DD/YYYY in Moroccan local time",
       "rsk-twizy-ev/T3_04_22_2021_1.csv.gz", false, &ReadTwizyCsv},
      {"wydot-json", "Wyoming on-board unit through the ODE: its own BSMs, m/s, newest first",
       "wydot-ode/bsmTx.json.gz", false, &ReadWydotJson},
  };
  return formats;
}

}  // namespace telltale::sim
