#include "gate/simulation/tables.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "gate/e_process.h"
#include "gate/numeric.h"
#include "gate/simulation/latencies.h"
#include "gate/simulation/rates.h"
#include "gate/simulation/rollouts.h"
#include "gate/simulation/updates.h"

namespace telltale::gate::simulation {
namespace {

using nlohmann::ordered_json;

// `run` for seeds 0 to runs - 1, ends in the order of their seeds: threads change nothing.
template <typename End>
std::vector<End> RunAll(const Extent& extent, int runs,
                        const std::function<End(std::uint64_t)>& run) {
  std::vector<End> ends(static_cast<std::size_t>(runs));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < extent.threads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = thread; i < runs; i += extent.threads) {
        const auto seed = extent.seed * 1'000'003 + static_cast<std::uint64_t>(i);
        ends[static_cast<std::size_t>(i)] = run(seed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return ends;
}

double Rounded(double value) { return std::round(value * 1e5) / 1e5; }

// Share with its exact 95 % interval.
void AddShare(ordered_json& row, const std::string& name, std::int64_t k, std::int64_t n) {
  const Interval interval = ClopperPearson(n, k, 0.95);
  row["runs"] = n;
  row[name] = k;
  row[name + "_share"] = Rounded(static_cast<double>(k) / static_cast<double>(n));
  row[name + "_low"] = Rounded(interval.low);
  row[name + "_high"] = Rounded(interval.high);
}

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto at =
      static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)));
  return Rounded(values[at]);
}

// Of the runs that ended so; 0 where none did.
template <typename End, typename Value>
double MedianWhere(const std::vector<End>& ends, bool End::* is, Value End::* value) {
  std::vector<double> values;
  for (const End& end : ends) {
    if (end.*is) values.push_back(static_cast<double>(end.*value));
  }
  return Quantile(std::move(values), 0.5);
}

template <typename End, typename Is>
std::int64_t CountOf(const std::vector<End>& ends, Is is) {
  return static_cast<std::int64_t>(std::count_if(ends.begin(), ends.end(), is));
}

ordered_json RolloutRow(const Extent& extent, const RolloutCase& rollout, int runs) {
  const auto ends = RunAll<RolloutEnd>(
      extent, runs, [&](std::uint64_t seed) { return RunRollout(rollout, seed); });
  ordered_json row = {{"case", rollout.name},
                      {"vehicles", rollout.vehicles},
                      {"days", rollout.days},
                      {"shape", rollout.shape},
                      {"inside", rollout.inside}};
  AddShare(row, "halted", CountOf(ends, [](const RolloutEnd& end) { return end.is_halted; }), runs);
  row["passed"] =
      CountOf(ends, [](const RolloutEnd& end) { return end.outcome == Outcome::kPass; });
  std::vector<double> hours;
  std::vector<double> affected;
  for (const RolloutEnd& end : ends) {
    if (!end.is_halted) continue;
    hours.push_back(end.hours);
    affected.push_back(end.affected);
  }
  row["hours_median"] = Quantile(hours, 0.5);
  row["hours_90"] = Quantile(hours, 0.9);
  row["affected_median"] = Quantile(affected, 0.5);
  return row;
}

ordered_json FalseHalts(const Extent& extent) {
  const int vehicles = std::min(1000, extent.vehicles_max);
  const std::vector<RolloutCase> cases = {
      {.name = "identical", .vehicles = vehicles, .shape = 0.2, .inside = 0},
      {.name = "twin inside the limits, vehicles alike", .vehicles = vehicles, .shape = 1},
      {.name = "twin inside the limits, few chatty vehicles", .vehicles = vehicles, .shape = 0.2},
      {.name = "twin inside the limits, very few very chatty ones",
       .vehicles = vehicles,
       .shape = 0.05},
      {.name = "twin at the limits", .vehicles = vehicles, .shape = 0.2, .inside = 1},
      {.name = "twin at the limits, four weeks",
       .vehicles = vehicles,
       .days = 28,
       .shape = 0.2,
       .inside = 1},
  };
  ordered_json rows = ordered_json::array();
  for (const RolloutCase& one : cases) rows.push_back(RolloutRow(extent, one, extent.null_runs));
  return rows;
}

ordered_json Power(const Extent& extent) {
  const std::vector<RolloutCase> faults = {
      {.name = "nothing but a twin inside the limits", .is_judged_at_end = true},
      {.name = "2 % of vehicles lose an alert", .missing = 0.02},
      {.name = "5 % lose it", .missing = 0.05},
      {.name = "20 % lose it", .missing = 0.2},
      {.name = "all lose it", .missing = 1},
      {.name = "1 % get one more", .extra = 0.01},
      {.name = "5 % get one more", .extra = 0.05},
      {.name = "5 % lose one, 5 % get one (same totals)", .missing = 0.05, .extra = 0.05},
      {.name = "a field is null for one model in twenty", .is_field_lost = true},
      {.name = "3 % of vehicles fall silent", .silent = 0.03},
  };
  ordered_json rows = ordered_json::array();
  for (const int vehicles : {200, 1000, 5000, 20000}) {
    if (vehicles > extent.vehicles_max) continue;
    for (RolloutCase fault : faults) {
      fault.vehicles = vehicles;
      const int runs = vehicles > 5000 ? std::max(1, extent.power_runs / 4) : extent.power_runs;
      rows.push_back(RolloutRow(extent, fault, runs));
    }
  }
  return rows;
}

ordered_json Latency(const Extent& extent) {
  const std::vector<LatencyCase> cases = {
      {.name = "as fast"},
      {.name = "half of the margin slower", .slower = 0.005},
      {.name = "at the margin", .slower = 0.01},
      {.name = "twice the margin", .slower = 0.02},
      {.name = "five times the margin", .slower = 0.05},
      {.name = "as fast, always on the slower host", .is_by_lot = false},
  };
  ordered_json rows = ordered_json::array();
  for (const LatencyCase& one : cases) {
    const auto ends = RunAll<LatencyEnd>(extent, extent.null_runs,
                                         [&](std::uint64_t seed) { return RunLatency(one, seed); });
    ordered_json row = {{"case", one.name}, {"slower", one.slower}};
    AddShare(row, "halted", CountOf(ends, [](const LatencyEnd& end) { return end.is_halted; }),
             extent.null_runs);
    row["inside"] = CountOf(ends, [](const LatencyEnd& end) { return end.is_inside; });
    row["refused"] = CountOf(ends, [](const LatencyEnd& end) { return end.is_order_refused; });
    row["hours_median"] = MedianWhere(ends, &LatencyEnd::is_halted, &LatencyEnd::hours);
    rows.push_back(row);
  }
  return rows;
}

ordered_json Updates(const Extent& extent) {
  std::vector<UpdateCase> cases = {
      {.name = "nothing changed"},
      {.name = "nothing changed, log-normal vehicles", .differ = Differ::kLogNormal},
      {.name = "nothing changed, bursts", .has_bursts = true},
      {.name = "nothing changed, few chatty vehicles", .shape = 0.05},
      {.name = "1.5 times as many", .ratio = 1.5},
      {.name = "twice as many", .ratio = 2},
      {.name = "three times", .ratio = 3},
      {.name = "five times", .ratio = 5},
      {.name = "five times, log-normal vehicles", .ratio = 5, .differ = Differ::kLogNormal},
      {.name = "five times, bursts", .ratio = 5, .has_bursts = true},
  };
  ordered_json rows = ordered_json::array();
  for (UpdateCase& one : cases) {
    one.vehicles = std::min(one.vehicles, extent.vehicles_max);
    const int runs = one.ratio == 1 ? extent.null_runs : extent.power_runs;
    const auto ends =
        RunAll<UpdateEnd>(extent, runs, [&](std::uint64_t seed) { return RunUpdate(one, seed); });
    ordered_json row = {{"case", one.name},
                        {"vehicles", one.vehicles},
                        {"per_1000_h", one.per_1000_h},
                        {"ratio", one.ratio}};
    AddShare(row, "raised", CountOf(ends, [](const UpdateEnd& end) { return end.is_raised; }),
             runs);
    std::vector<double> hours;
    std::vector<double> days;
    for (const UpdateEnd& end : ends) {
      if (!end.is_raised) continue;
      hours.push_back(end.updated_hours);
      days.push_back(end.days);
    }
    row["vehicle_hours_median"] = Quantile(hours, 0.5);
    row["vehicle_hours_90"] = Quantile(hours, 0.9);
    row["days_median"] = Quantile(days, 0.5);
    rows.push_back(row);
  }
  return rows;
}

ordered_json Rates(const Extent& extent) {
  const int vehicles = std::min(1000, extent.vehicles_max);
  const int many = std::min(5000, extent.vehicles_max);
  const std::vector<RateCase> cases = {
      {.name = "placebo cohorts of one release", .vehicles = vehicles, .margin = 1},
      {.name = "the same, vehicles alike", .vehicles = vehicles, .shape = 1, .margin = 1},
      {.name = "the same, very few very chatty ones",
       .vehicles = vehicles,
       .shape = 0.05,
       .margin = 1},
      {.name = "at the margin of 1.2", .vehicles = vehicles, .ratio = 1.2},
      {.name = "twice as many", .vehicles = vehicles, .ratio = 2},
      {.name = "twice as many", .vehicles = many, .ratio = 2},
      {.name = "five times", .vehicles = vehicles, .ratio = 5},
      {.name = "nothing", .vehicles = many},
  };
  ordered_json rows = ordered_json::array();
  for (const RateCase& one : cases) {
    const bool is_null = one.ratio <= one.margin;
    const int runs = is_null && one.vehicles == vehicles ? extent.null_runs : extent.power_runs;
    const auto ends =
        RunAll<RateEnd>(extent, runs, [&](std::uint64_t seed) { return RunRate(one, seed); });
    ordered_json row = {{"case", one.name}, {"vehicles", one.vehicles}, {"margin", one.margin}};
    AddShare(row, "halted", CountOf(ends, [](const RateEnd& end) { return end.is_halted; }), runs);
    row["safe"] = CountOf(ends, [](const RateEnd& end) { return end.is_safe; });
    row["days_median"] = MedianWhere(ends, &RateEnd::is_halted, &RateEnd::days);
    rows.push_back(row);
  }
  return rows;
}

ordered_json Lots(const Extent& extent) {
  const std::vector<LotCase> cases = {{.name = "nobody"},
                                      {.name = "1 % of the cohort", .lost = 0.01},
                                      {.name = "5 %", .lost = 0.05},
                                      {.name = "10 %", .lost = 0.1},
                                      {.name = "20 %", .lost = 0.2}};
  ordered_json rows = ordered_json::array();
  for (const LotCase& one : cases) {
    const auto ends = RunAll<LotEnd>(extent, extent.null_runs,
                                     [&](std::uint64_t seed) { return RunLot(one, seed); });
    ordered_json row = {{"case", one.name}, {"fleet", one.fleet}};
    AddShare(row, "held", CountOf(ends, [](const LotEnd& end) { return end.is_held; }),
             extent.null_runs);
    row["vehicles_median"] = MedianWhere(ends, &LotEnd::is_held, &LotEnd::vehicles);
    rows.push_back(row);
  }
  return rows;
}

// No simulation: what a metric of weight 0.01 and 0.1 halts for, exactly.
ordered_json Detected() {
  ordered_json rows = ordered_json::array();
  for (const std::int64_t n : {20, 50, 100, 200, 500, 1000, 2000, 5000, 20000, 100000}) {
    ordered_json row = {{"vehicles", n}};
    for (const auto& [name, max] : {std::pair{"missing", 0.01}, std::pair{"extra", 0.001}}) {
      const HaltRule rule = {.max = max, .log_threshold = std::log(100 / 0.02), .distinct_min = 3};
      row[std::string(name) + "_halts_at"] = HaltsAt(rule, n);
      row[std::string(name) + "_detectable"] = Rounded(Detectable(rule, n, 0.9));
      row[std::string(name) + "_bound_if_clean"] = Rounded(UpperBound({n, 0}, 0.05));
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

ordered_json Tables(const Extent& extent) {
  ordered_json tables;
  tables["format"] = 1;
  tables["seed"] = extent.seed;
  tables["false_halts"] = FalseHalts(extent);
  tables["power"] = Power(extent);
  tables["latency"] = Latency(extent);
  tables["rates"] = Rates(extent);
  tables["lots"] = Lots(extent);
  tables["updates"] = Updates(extent);
  tables["detectable"] = Detected();
  return tables;
}

}  // namespace telltale::gate::simulation
