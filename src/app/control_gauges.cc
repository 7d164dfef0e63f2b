#include "app/control_gauges.h"

#include <algorithm>

namespace telltale::app {
namespace {

using nlohmann::json;

std::uint64_t VerdictNumber(const std::string& outcome) {
  if (outcome == "hold") return 1;
  if (outcome == "pass") return 2;
  return outcome == "halt" ? 3 : 0;
}

}  // namespace

void ControlGauges::Set(const std::string& name, std::uint64_t value) {
  Counter& counter = counters_.Get(name);
  counter.Add(value - counter.value());
}

void ControlGauges::LookAt(const json& environment, Micros passed) {
  const std::string key = environment.at("key");
  const json rollout = environment.value("rollout", json());
  const json gate = rollout.is_object() ? rollout.value("gate", json()) : json();
  if (!gate.is_object()) return Set("gate_verdict." + key, 0);
  const std::string outcome = gate.at("outcome");
  Set("gate_verdict." + key, VerdictNumber(outcome));
  const bool is_open = rollout.at("closed_at") == json("");
  if (outcome == "hold" && is_open) {
    const std::string name = "gate_hold_seconds." + key + "." + gate.at("rule").get<std::string>();
    Micros& part = parts_[name];
    part = part + passed;
    const std::int64_t whole_s = part.value / 1'000'000;
    counters_.Get(name).Add(static_cast<std::uint64_t>(whole_s));
    part = part - Micros::Seconds(whole_s);
  }
  const auto answer = plane_.Do(actor_, "rollouts.gate", {{"key", rollout.at("id")}});
  if (!answer.ok() || !answer->at("report").is_object()) return;
  const json& report = answer->at("report");
  const double log_e = std::clamp(report.at("log_e").get<double>(), 0.0, 1e6);
  Set("gate_log_e_thousandths." + key, static_cast<std::uint64_t>(log_e * 1000));
  std::uint64_t votes = 0;
  for (const json& one : report.at("metrics")) votes += one.at("n").get<std::uint64_t>();
  Set("gate_votes." + key, votes);
  Set("gate_votes_differing." + key, report.at("discordant").get<std::uint64_t>());
}

void ControlGauges::Look() {
  const Micros now = clock_.NowMonotonic();
  const Micros passed = seen_at_ == Micros{} ? Micros{} : now - seen_at_;
  seen_at_ = now;
  const auto status = plane_.Do(actor_, "status", json::object());
  if (!status.ok()) return;
  for (const json& environment : status->at("environments")) LookAt(environment, passed);
}

}  // namespace telltale::app
