// Reports of one synthetic vehicle: trips with ignition on and off, engine and battery, faults.
#pragma once

#include "sim/motion.h"
#include "sim/report_source.h"

namespace telltale::sim {

struct SyntheticOptions {
  double report_hz = 5;
  std::int64_t duration_us = 60'000'000;
  bool reboots = true;  // a control unit that restarts within a trip and loses its buffer
};

class SyntheticSource final : public ReportSource {
 public:
  SyntheticSource(VehiclePlan plan, SyntheticOptions options);
  bool Next(TimedReport& out) override;

 private:
  enum class Phase { kCranking, kDriving, kParked };

  void BeginPhase(Phase phase);
  void MoveOn();
  void FillMotion(telltale::v1::Report& report) const;
  void FillPlace(telltale::v1::Report& report) const;
  void FillEngine(telltale::v1::Report& report);
  void FillBattery(telltale::v1::Report& report);
  void FillWarnings(telltale::v1::Report& report);
  void FillNewFirmware(telltale::v1::Report& report);
  double Noise(double size);

  const VehiclePlan plan_;
  const SyntheticOptions options_;
  SeededRandom random_;
  Motion motion_;
  Phase phase_ = Phase::kParked;
  std::int64_t now_us_ = 0;
  std::int64_t phase_began_us_ = 0;
  std::int64_t phase_length_us_ = 0;
  std::int64_t false_aeb_until_us_ = 0;
  std::uint32_t ignition_cycle_ = 0;
  double coolant_c_ = 18;
  std::uint64_t reports_ = 0;
};

}  // namespace telltale::sim
