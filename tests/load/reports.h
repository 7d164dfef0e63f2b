// The one report that the loads send: twenty fields, a place to seal among them.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::load {

inline void FillReport(v1::Report& report, std::uint64_t seq, Micros event_time) {
  const auto i = static_cast<double>(seq % 100);
  report.set_seq(seq);
  report.set_event_time_us(event_time.value);
  report.set_speed_kmh(static_cast<float>(50 + i / 10));
  report.set_acceleration_longitudinal_mps2(0.1f);
  report.set_acceleration_lateral_mps2(0.2f);
  report.set_yaw_rate_dps(1.5f);
  report.set_engine_speed_rpm(static_cast<float>(2000 + i));
  report.set_engine_load_percent(40);
  report.set_coolant_temperature_c(90);
  report.set_throttle_percent(20);
  report.set_mass_air_flow_gps(12);
  report.set_intake_air_temperature_c(25);
  report.set_low_voltage_battery_v(14.1f);
  report.set_is_ignition_on(true);
  report.set_odometer_km(12345.6 + i / 100);
  report.set_latitude_deg(52.5 + 1e-5 * i);
  report.set_longitude_deg(13.4 + 1e-5 * i);
  report.set_altitude_m(35);
  report.set_heading_deg(90);
  report.set_horizontal_accuracy_m(3);
}

}  // namespace telltale::load
