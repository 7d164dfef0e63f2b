#include "sim/motion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace telltale::sim {
namespace {

constexpr double kMetresPerDegree = 111'195.0;  // of latitude, on a sphere of 6,371 km
constexpr double kTurnRadiusM = 9.0;
constexpr double kTurnSpeedMps = 4.5;
// The grid lies over open sea: no synthetic position is anybody's address.
constexpr double kOriginLatitudeDeg = 44.5;
constexpr double kOriginLongitudeDeg = -29.3;

double Uniform(Random& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random.NextU64() >> 11) * 0x1.0p-53;
}

double Radians(double degrees) { return degrees * std::numbers::pi / 180.0; }

}  // namespace

Motion::Motion(const VehiclePlan& plan, Random& random) : plan_(plan), random_(random) {
  state_.latitude_deg = kOriginLatitudeDeg + Uniform(random, -0.25, 0.25);
  state_.longitude_deg = kOriginLongitudeDeg + Uniform(random, -0.25, 0.25);
  state_.heading_deg = 90.0 * static_cast<double>(random.Below(4));
  state_.odometer_km = Uniform(random, 3'000, 180'000);
}

void Motion::StartTrip(int trip_blocks) {
  blocks_left_ = trip_blocks;
  state_.finished = false;
  if (plan_.hard_braker) hard_brake_in_s_ = Uniform(random_, 8, 25);
  BeginBlock();
}

void Motion::BeginBlock() {
  block_left_m_ = 90.0 * static_cast<double>(1 + random_.Below(3));
  --blocks_left_;
}

double Motion::WantedAcceleration() const {
  const Model& model = plan_.model_of();
  // Speed at which comfortable braking still reaches the crossing at turning speed (or a stop).
  const double end_mps = blocks_left_ <= 0 ? 0.0 : kTurnSpeedMps;
  const double reach_mps =
      std::sqrt(end_mps * end_mps + 2 * model.brake_mps2 * 0.8 * std::max(0.0, block_left_m_ - 2));
  // Never quite zero before the line, or it would creep towards it for ever.
  const double target_mps = std::min(model.cruise_mps, std::max(0.4, reach_mps));
  const double difference = target_mps - state_.speed_mps;
  return std::clamp(difference / 0.5, -model.brake_mps2, model.accelerate_mps2);
}

void Motion::Turn(double dt_s) {
  const double direction = turn_left_deg_ > 0 ? 1.0 : -1.0;
  const double rate_dps = state_.speed_mps / kTurnRadiusM * 180.0 / std::numbers::pi;
  const double step_deg = std::min(rate_dps * dt_s, std::abs(turn_left_deg_));
  state_.yaw_rate_dps = direction * rate_dps;
  state_.acceleration_lateral_mps2 = direction * state_.speed_mps * state_.speed_mps / kTurnRadiusM;
  turn_left_deg_ -= direction * step_deg;
  state_.heading_deg = std::fmod(state_.heading_deg - direction * step_deg + 360.0, 360.0);
  if (std::abs(turn_left_deg_) < 1e-9) {
    turn_left_deg_ = 0;
    state_.heading_deg = std::fmod(std::round(state_.heading_deg / 90.0) * 90.0, 360.0);
  }
}

void Motion::Advance(double dt_s, double acceleration_mps2) {
  const double before_mps = state_.speed_mps;
  state_.speed_mps = std::max(0.0, before_mps + acceleration_mps2 * dt_s);
  state_.acceleration_longitudinal_mps2 = (state_.speed_mps - before_mps) / dt_s;
  const double metres = 0.5 * (before_mps + state_.speed_mps) * dt_s;
  const double heading = Radians(state_.heading_deg);
  state_.latitude_deg += metres * std::cos(heading) / kMetresPerDegree;
  state_.longitude_deg +=
      metres * std::sin(heading) / (kMetresPerDegree * std::cos(Radians(state_.latitude_deg)));
  state_.odometer_km += metres / 1000.0;
  block_left_m_ -= metres;
}

void Motion::Step(double dt_s) {
  if (state_.finished) return;
  state_.yaw_rate_dps = 0;
  state_.acceleration_lateral_mps2 = 0;
  if (hard_brake_in_s_ > 0) {
    hard_brake_in_s_ -= dt_s;
    // Only at speed, or it would be no hard brake.
    if (hard_brake_in_s_ <= 0 && state_.speed_mps < 8) hard_brake_in_s_ = 1;
    if (hard_brake_in_s_ <= 0) {
      hard_brake_left_s_ = Uniform(random_, 0.9, 1.4);
      hard_brake_mps2_ = Uniform(random_, 4.3, 6.8);
      hard_brake_in_s_ = Uniform(random_, 12, 30);
    }
  }
  state_.hard_braking = hard_brake_left_s_ > 0;
  if (state_.hard_braking) {
    hard_brake_left_s_ -= dt_s;
    Advance(dt_s, -hard_brake_mps2_);
    return;
  }
  if (turn_left_deg_ != 0) {
    // At the kerb after a hard brake a car still has to get round the corner.
    Advance(dt_s, std::clamp((kTurnSpeedMps - state_.speed_mps) / 0.5, -1.5, 1.2));
    Turn(dt_s);
    return;
  }
  Advance(dt_s, WantedAcceleration());
  if (block_left_m_ > 2) return;
  if (blocks_left_ <= 0) {
    state_.finished = true;
    state_.speed_mps = 0;
    state_.acceleration_longitudinal_mps2 = 0;
    return;
  }
  static constexpr double kTurns[] = {0.0, 90.0, -90.0};
  turn_left_deg_ = kTurns[random_.Below(3)];
  BeginBlock();
}

}  // namespace telltale::sim
