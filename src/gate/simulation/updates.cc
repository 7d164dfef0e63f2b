#include "gate/simulation/updates.h"

#include <cmath>
#include <vector>

#include "gate/post_update.h"
#include "gate/simulation/dice.h"

namespace telltale::gate::simulation {
namespace {

constexpr double kAlpha = 0.01;
constexpr double kHoursPerDay = 1.2;
constexpr double kBurst = 0.6;  // chance of one more

struct Car {
  double rate = 1;
  double hours_per_day = 0;
  Mood mood = {};
  OwnPast past = {};
  int updated_on = -1;
  bool is_at_risk = true;  // no event yet in this spell
};

class Fleet {
 public:
  Fleet(const UpdateCase& update, std::uint64_t seed) : case_(update), dice_(seed) {
    for (int i = 0; i < update.vehicles; ++i) {
      Car car;
      car.rate = update.differ == Differ::kGamma ? dice_.Gamma(update.shape)
                                                 : std::exp(1.2 * dice_.Normal() - 0.72);
      car.hours_per_day = kHoursPerDay * dice_.Gamma(2);
      cars_.push_back(car);
    }
  }

  UpdateEnd Run() {
    for (int day = 0; day < case_.past_days; ++day) {
      const double storm = weather_.Next(dice_);
      for (Car& car : cars_) Remember(car, Drive(car, storm));
    }
    std::vector<OwnPast> pasts;
    for (const Car& car : cars_) pasts.push_back(car.past);
    prior_ = FitPrior(pasts);
    UpdateEnd end;
    UpdateEvidence evidence(case_.ratio_max);
    for (int day = 0; day < case_.days && !end.is_raised; ++day) {
      Update(day);
      evidence.Add(Day(end));
      end.is_raised = evidence.log_e() >= -std::log(kAlpha);
      end.days = day + 1;
    }
    end.ratio = evidence.ratio();
    return end;
  }

 private:
  struct Driven {
    double hours = 0;
    int events = 0;
  };

  Driven Drive(Car& car, double storm) {
    Driven driven;
    if (dice_.Chance(0.25)) return driven;
    driven.hours = car.hours_per_day / 0.75;
    const double ratio = car.updated_on >= 0 ? case_.ratio : 1;
    driven.events = dice_.Poisson(case_.per_1000_h / 1000 * car.rate * car.mood.Next(dice_) *
                                  storm * ratio * driven.hours);
    if (case_.has_bursts && driven.events > 0) {
      while (dice_.Chance(kBurst)) ++driven.events;
    }
    return driven;
  }

  // Days with events count, not events: a burst is one.
  static void Remember(Car& car, const Driven& driven) {
    car.past.exposure_h += driven.hours;
    car.past.events += driven.events > 0 ? 1 : 0;
  }

  void Update(int day) {
    for (Car& car : cars_) {
      if (car.updated_on >= 0 || !dice_.Chance(case_.updated_per_day)) continue;
      car.updated_on = day;
      car.is_at_risk = true;
    }
  }

  UpdateBlock Day(UpdateEnd& end) {
    UpdateBlock block;
    const double storm = weather_.Next(dice_);
    for (Car& car : cars_) {
      const double per_hour = ExpectedPerHour(prior_, car.past);
      const Driven driven = Drive(car, storm);
      const bool is_updated = car.updated_on >= 0;
      if (is_updated) end.updated_hours += driven.hours;
      if (car.is_at_risk) {
        (is_updated ? block.expected_updated : block.expected_control) += per_hour * driven.hours;
        if (driven.events > 0) {
          ++(is_updated ? block.events_updated : block.events_control);
          car.is_at_risk = false;
        }
      }
      Remember(car, driven);
    }
    return block;
  }

  const UpdateCase& case_;
  Dice dice_;
  Weather weather_;
  RatePrior prior_;
  std::vector<Car> cars_;
};

}  // namespace

UpdateEnd RunUpdate(const UpdateCase& update, std::uint64_t seed) {
  return Fleet(update, seed).Run();
}

}  // namespace telltale::gate::simulation
