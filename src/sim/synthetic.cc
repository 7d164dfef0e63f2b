#include "sim/synthetic.h"

#include <algorithm>
#include <cmath>

namespace telltale::sim {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
// A field number that no published contract has: what tomorrow's firmware sends today.
constexpr int kUndeclaredField = 900;

template <typename T>
float F(T value) {
  return static_cast<float>(value);
}

}  // namespace

SyntheticSource::SyntheticSource(VehiclePlan plan, SyntheticOptions options)
    : plan_(std::move(plan)), options_(options), random_(plan_.seed), motion_(plan_, random_) {
  BeginPhase(Phase::kCranking);
}

double SyntheticSource::Noise(double size) {
  return size * (static_cast<double>(random_.Below(2001)) - 1000.0) / 1000.0;
}

void SyntheticSource::BeginPhase(Phase phase) {
  phase_ = phase;
  phase_began_us_ = now_us_;
  if (phase == Phase::kCranking) {
    ++ignition_cycle_;
    phase_length_us_ = kSecondUs;
  } else if (phase == Phase::kDriving) {
    motion_.StartTrip(static_cast<int>(6 + random_.Below(30)));
    phase_length_us_ = INT64_MAX;
  } else {
    phase_length_us_ = kSecondUs * static_cast<std::int64_t>(4 + random_.Below(8));
  }
}

void SyntheticSource::MoveOn() {
  const double dt_s = 1.0 / options_.report_hz;
  now_us_ += static_cast<std::int64_t>(dt_s * 1e6);
  if (phase_ == Phase::kDriving) {
    motion_.Step(dt_s);
    coolant_c_ = std::min(91.0, coolant_c_ + 0.12 * dt_s);
    if (motion_.state().finished) BeginPhase(Phase::kParked);
    return;
  }
  if (now_us_ - phase_began_us_ < phase_length_us_) return;
  BeginPhase(phase_ == Phase::kCranking ? Phase::kDriving : Phase::kCranking);
}

void SyntheticSource::FillMotion(telltale::v1::Report& report) const {
  const MotionState& state = motion_.state();
  const bool moves = phase_ == Phase::kDriving;
  report.set_speed_kmh(moves ? F(state.speed_mps * 3.6) : 0.0f);
  report.set_acceleration_longitudinal_mps2(moves ? F(state.acceleration_longitudinal_mps2) : 0.0f);
  report.set_acceleration_lateral_mps2(moves ? F(state.acceleration_lateral_mps2) : 0.0f);
  report.set_yaw_rate_dps(moves ? F(state.yaw_rate_dps) : 0.0f);
  report.set_motion_source(telltale::v1::MOTION_SOURCE_IMU);
  const bool brakes = moves && state.acceleration_longitudinal_mps2 < -0.3;
  report.set_brake_pedal_percent(
      brakes ? F(std::min(100.0, -state.acceleration_longitudinal_mps2 * 14)) : 0.0f);
  report.set_is_abs_engaged(moves && state.acceleration_longitudinal_mps2 < -6.2);
}

void SyntheticSource::FillPlace(telltale::v1::Report& report) const {
  const MotionState& state = motion_.state();
  report.set_latitude_deg(state.latitude_deg);
  report.set_longitude_deg(state.longitude_deg);
  report.set_heading_deg(F(state.heading_deg));
  report.set_horizontal_accuracy_m(2.5f);
  report.set_satellites(11);
  report.set_odometer_km(state.odometer_km);
}

void SyntheticSource::FillEngine(telltale::v1::Report& report) {
  const bool on = phase_ != Phase::kParked;
  report.set_is_ignition_on(on);
  report.set_ignition_cycle(ignition_cycle_);
  if (plan_.model_of().fuel == std::string_view("electric")) return;
  const bool runs = phase_ == Phase::kDriving;
  const double speed = motion_.state().speed_mps;
  report.set_engine_speed_rpm(runs ? F(820 + 95 * speed + Noise(12)) : (on ? 220.0f : 0.0f));
  report.set_engine_load_percent(runs ? F(std::clamp(24 + 2 * speed, 0.0, 100.0)) : 0.0f);
  report.set_coolant_temperature_c(F(std::round(coolant_c_)));
  report.set_short_fuel_trim_b1_percent(runs ? F(Noise(4)) : 0.0f);
  report.set_long_fuel_trim_b1_percent(2.3f);
  report.set_throttle_percent(runs ? F(std::clamp(12 + 1.2 * speed, 0.0, 100.0)) : 0.0f);
}

void SyntheticSource::FillBattery(telltale::v1::Report& report) {
  double volts = plan_.model_of().battery_rest_v;
  if (phase_ == Phase::kCranking) {
    // Healthy 9.6-10.5 V at the bottom of a crank, weak below (reference, maintenance levels).
    volts = plan_.weak_battery ? 8.9 : 10.1;
  } else if (phase_ == Phase::kDriving) {
    volts = 14.1;
  }
  report.set_low_voltage_battery_v(F(volts + Noise(0.05)));
}

void SyntheticSource::FillWarnings(telltale::v1::Report& report) {
  // A false activation: the brake acts for half a second with nothing ahead.
  const bool may_start = plan_.false_aeb && phase_ == Phase::kDriving &&
                         now_us_ > false_aeb_until_us_ + 8 * kSecondUs &&
                         motion_.state().speed_mps > 6;
  if (may_start && random_.Below(20) == 0) false_aeb_until_us_ = now_us_ + kSecondUs;
  const bool active = now_us_ < false_aeb_until_us_;
  report.set_is_fcw_warning(active);
  report.set_is_aeb_engaged(active && now_us_ > false_aeb_until_us_ - kSecondUs / 2);
}

void SyntheticSource::FillNewFirmware(telltale::v1::Report& report) {
  for (int wheel = 1; wheel <= 4; ++wheel) {
    telltale::v1::TireState* tire = report.add_tires();
    tire->set_wheel(static_cast<telltale::v1::WheelPosition>(wheel));
    tire->set_pressure_kpa(F(231 + wheel));
    tire->set_temperature_c(24.0f);
  }
  report.set_acceleration_vertical_mps2(F(Noise(0.3)));
  report.GetReflection()->MutableUnknownFields(&report)->AddVarint(kUndeclaredField,
                                                                   random_.Below(1'000'000));
  if (plan_.model_of().fuel == std::string_view("electric")) {
    report.set_traction_battery_soc_percent(F(78.0 - 1e-3 * static_cast<double>(reports_)));
    report.set_traction_battery_cell_min_v(3.71f);
    report.set_traction_battery_cell_max_v(3.73f);
  }
}

bool SyntheticSource::Next(TimedReport& out) {
  if (now_us_ >= options_.duration_us) return false;
  out.at_us = now_us_;
  out.report.Clear();
  out.boot = reports_ == 0;
  out.loses_buffer = false;
  if (options_.reboots && reports_ > 100 && random_.Below(700) == 0) {
    out.boot = true;
    out.loses_buffer = true;
  }
  FillMotion(out.report);
  FillPlace(out.report);
  FillEngine(out.report);
  FillBattery(out.report);
  FillWarnings(out.report);
  if (plan_.firmware == kNewFirmware) FillNewFirmware(out.report);
  ++reports_;
  MoveOn();
  return true;
}

}  // namespace telltale::sim
