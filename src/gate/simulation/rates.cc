#include "gate/simulation/rates.h"

#include <array>
#include <cmath>
#include <vector>

#include "gate/calibration.h"
#include "gate/simulation/dice.h"
#include "gate/srm.h"

namespace telltale::gate::simulation {
namespace {

constexpr int kBlocksPerDay = 2;
constexpr double kHoursPerBlock = 1.2 / kBlocksPerDay;
constexpr int kLooks = 4;
constexpr double kAlphaBalance = 0.001;
constexpr int kVehiclesPerLook = 100;

struct Car {
  bool is_candidate = false;
  double rate = 0;  // events an hour
  double hours_per_block = 0;
  Mood mood = {};
  double events = 0;
  double hours = 0;
};

std::vector<Car> Fleet(const RateCase& rate, Dice& dice) {
  std::vector<Car> cars(static_cast<std::size_t>(rate.vehicles));
  for (Car& car : cars) {
    car.is_candidate = dice.Chance(0.5);
    car.rate =
        rate.per_1000_h / 1000 * dice.Gamma(rate.shape) * (car.is_candidate ? rate.ratio : 1);
    car.hours_per_block = kHoursPerBlock * dice.Gamma(2);
  }
  return cars;
}

RateLook SumsOf(const std::vector<Car>& cars) {
  RateLook look;
  for (const Car& car : cars) {
    AddVehicle(car.is_candidate ? look.candidate : look.control, car.events, car.hours);
  }
  return look;
}

}  // namespace

RateEnd RunRate(const RateCase& rate, std::uint64_t seed) {
  Dice dice(seed);
  Weather weather;
  std::vector<Car> cars = Fleet(rate, dice);
  RateRule rule;
  rule.margin = rate.margin;
  rule.planned = {0.25, 0.5, 0.75, 1};
  std::vector<RateLook> looks;
  for (int day = 1; day <= rate.days; ++day) {
    for (int block = 0; block < kBlocksPerDay; ++block) {
      const double storm = weather.Next(dice);
      for (Car& car : cars) {
        if (!dice.Chance(0.5)) continue;
        const double hours = 2 * car.hours_per_block;
        car.hours += hours;
        car.events += dice.Poisson(car.rate * car.mood.Next(dice) * storm * hours);
      }
    }
    if (day * kLooks % rate.days == 0) looks.push_back(SumsOf(cars));
  }
  const RateVerdict verdict = JudgeRate(looks, rule);
  RateEnd end{.is_halted = verdict.is_above, .is_safe = verdict.is_below, .days = 0};
  if (!end.is_halted) return end;
  // It would have been halted at the first of the looks that says so.
  std::size_t seen = 1;
  while (!JudgeRate({looks.begin(), looks.begin() + static_cast<std::ptrdiff_t>(seen)}, rule)
              .is_above) {
    ++seen;
  }
  end.days = static_cast<double>(seen) * rate.days / kLooks;
  return end;
}

LotEnd RunLot(const LotCase& lot, std::uint64_t seed) {
  Dice dice(seed);
  std::array<Arm, 2> arms = {Arm{0, lot.share}, Arm{0, 1 - lot.share}};
  for (int vehicle = 1; vehicle <= lot.fleet; ++vehicle) {
    const bool is_drawn = dice.Chance(lot.share);
    if (!is_drawn || !dice.Chance(lot.lost)) ++arms[is_drawn ? 0 : 1].vehicles;
    const bool is_look = vehicle % kVehiclesPerLook == 0 || vehicle == lot.fleet;
    if (is_look && LogBalanceE(arms) >= -std::log(kAlphaBalance)) return {true, vehicle};
  }
  return {};
}

}  // namespace telltale::gate::simulation
