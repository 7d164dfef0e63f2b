#include "gate/simulation/rollouts.h"

#include <array>
#include <vector>

#include "gate/merge.h"
#include "gate/metrics.h"
#include "gate/report.h"
#include "gate/simulation/dice.h"

namespace telltale::gate::simulation {
namespace {

constexpr int kRules = 6;
constexpr int kFields = 4;
constexpr std::array<double, kRules> kRates = {20, 5, 2, 2, 1, 0.5};  // per 1,000 vehicle-hours
constexpr int kBlocksPerDay = 4;
constexpr double kHoursPerDay = 1.2;
constexpr double kShareOfB = 0.05;
constexpr std::int64_t kNow = 1'800'000'000'000'000;

struct Car {
  bool is_b = false;
  double rate = 1;
  double hours_per_block = 0;
  double propensity = 1;  // to differ, mean 1
  Mood mood = {};
  double driven_h = 0;
  bool is_silent = false;
  bool is_different = false;
  std::array<bool, kRules> has_fired = {};
  std::array<bool, kRules> has_extra = {};
  bool is_settled = false;
};

GateSettings SettingsOf() {
  GateSettings settings;
  settings.environment = "simulated";
  settings.rollout = "r";
  settings.candidate = "candidate";
  settings.stable = "stable";
  settings.dimensions = {"model"};
  settings.strata = {{"model", "a"}, {"model", "b"}};
  settings.sources = {"simulation"};
  for (int i = 0; i < kRules + kFields; ++i) {
    MetricSettings metric;
    metric.name = (i < kRules ? "rule/" : "field/") + std::to_string(i < kRules ? i : i - kRules);
    metric.family = i < kRules ? Family::kAlerts : Family::kFields;
    // Rules that fire once in a thousand hours have no bound within a week.
    metric.is_guardrail = i == 0 || i >= kRules;
    settings.metrics.push_back(metric);
  }
  return settings;
}

class Rollout {
 public:
  Rollout(const RolloutCase& rollout, std::uint64_t seed)
      : case_(rollout), settings_(SettingsOf()), dice_(seed) {
    for (int i = 0; i < rollout.vehicles; ++i) {
      Car car;
      car.is_b = dice_.Chance(kShareOfB);
      car.rate = dice_.Gamma(rollout.shape);
      car.hours_per_block = kHoursPerDay / kBlocksPerDay * dice_.Gamma(2);
      car.propensity = dice_.Gamma(0.5);
      car.is_silent = dice_.Chance(rollout.silent);
      cars_.push_back(car);
    }
    Begin();
  }

  RolloutEnd Run() {
    RolloutEnd end;
    for (int block = 0; block < case_.days * kBlocksPerDay; ++block) {
      const double storm = weather_.Next(dice_);
      for (Car& car : cars_) Drive(car, storm);
      if (IsHalted(end)) {
        end.is_halted = true;
        end.hours = (block + 1) * 24.0 / kBlocksPerDay;
        break;
      }
    }
    for (const Car& car : cars_) end.affected += car.is_different ? 1 : 0;
    if (end.is_halted) {
      end.outcome = Outcome::kHalt;
    } else if (case_.is_judged_at_end) {
      end.outcome = Judge(evidence_, settings_, kNow).verdict.outcome;
    }
    return end;
  }

 private:
  void Begin() {
    evidence_.basis = {"simulated", "r", "candidate", "stable", GateDigest(settings_), kNow};
    for (int i = 0; i < kInvariants; ++i) {
      evidence_.invariants.push_back(
          {.invariant = static_cast<Invariant>(i), .watched_to_us = kNow});
    }
    evidence_.sources = {{"simulation", kNow}};
    evidence_.exposure.cohort_vehicles = case_.vehicles;
    evidence_.exposure.event_to_us = kNow;
    evidence_.exposure.event_from_us = kNow - std::int64_t{86'400'000'000} * case_.days;
    evidence_.exposure.strata = {{"model", "a", 1 - kShareOfB}, {"model", "b", kShareOfB}};
    for (const MetricSettings& metric : settings_.metrics) {
      PairedEvidence paired;
      paired.metric = metric.name;
      paired.strata = {{"model", "a", {}}, {"model", "b", {}}};
      evidence_.paired.push_back(std::move(paired));
    }
  }

  template <typename Change>
  void Count(std::size_t metric, const Car& car, Change change) {
    change(evidence_.paired[metric].counts);
    change(evidence_.paired[metric].strata[car.is_b ? 1 : 0].counts);
  }

  // A difference that a good release may have: rarer than allowed by `inside`, on few vehicles.
  bool IsTwinDifferent(const Car& car, double max) {
    return dice_.Chance(std::min(1.0, max * case_.inside * car.propensity));
  }

  void FirstDrive(Car& car) {
    Exposure& exposure = evidence_.exposure;
    ++exposure.vehicles;
    ++exposure.strata[car.is_b ? 1 : 0].vehicles;
    if (car.is_silent) ++exposure.silent_candidate;
    for (std::size_t i = 0; i < settings_.metrics.size(); ++i) {
      const MetricSettings& metric = settings_.metrics[i];
      const bool is_field = i >= kRules;
      const bool is_lost = is_field && i == kRules && case_.is_field_lost && car.is_b;
      const bool is_missing =
          is_field && (is_lost || car.is_silent || IsTwinDifferent(car, metric.missing_max));
      car.is_different |= is_missing;
      Count(i, car, [&](PairedCounts& counts) {
        ++counts.exposed;
        counts.stable_fired += is_field ? 1 : 0;
        counts.missing += is_missing ? 1 : 0;
        counts.candidate_fired += is_field && !is_missing ? 1 : 0;
      });
    }
  }

  // Extras are spread over the first hour of driving, in which a vehicle is not settled yet.
  void Extras(Car& car, double hours) {
    const double part = std::min(hours, 1 - std::min(car.driven_h, 1.0));
    for (std::size_t i = 0; i < settings_.metrics.size(); ++i) {
      const double max = settings_.metrics[i].extra_max * case_.inside * car.propensity;
      const bool is_wrong = i == 0 && dice_.Chance(case_.extra * part);
      if (!is_wrong && !(i < kRules && dice_.Chance(std::min(1.0, max * part)))) continue;
      if (i >= kRules || car.has_extra[i]) continue;
      car.has_extra[i] = true;
      car.is_different = true;
      Count(i, car, [&](PairedCounts& counts) {
        ++counts.extra;
        ++counts.candidate_fired;
        if (!car.is_settled) ++counts.settled;
      });
    }
  }

  void Settle(Car& car) {
    car.is_settled = true;
    for (std::size_t i = 0; i < settings_.metrics.size(); ++i) {
      if (i < kRules && car.has_extra[i]) continue;
      Count(i, car, [](PairedCounts& counts) { ++counts.settled; });
    }
  }

  void Alerts(Car& car, double storm, double hours) {
    const double pace = car.rate * car.mood.Next(dice_) * storm * hours / 1000;
    for (std::size_t i = 0; i < kRules; ++i) {
      if (car.has_fired[i] || !dice_.Chance(1 - std::exp(-pace * kRates[i]))) continue;
      car.has_fired[i] = true;
      const bool is_missing = car.is_silent || (i == 0 && dice_.Chance(case_.missing)) ||
                              IsTwinDifferent(car, settings_.metrics[i].missing_max);
      car.is_different |= is_missing;
      const bool is_new = !is_missing && !car.has_extra[i];
      Count(i, car, [&](PairedCounts& counts) {
        ++counts.stable_fired;
        counts.missing += is_missing ? 1 : 0;
        counts.candidate_fired += is_new ? 1 : 0;
      });
    }
  }

  void Drive(Car& car, double storm) {
    if (!dice_.Chance(0.5)) return;
    const double hours = 2 * car.hours_per_block;
    if (car.driven_h == 0) FirstDrive(car);
    if (!car.is_settled) Extras(car, hours);
    car.driven_h += hours;
    if (!car.is_settled && car.driven_h >= 1) Settle(car);
    Alerts(car, storm, hours);
  }

  bool IsHalted(RolloutEnd& end) const {
    std::vector<Weighted> parts;
    double most = kLogZero;
    for (const Judged& one : JudgeMetrics(evidence_, settings_, {.is_for_halting_only = true})) {
      parts.push_back({one.report.weight, one.report.log_e});
      if (one.report.log_e > most) {
        most = one.report.log_e;
        end.stratum = one.report.stratum;
      }
    }
    return LogMean(parts) >= -std::log(settings_.alpha_halt);
  }

  const RolloutCase& case_;
  GateSettings settings_;
  Dice dice_;
  Weather weather_;
  std::vector<Car> cars_;
  Evidence evidence_;
};

}  // namespace

RolloutEnd RunRollout(const RolloutCase& rollout, std::uint64_t seed) {
  return Rollout(rollout, seed).Run();
}

}  // namespace telltale::gate::simulation
