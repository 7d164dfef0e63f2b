#include "app/gate_calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "app/control_client.h"
#include "app/doctor_stores.h"
#include "base/config.h"
#include "base/format_version.h"
#include "gate/shipped_calibration.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr int kDraws = 999;
constexpr double kAlpha = 0.01;
constexpr std::int32_t kRegistryKind = 0x74740001;  // docs/formats/registry-db.md
constexpr std::int32_t kAlertsKind = 0x54544131;    // docs/formats/alerts-db.md

using Vehicles = std::map<VehicleRef, double>;  // events

Result<Vehicles> Registered(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(
      const auto copy,
      DatabaseCopy::Of(disk, path, {kRegistryKind, VersionOf(Format::kRegistryDb).reads}));
  ASSIGN_OR_RETURN(store::Statement each, copy->Prepare("SELECT vehicle_ref FROM vehicles"));
  Vehicles vehicles;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, each.Step());
    if (!has_row) return vehicles;
    VehicleRef ref;
    const std::string_view bytes = each.Blob(0);
    if (bytes.size() != ref.bytes.size()) {
      return Error{Code::kCorrupt, "a vehicle's reference has not 16 bytes"};
    }
    std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
    vehicles.emplace(ref, 0);
  }
}

// Alerts of registered vehicles, by rule.
Result<std::map<std::string, Vehicles>> AlertsOf(Disk& disk, const std::string& path,
                                                 const Vehicles& registered) {
  ASSIGN_OR_RETURN(const auto copy,
                   DatabaseCopy::Of(disk, path, {kAlertsKind, VersionOf(Format::kAlertsDb).reads}));
  ASSIGN_OR_RETURN(
      store::Statement each,
      copy->Prepare("SELECT rule, vehicle_ref, count(*) FROM alerts GROUP BY rule, vehicle_ref"));
  std::map<std::string, Vehicles> rules;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, each.Step());
    if (!has_row) return rules;
    const auto ref = VehicleRef::FromHex(std::string(each.Text(1)));
    if (!ref.ok() || !registered.contains(*ref)) continue;
    auto& rule = rules.try_emplace(std::string(each.Text(0)), registered).first->second;
    rule[*ref] = static_cast<double>(each.Int(2));
  }
}

json RowOf(const std::string& rule, const Vehicles& vehicles) {
  std::vector<gate::PlaceboVehicle> placebo;
  double alerts = 0;
  int with_alerts = 0;
  for (const auto& [vehicle, events] : vehicles) {
    placebo.push_back({.vehicle = vehicle, .events = events, .exposure = 1});
    alerts += events;
    with_alerts += events > 0 ? 1 : 0;
  }
  const auto halts = gate::HaltsOfPlacebos(placebo, "placebo-" + rule, kDraws, kAlpha);
  return {{"rule", rule},
          {"vehicles", vehicles.size()},
          {"vehicles_with_alerts", with_alerts},
          {"alerts", static_cast<std::int64_t>(alerts)},
          {"draws", halts.draws},
          {"halted", halts.halted},
          {"low", halts.interval.low},
          {"high", halts.interval.high}};
}

std::string Share(std::int64_t k, std::int64_t n, double low, double high) {
  return fmt::format("{} of {} ({:.3g} to {:.3g} %)", k, n, low * 100, high * 100);
}

std::string PlaceboWords(const json& answer) {
  if (answer.at("placebo").is_null()) {
    return fmt::format("placebo cohorts: none drawn, {}\n", ShownOf(answer, "placebo_words"));
  }
  std::string text = fmt::format(
      "placebo cohorts of one release: halves of all vehicles by {} lots, found to differ\n",
      kDraws);
  for (const json& row : answer.at("placebo")) {
    text += fmt::format("  {}: {} alerts of {} of {} vehicles; {}\n", ShownOf(row, "rule"),
                        row.at("alerts").get<std::int64_t>(),
                        row.at("vehicles_with_alerts").get<int>(), row.at("vehicles").get<int>(),
                        row.at("draws") == json(0) ? std::string("too few to compare two halves")
                                                   : Share(row.at("halted"), row.at("draws"),
                                                           row.at("low"), row.at("high")));
  }
  return text;
}

}  // namespace

gate::LiveRollouts LiveRolloutsIn(const json& rollouts) {
  gate::LiveRollouts live;
  for (const json& one : rollouts) {
    const std::string phase = one.value("phase", "");
    const bool is_over =
        phase == "window" || phase == "closed" || phase == "withdrawn" || phase == "rejected";
    const json gate = one.value("gate", json());
    if (!is_over || !gate.is_object()) continue;
    ++live.rollouts;
    const json history = one.value("history", json::array());
    const bool is_halted = phase == "rejected" && history.is_array() && !history.empty() &&
                           history.back().value("subject", "") == "gate";
    if (!is_halted) continue;
    ++live.halted;
    const std::string word = one.value("judgement", json::object()).value("halt", "");
    live.called_false += word == "false" ? 1 : 0;
    live.called_true += word == "true" ? 1 : 0;
  }
  return live;
}

Result<json> PlaceboRows(Disk& disk, const std::string& dir) {
  const Paths paths(dir);
  ASSIGN_OR_RETURN(const Vehicles registered, Registered(disk, paths.registry() + "/registry.db"));
  ASSIGN_OR_RETURN(const auto rules, AlertsOf(disk, paths.publish() + "/alerts.db", registered));
  json rows = json::array();
  for (const auto& [rule, vehicles] : rules) rows.push_back(RowOf(rule, vehicles));
  return rows;
}

json CalibrationAnswer(const gate::LiveRollouts& live, const Result<json>& placebo) {
  const gate::LiveRates rates = gate::RatesOf(live);
  json shipped = json::array();
  for (const gate::ShippedFalseHalts& one : gate::kShippedFalseHalts) {
    shipped.push_back({{"case", one.what},
                       {"vehicles", one.vehicles},
                       {"days", one.days},
                       {"rollouts", one.rollouts},
                       {"halted", one.halted},
                       {"low", one.low},
                       {"high", one.high}});
  }
  const bool is_enough = live.rollouts >= gate::kLiveRolloutsNeeded;
  return {{"live",
           {{"rollouts", live.rollouts},
            {"halted", live.halted},
            {"called_false", live.called_false},
            {"called_true", live.called_true},
            {"false_low", rates.called_false.low},
            {"false_high", rates.called_false.high},
            {"at_worst_low", rates.at_worst.low},
            {"at_worst_high", rates.at_worst.high}}},
          {"needed", gate::kLiveRolloutsNeeded},
          {"stands_for_it", is_enough ? "live" : "simulation"},
          {"shipped", std::move(shipped)},
          {"placebo", placebo.ok() ? *placebo : json()},
          {"placebo_words", placebo.ok() ? "" : placebo.error().message}};
}

std::string CalibrationWords(const json& answer) {
  const json& live = answer.at("live");
  const std::int64_t rollouts = live.at("rollouts"), halted = live.at("halted");
  const std::int64_t called_false = live.at("called_false"), called_true = live.at("called_true");
  std::string text =
      fmt::format("{} rollouts that are over were judged by a gate here; {}\n", rollouts,
                  answer.at("stands_for_it") == json("live")
                      ? "they stand for it"
                      : fmt::format("until there are {}, the shipped simulation stands for it",
                                    answer.at("needed").get<std::int64_t>()));
  text += fmt::format("  halted by the gate: {}, of which {} were called false and {} right\n",
                      halted, called_false, called_true);
  if (rollouts > 0) {
    text += "  false halts, as far as they were called so: " +
            Share(called_false, rollouts, live.at("false_low"), live.at("false_high")) + "\n";
    text +=
        "  at worst, with those that nobody has judged: " +
        Share(halted - called_true, rollouts, live.at("at_worst_low"), live.at("at_worst_high")) +
        "\n";
  }
  if (halted > called_false + called_true) {
    text += "  telltale gate judge-halt ROLLOUT --false|--true --why … says what a halt was\n";
  }
  text += "shipped simulation, halted though nothing is wrong\n";
  for (const json& row : answer.at("shipped")) {
    text += fmt::format("  {}, {} vehicles, {} days: {}\n", ShownOf(row, "case"),
                        row.at("vehicles").get<int>(), row.at("days").get<int>(),
                        Share(row.at("halted"), row.at("rollouts"), row.at("low"), row.at("high")));
  }
  return text + PlaceboWords(answer);
}

}  // namespace telltale::app
