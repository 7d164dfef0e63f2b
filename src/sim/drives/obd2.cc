#include "sim/drives/obd2.h"

#include <algorithm>

namespace telltale::sim {
namespace {

using telltale::v1::Report;

constexpr std::uint8_t kAnswerOfService01 = 0x41;
constexpr double kPercentOfByte = 100.0 / 255;
constexpr double kTrimOfByte = 100.0 / 128;

// Value = number * factor + offset, the number's bytes big endian.
struct ObdPid {
  std::uint8_t pid;
  std::uint8_t bytes;
  double factor;
  double offset;
  void (Report::*set)(float);
};
struct CountPid {
  std::uint8_t pid;
  std::uint8_t bytes;
  void (Report::*set)(std::uint32_t);
};

constexpr ObdPid kObdPids[] = {
    {0x04, 1, kPercentOfByte, 0, &Report::set_engine_load_percent},
    {0x05, 1, 1, -40, &Report::set_coolant_temperature_c},
    {0x06, 1, kTrimOfByte, -100, &Report::set_short_fuel_trim_b1_percent},
    {0x07, 1, kTrimOfByte, -100, &Report::set_long_fuel_trim_b1_percent},
    {0x08, 1, kTrimOfByte, -100, &Report::set_short_fuel_trim_b2_percent},
    {0x09, 1, kTrimOfByte, -100, &Report::set_long_fuel_trim_b2_percent},
    {0x0A, 1, 3, 0, &Report::set_fuel_pressure_kpa},
    {0x0B, 1, 1, 0, &Report::set_intake_manifold_pressure_kpa},
    {0x0C, 2, 0.25, 0, &Report::set_engine_speed_rpm},
    {0x0D, 1, 1, 0, &Report::set_obd_speed_kmh},
    {0x0E, 1, 0.5, -64, &Report::set_timing_advance_deg},
    {0x0F, 1, 1, -40, &Report::set_intake_air_temperature_c},
    {0x10, 2, 0.01, 0, &Report::set_mass_air_flow_gps},
    {0x11, 1, kPercentOfByte, 0, &Report::set_throttle_percent},
    {0x2F, 1, kPercentOfByte, 0, &Report::set_fuel_level_percent},
    {0x33, 1, 1, 0, &Report::set_barometric_pressure_kpa},
    {0x3C, 2, 0.1, -40, &Report::set_catalyst_temperature_b1s1_c},
    {0x42, 2, 0.001, 0, &Report::set_control_module_v},
    {0x43, 2, kPercentOfByte, 0, &Report::set_absolute_load_percent},
    {0x44, 2, 2.0 / 65536, 0, &Report::set_commanded_lambda},
    {0x46, 1, 1, -40, &Report::set_ambient_temperature_c},
    {0x59, 2, 10, 0, &Report::set_fuel_rail_pressure_kpa},
    {0x5B, 1, kPercentOfByte, 0, &Report::set_hybrid_battery_soc_percent},
    {0x5C, 1, 1, -40, &Report::set_oil_temperature_c},
    {0x5E, 2, 0.05, 0, &Report::set_fuel_rate_lph},
};
constexpr CountPid kCountPids[] = {
    {0x1F, 2, &Report::set_run_time_s},           {0x21, 2, &Report::set_distance_mil_on_km},
    {0x30, 1, &Report::set_warmups_since_clear},  {0x31, 2, &Report::set_distance_since_clear_km},
    {0x41, 4, &Report::set_monitor_status},       {0x4D, 2, &Report::set_time_mil_on_min},
    {0x4E, 2, &Report::set_time_since_clear_min},
};
// Without a field of the contract: only how long they are, to find what stands behind them. 61-63
// are torques in percent of one that the answer does not hold.
struct PidLength {
  std::uint8_t pid;
  std::uint8_t bytes;
};
constexpr PidLength kWithoutField[] = {
    {0x00, 4}, {0x20, 4}, {0x40, 4}, {0x60, 4}, {0x80, 4}, {0xA0, 4}, {0x03, 2},
    {0x13, 1}, {0x14, 2}, {0x15, 2}, {0x1C, 1}, {0x1E, 1}, {0x22, 2}, {0x23, 2},
    {0x24, 4}, {0x25, 4}, {0x2C, 1}, {0x2D, 1}, {0x2E, 1}, {0x32, 2}, {0x34, 4},
    {0x35, 4}, {0x45, 1}, {0x47, 1}, {0x49, 1}, {0x4A, 1}, {0x4C, 1}, {0x51, 1},
    {0x5A, 1}, {0x5D, 2}, {0x61, 1}, {0x62, 1}, {0x63, 2}};

constexpr std::uint8_t kStatus = 0x01;
constexpr std::uint8_t kOdometer = 0xA6;
constexpr std::size_t kLongBytes = 4;  // of both

template <typename Table>
auto FindPid(const Table& table, std::uint8_t pid) {
  return std::find_if(std::begin(table), std::end(table),
                      [pid](const auto& known) { return known.pid == pid; });
}

// 0: the length is not known.
std::size_t BytesOf(std::uint8_t pid) {
  if (pid == kStatus || pid == kOdometer) return kLongBytes;
  if (const auto* known = FindPid(kObdPids, pid); known != std::end(kObdPids)) return known->bytes;
  if (const auto* known = FindPid(kCountPids, pid); known != std::end(kCountPids)) {
    return known->bytes;
  }
  const auto* known = FindPid(kWithoutField, pid);
  return known == std::end(kWithoutField) ? 0 : known->bytes;
}

int Put(std::uint8_t pid, std::span<const std::uint8_t> data, Report& report) {
  std::uint32_t number = 0;
  for (const std::uint8_t byte : data) number = (number << 8) | byte;
  if (pid == kStatus) {
    report.set_is_mil_on((data[0] & 0x80) != 0);
    report.set_dtc_count(data[0] & 0x7F);
    return 2;
  }
  if (pid == kOdometer) {
    report.set_odometer_km(number * 0.1);
    return 1;
  }
  if (const auto* known = FindPid(kObdPids, pid); known != std::end(kObdPids)) {
    (report.*known->set)(static_cast<float>(number * known->factor + known->offset));
    return 1;
  }
  const auto* known = FindPid(kCountPids, pid);
  if (known == std::end(kCountPids)) return 0;
  (report.*known->set)(number);
  return 1;
}

}  // namespace

ObdAnswer TakeObdAnswer(std::span<const std::uint8_t> message, Report& report) {
  ObdAnswer answer;
  if (message.empty() || message[0] != kAnswerOfService01) return answer;
  answer.is_service_01 = true;
  answer.is_cut = message.size() < 2;
  message = message.subspan(1);
  while (!message.empty()) {
    const std::size_t bytes = BytesOf(message[0]);
    if (bytes == 0) break;
    if (message.size() < 1 + bytes) {
      answer.is_cut = true;
      break;
    }
    answer.values += Put(message[0], message.subspan(1, bytes), report);
    message = message.subspan(1 + bytes);
  }
  return answer;
}

}  // namespace telltale::sim
