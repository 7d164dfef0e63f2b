#include "gate/calibration.h"

#include "base/check.h"
#include "base/cohort.h"

namespace telltale::gate {
namespace {

constexpr std::uint32_t kHalf = 5'000;

Interval IntervalOf(std::int64_t n, std::int64_t k) {
  return n > 0 ? ClopperPearson(n, k, kCalibrationConfidence) : Interval{};
}

RateLook Drawn(std::span<const PlaceboVehicle> vehicles, const std::string& salt) {
  RateLook look;
  for (const PlaceboVehicle& one : vehicles) {
    const bool is_drawn = DrawOf(salt, one.vehicle) < kHalf;
    AddVehicle(is_drawn ? look.candidate : look.control, one.events, one.exposure);
  }
  return look;
}

}  // namespace

void AddVehicle(ArmSums& arm, double events, double exposure) {
  ++arm.vehicles;
  arm.y += events;
  arm.e += exposure;
  arm.yy += events * events;
  arm.ye += events * exposure;
  arm.ee += exposure * exposure;
}

LiveRates RatesOf(const LiveRollouts& live) {
  CHECK(live.called_false + live.called_true <= live.halted && live.halted <= live.rollouts);
  return {.called_false = IntervalOf(live.rollouts, live.called_false),
          .at_worst = IntervalOf(live.rollouts, live.halted - live.called_true)};
}

PlaceboHalts HaltsOfPlacebos(std::span<const PlaceboVehicle> vehicles, const std::string& salt,
                             int draws, double alpha) {
  RateRule rule;
  rule.margin = 1;
  rule.alpha_halt = alpha;
  PlaceboHalts halts;
  for (int i = 0; i < draws; ++i) {
    const RateLook look = Drawn(vehicles, salt + "-" + std::to_string(i));
    if (!CompareRates(look, rule.margin).is_usable) continue;
    ++halts.draws;
    halts.halted += JudgeRate({look}, rule).is_above ? 1 : 0;
  }
  halts.interval = IntervalOf(halts.draws, halts.halted);
  return halts;
}

}  // namespace telltale::gate
