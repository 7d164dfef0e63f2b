// A car on a grid of streets: straight blocks, turns at crossings, stops. Pure; ISO 8855 axes
// (x forward, y left; braking is negative, a left turn's lateral acceleration positive).
#pragma once

#include "base/random.h"
#include "sim/model.h"

namespace telltale::sim {

struct MotionState {
  double speed_mps = 0;
  double acceleration_longitudinal_mps2 = 0;
  double acceleration_lateral_mps2 = 0;
  double yaw_rate_dps = 0;  // positive to the left
  double heading_deg = 0;   // clockwise from north, 0-360
  double latitude_deg = 0;
  double longitude_deg = 0;
  double odometer_km = 0;
  bool hard_braking = false;  // the driver stands on the brake
  bool finished = false;      // parked: the trip is over
};

class Motion {
 public:
  // `trip_blocks`: streets until it parks.
  Motion(const VehiclePlan& plan, Random& random);

  void StartTrip(int trip_blocks);
  void Step(double dt_s);
  const MotionState& state() const { return state_; }

 private:
  void BeginBlock();
  void Turn(double dt_s);
  void Advance(double dt_s, double acceleration_mps2);
  double WantedAcceleration() const;

  const VehiclePlan& plan_;
  Random& random_;
  MotionState state_;
  double block_left_m_ = 0;
  double turn_left_deg_ = 0;  // still to turn; negative = to the right
  double hard_brake_left_s_ = 0;
  double hard_brake_in_s_ = 0;  // until the next time, 0 = never
  double hard_brake_mps2_ = 0;
  int blocks_left_ = 0;
};

}  // namespace telltale::sim
