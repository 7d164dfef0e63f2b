// One 2014 Toyota Etios 1.5 in Recife, 27 PIDs through an OBD-II dongle, about two rows a second.
// What the data's description and the data say, and what is done with it:
//   - no date and no clock, only the run time since engine start, in seconds (PID 1F): not dated
//   - a row is a look at the dongle's last answers, not a measurement of all: the PIDs are polled
//   one
//     after the other in the order of their numbers, a round takes 1.9 s and 3 to 4 rows (counting
//     rounds by the changes alone gives as many as the run time says, within 0.5 %, in the 22 files
//     without gaps). So a row refreshes a stretch of that round, up to the last cell that changed,
//     and only that stretch is sent; the rest is kCarriedForward. A PID of the stretch that was
//     read anew and equal is sent with it; it may have been read one row later. A row without a
//     change gives kNothing
//   - rows share a run time, for it too is read once a round: they are spread evenly over the time
//   to
//     the next one, so that no two have the same time. Before the start the run time stands at 0
//     while the key is on and the starter turns (3 to 24 rows): these rows go at the file's own
//     pace, ending where the run time begins to run. Times are good to about 1 s
//   - most rows end in a comma; six files have no \r; live6 lacks the last three columns; two files
//     end in a row that is cut. A cut row gives what it has
//   - the commanded equivalence ratio is 0 in every row, which no engine can be asked for: left out
//   as
//     kSentinel. The warm-ups stand at their top value 255, "at least" by the contract: sent
//   - vehicle speed is PID 0D -> obd_speed_kmh
//   - no field in the contract: throttle B, relative and commanded throttle, purge, catalyst 2, and
//     the pedal sensors D and E (their own travel, 16 % and 32 % with the pedal released)
//   - the lowest voltage in these files is 9.14 V, not the 7.6 V of the description
//   - the fuel is not named (the model runs on petrol and ethanol in Brazil): unknown
//   - a file is one drive and one vehicle here, though all are of one car: they have no common
//   clock
//     that could put them in order
#include <algorithm>
#include <cmath>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

struct Pid {
  std::string_view column;
  void (Report::*set)(float) = nullptr;
  void (Report::*set_count)(std::uint32_t) = nullptr;
  bool is_meaningless = false;
};

// By PID number, as they are polled.
const std::vector<Pid>& Pids() {
  static const std::vector<Pid> pids = {
      {"ENGINE_LOAD ()", &Report::set_engine_load_percent},
      {"COOLANT_TEMPERATURE ()", &Report::set_coolant_temperature_c},
      {"SHORT_TERM_FUEL_TRIM_BANK_1 ()", &Report::set_short_fuel_trim_b1_percent},
      {"LONG_TERM_FUEL_TRIM_BANK_1 ()", &Report::set_long_fuel_trim_b1_percent},
      {"INTAKE_MANIFOLD_PRESSURE ()", &Report::set_intake_manifold_pressure_kpa},
      {"ENGINE_RPM ()", &Report::set_engine_speed_rpm},
      {"VEHICLE_SPEED ()", &Report::set_obd_speed_kmh},
      {"TIMING_ADVANCE ()", &Report::set_timing_advance_deg},
      {"INTAKE_AIR_TEMP ()", &Report::set_intake_air_temperature_c},
      {"THROTTLE ()", &Report::set_throttle_percent},
      {"ENGINE_RUN_TINE ()", nullptr, &Report::set_run_time_s},
      {"DISTANCE_TRAVELED_WITH_MIL_ON ()", nullptr, &Report::set_distance_mil_on_km},
      {"COMMANDED_EVAPORATIVE_PURGE ()"},
      {"FUEL_TANK ()", &Report::set_fuel_level_percent},
      {"WARM_UPS_SINCE_CODES_CLEARED ()", nullptr, &Report::set_warmups_since_clear},
      {"ABSOLUTE_BAROMETRIC_PRESSURE ()", &Report::set_barometric_pressure_kpa},
      {"CATALYST_TEMPERATURE_BANK1_SENSOR1 ()", &Report::set_catalyst_temperature_b1s1_c},
      {"CATALYST_TEMPERATURE_BANK1_SENSOR2 ()"},
      {"CONTROL_MODULE_VOLTAGE ()", &Report::set_control_module_v},
      {"FUEL_AIR_COMMANDED_EQUIV_RATIO ()", nullptr, nullptr, true},
      {"RELATIVE_THROTTLE_POSITION ()"},
      {"ABSOLUTE_THROTTLE_B ()"},
      {"PEDAL_D ()"},
      {"PEDAL_E ()"},
      {"COMMANDED_THROTTLE_ACTUATOR ()"},
      {"TIME_RUN_WITH_MIL_ON ()", nullptr, &Report::set_time_mil_on_min},
      {"TIME_SINCE_TROUBLE_CODES_CLEARED ()", nullptr, &Report::set_time_since_clear_min},
  };
  return pids;
}
constexpr std::string_view kRunTime = "ENGINE_RUN_TINE ()";

// A row that can be placed in time.
struct Look {
  std::int64_t run_time_us = 0;
  std::vector<std::string_view> cells;  // as Pids(); "" when the row has none
};

// Which PIDs a row refreshed.
class Round {
 public:
  // Indexes into Pids(), in the order they were read; empty when nothing changed.
  std::vector<std::size_t> Refreshed(const Look& look) {
    const std::size_t count = look.cells.size();
    std::vector<std::size_t> refreshed;
    if (last_.empty()) {
      for (std::size_t i = 0; i < count; ++i) refreshed.push_back(i);
      last_ = look.cells;
      return refreshed;
    }
    // A cell just behind the last one that was read, by all but a whole round, was seen late.
    constexpr std::size_t kSeenLate = 5;
    std::size_t stretch = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (look.cells[i] == last_[i] || look.cells[i].empty()) continue;
      last_[i] = look.cells[i];
      const std::size_t ahead = is_placed_ ? (i + count - at_ - 1) % count + 1 : 0;
      if (is_placed_ && ahead + kSeenLate <= count) {
        stretch = std::max(stretch, ahead);
      } else {
        refreshed.push_back(i);
      }
    }
    if (!is_placed_ && !refreshed.empty()) {
      is_placed_ = true;
      at_ = refreshed.back();
    }
    for (std::size_t step = 1; step <= stretch; ++step) refreshed.push_back((at_ + step) % count);
    at_ = (at_ + stretch) % count;
    return refreshed;
  }

 private:
  std::vector<std::string_view> last_;
  bool is_placed_ = false;  // after the first change
  std::size_t at_ = 0;      // read last
};

// Lays `looks` out in time, us since the engine's start; before it they are negative.
std::vector<std::int64_t> TimesOf(const std::vector<Look>& looks) {
  std::vector<std::int64_t> times(looks.size());
  const auto differs = [&looks](std::size_t from) {
    std::size_t to = from;
    while (to < looks.size() && looks[to].run_time_us == looks[from].run_time_us) ++to;
    return to;
  };
  // The pace of the rows while the engine runs.
  std::int64_t pace_us = 500'000;
  if (const std::size_t running = looks.empty() ? 0 : differs(0); running + 1 < looks.size()) {
    const std::int64_t span_us = looks.back().run_time_us - looks[running].run_time_us;
    if (span_us > 0) pace_us = span_us / static_cast<std::int64_t>(looks.size() - 1 - running);
  }
  for (std::size_t from = 0; from < looks.size();) {
    const std::size_t to = differs(from);
    const auto rows = static_cast<std::int64_t>(to - from);
    std::int64_t begin_us = looks[from].run_time_us;
    std::int64_t step_us = pace_us;
    if (to < looks.size() && from > 0) step_us = (looks[to].run_time_us - begin_us) / rows;
    if (to < looks.size() && from == 0) begin_us = looks[to].run_time_us - rows * pace_us;
    for (std::size_t i = from; i < to; ++i) {
      times[i] = begin_us + static_cast<std::int64_t>(i - from) * step_us;
    }
    from = to;
  }
  return times;
}

void SetValue(const Pid& pid, std::string_view cell, Report& report, RowCounts& counts) {
  const auto value = NumberOf(cell);
  if (!value || (pid.set_count != nullptr && (*value < 0 || *value > 65535))) {
    counts.DropValue(value ? ValueDrop::kOutOfRange : ValueDrop::kMalformed);
  } else if (pid.set != nullptr) {
    (report.*pid.set)(static_cast<float>(*value));
  } else {
    (report.*pid.set_count)(static_cast<std::uint32_t>(std::lround(*value)));
  }
}

// False: none of what was read has a field.
bool Fill(const Look& look, const std::vector<std::size_t>& refreshed, Report& report,
          RowCounts& counts) {
  std::uint64_t old = 0;
  for (std::size_t i = 0; i < look.cells.size(); ++i) {
    const bool has_field = Pids()[i].set != nullptr || Pids()[i].set_count != nullptr;
    if (has_field && !look.cells[i].empty()) ++old;
  }
  for (const std::size_t i : refreshed) {
    const Pid& pid = Pids()[i];
    if (look.cells[i].empty()) continue;
    if (pid.is_meaningless) counts.DropValue(ValueDrop::kSentinel);
    if (pid.set == nullptr && pid.set_count == nullptr) continue;
    SetValue(pid, look.cells[i], report, counts);
    --old;
  }
  counts.DropValue(ValueDrop::kCarriedForward, old);
  return report.ByteSizeLong() > 0;
}

// Spaces lie before each number, and alone at the end of a cut row.
std::string_view Trimmed(std::string_view cell) {
  while (cell.starts_with(' ')) cell.remove_prefix(1);
  return cell;
}

std::vector<Look> LooksOf(CsvTable& table, RowCounts& counts) {
  std::vector<Look> looks;
  CsvRow row;
  while (table.Next(row)) {
    const auto run_time_s = row.Get(kRunTime);
    if (!run_time_s || *run_time_s < 0 || *run_time_s > 65535) {
      counts.Drop(RowDrop::kNoTime);
      continue;
    }
    Look look{static_cast<std::int64_t>(*run_time_s * 1e6), {}};
    if (!looks.empty() && look.run_time_us < looks.back().run_time_us) {
      counts.Drop(RowDrop::kBackwards);
      continue;
    }
    for (const Pid& pid : Pids()) look.cells.push_back(Trimmed(row.Text(pid.column)));
    looks.push_back(std::move(look));
  }
  return looks;
}

}  // namespace

Result<std::vector<Drive>> ReadCarObdCsv(const Source& source) {
  ASSIGN_OR_RETURN(CsvTable table,
                   CsvTable::Open(source.text, {kRunTime, "ENGINE_RPM ()", "ENGINE_LOAD ()"}));
  Drive drive;
  drive.name = "carobd-" + source.name;
  drive.model = "Toyota Etios 1.5";
  drive.is_dated = false;
  const std::vector<Look> looks = LooksOf(table, drive.counts);
  const std::vector<std::int64_t> times = TimesOf(looks);
  Round round;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    Report report;
    if (Fill(looks[i], round.Refreshed(looks[i]), report, drive.counts)) {
      AddReport(drive, times[i], std::move(report));
    } else {
      drive.counts.Drop(RowDrop::kNothing);
    }
  }
  std::vector<Drive> drives;
  drives.push_back(std::move(drive));
  return drives;
}

}  // namespace telltale::sim
