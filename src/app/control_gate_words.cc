#include "app/control_gate_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "app/control_client.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::size_t kColumns = 100;

double FigureOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

const json& PartOf(const json& object, const char* key) {
  static const json kNone = json::array();
  const auto found = object.find(key);
  return found != object.end() ? *found : kNone;
}

std::string Percent(double share) { return fmt::format("{:.3g} %", share * 100); }

std::string SpanOf(double seconds) {
  if (seconds >= 2 * 86400) return fmt::format("{:.0f} days", std::ceil(seconds / 86400));
  if (seconds >= 2 * 3600) return fmt::format("{:.0f} h", std::ceil(seconds / 3600));
  if (seconds >= 120) return fmt::format("{:.0f} min", std::ceil(seconds / 60));
  return fmt::format("{:.0f} s", seconds);
}

void AddWords(std::string& text, const std::string& words) {
  std::string line = "  ";
  std::size_t at = 0;
  bool is_first = true;
  while (at < words.size()) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    const std::string word = words.substr(at, end - at);
    if (!is_first && line.size() + 1 + word.size() > kColumns) {
      text += line + "\n";
      line = "    ";
    } else if (!is_first) {
      line += ' ';
    }
    line += word;
    is_first = false;
    at = end + 1;
  }
  text += line + "\n";
}

// How far the merged evidence is on its way to halting: 1 halts.
double ShareToHalt(const json& report) {
  const double halts = FigureOf(report, "log_e_halt");
  return halts > 0 ? std::clamp(FigureOf(report, "log_e") / halts, 0.0, 1.0) : 0;
}

std::string Bar(double share) {
  constexpr int kWidth = 20;
  const int full = static_cast<int>(std::lround(share * kWidth));
  return std::string(static_cast<std::size_t>(full), '#') +
         std::string(static_cast<std::size_t>(kWidth - full), '.');
}

void AddMissing(const json& report, std::string& text) {
  const json& holds = PartOf(report, "holds");
  if (holds.empty()) return;
  text += "missing\n";
  for (const json& hold : holds) {
    std::string words = fmt::format("{}: {}", ShownOf(hold, "rule"), ShownOf(hold, "words"));
    const double seconds = FigureOf(hold, "seconds_missing");
    if (seconds > 0) words += fmt::format("; about {} at the present pace", SpanOf(seconds));
    AddWords(text, words);
  }
}

void AddVehicles(const json& report, std::string& text) {
  const json& examples = PartOf(report, "examples");
  const json& vehicles = PartOf(report, "vehicles");
  if (examples.empty() && vehicles.empty()) return;
  text += "vehicles\n";
  for (const json& one : examples) {
    AddWords(text, fmt::format("{} {}: {}", ShownOf(one, "vehicle"), ShownOf(one, "side"),
                               ShownOf(one, "what")));
  }
  if (!examples.empty()) return;
  for (const json& one : vehicles) AddWords(text, ShownOf(json{{"v", one}}, "v"));
}

void AddSeen(const json& report, std::string& text) {
  const json& metrics = PartOf(report, "metrics");
  if (metrics.empty()) return;
  text += "seen\n";
  for (const json& one : metrics) {
    const std::string side = ShownOf(one, "side");
    const double n = FigureOf(one, "n"), k = FigureOf(one, "k");
    if (side == "blocks" || side == "rate") {
      AddWords(text, fmt::format("{} {}: {:.4g} over {:.0f}, {:.4g} may be", ShownOf(one, "metric"),
                                 side, FigureOf(one, "rate"), n, FigureOf(one, "max")));
      continue;
    }
    const double detectable = FigureOf(one, "detectable");
    AddWords(text, fmt::format(
                       "{} {}: {:.0f} of {:.0f} vehicles differ; in truth at most {}, {} may; {}",
                       ShownOf(one, "metric"), side, k, n, Percent(FigureOf(one, "bound")),
                       Percent(FigureOf(one, "max")),
                       detectable < 1 ? "a fault at " + Percent(detectable) + " or more would halt"
                                      : std::string("so few vehicles would show no fault")));
  }
}

}  // namespace

std::string GateLine(const json& answer) {
  const json& verdict = PartOf(answer, "verdict");
  if (!verdict.is_object()) {
    return fmt::format("{}  no verdict: {}", ShownOf(answer, "rollout"), ShownOf(answer, "words"));
  }
  const json& report = PartOf(answer, "report");
  // A report that halted says so even where the short form was written before.
  const json& told = report.is_object() ? PartOf(report, "verdict") : verdict;
  return fmt::format("{}  {} ({}): {}", ShownOf(answer, "rollout"), ShownOf(told, "outcome"),
                     ShownOf(told, "rule"), ShownOf(told, "words"));
}

std::string GateWords(const json& answer) {
  std::string text = GateLine(answer) + "\n";
  const json& report = PartOf(answer, "report");
  if (!report.is_object()) return text;
  const double log_e = FigureOf(report, "log_e");
  text += fmt::format("  evidence [{}] {:.3g} of {:.3g} that halts; {} vehicles differ\n",
                      Bar(ShareToHalt(report)), std::exp(std::clamp(log_e, -600.0, 600.0)),
                      std::exp(std::clamp(FigureOf(report, "log_e_halt"), 0.0, 600.0)),
                      ShownOf(report, "discordant"));
  const double detectable = FigureOf(report, "detectable");
  text += detectable < 1
              ? fmt::format("  this cohort shows a fault at {} or more of its vehicles\n",
                            Percent(detectable))
              : "  this cohort would show no fault yet, however large\n";
  if (PartOf(report, "needs_confirmation") == json(true)) {
    text += fmt::format("  a person has to say that it will do: telltale approve {} --comment …\n",
                        ShownOf(answer, "rollout"));
  }
  AddMissing(report, text);
  AddVehicles(report, text);
  AddSeen(report, text);
  return text;
}

}  // namespace telltale::app
