#include "gate/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gate/metrics.h"
#include "gate/report_members.h"

namespace telltale::gate {
namespace {

using nlohmann::ordered_json;

// 9 digits: what differs between two machines' mathematics lies far below.
double Shown(double value) {
  if (std::isnan(value)) return 0;
  const double cut = std::clamp(value, -1e300, 1e300);
  if (cut == 0) return 0;
  const double size = std::floor(std::log10(std::fabs(cut)));
  if (size > 200 || size < -200) return cut;
  const double step = std::pow(10, size - 8);
  return std::round(cut / step) * step;
}

std::string SpanInWords(std::int64_t seconds) {
  if (seconds >= 2 * 86400) return fmt::format("{} days", (seconds + 86399) / 86400);
  if (seconds >= 2 * 3600) return fmt::format("{} h", (seconds + 3599) / 3600);
  return fmt::format("{} min", (seconds + 59) / 60);
}

// Words in lines of at most 100 columns.
void AddLine(std::string& text, const std::string& indent, const std::string& words) {
  constexpr std::size_t kColumns = 100;
  std::string line = indent;
  std::size_t at = 0;
  while (at < words.size()) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    const std::string word = words.substr(at, end - at);
    if (line.size() > indent.size() && line.size() + 1 + word.size() > kColumns) {
      text += line + "\n";
      line = std::string(indent.size() + 2, ' ');
    } else if (line.size() > indent.size()) {
      line += ' ';
    }
    line += word;
    at = end + 1;
  }
  text += line + "\n";
}

void AddMetrics(const Report& report, std::string& text) {
  if (report.metrics.empty()) return;
  text += "seen\n";
  for (const MetricReport& metric : report.metrics) {
    if (metric.side == "blocks" || metric.side == "rate") {
      AddLine(text, "  ",
              fmt::format("{}: {:.4g} over {}, {:.4g} may be", metric.metric, metric.rate, metric.n,
                          metric.max));
      continue;
    }
    AddLine(
        text, "  ",
        fmt::format("{} {}: {}; in truth at most {}, {} may; {}", metric.metric, metric.side,
                    ShareInWords(metric.k, metric.n), Percent(metric.bound), Percent(metric.max),
                    metric.detectable < 1
                        ? "a fault at " + Percent(metric.detectable) + " or more would halt"
                        : std::string("so few vehicles would not show any fault")));
  }
}

void AddHolds(const Report& report, std::string& text) {
  if (report.holds.empty()) return;
  text += "missing\n";
  for (const Hold& hold : report.holds) {
    std::string words = fmt::format("{}: {}", RuleName(hold.rule), hold.words);
    if (hold.seconds_missing > 0) words += ", about " + SpanInWords(hold.seconds_missing);
    AddLine(text, "  ", words);
  }
}

}  // namespace

ordered_json ToJson(const Report& report) {
  ordered_json json;
  json["format"] = VersionOf(Format::kGateReport).written;
  MemberWriter(Shown).AddAll(report, json);
  return json;
}

Result<Verdict> VerdictFromJson(const nlohmann::json& json) {
  Fields head(json, "gate report");
  RETURN_IF_ERROR(head.Version(Format::kGateReport, "this gate report"));
  if (!json.is_object() || !json.contains("verdict")) {
    return Error{Code::kInvalid, "gate report: verdict is missing"};
  }
  Verdict verdict;
  Fields fields(json.at("verdict"), "gate report verdict");
  MemberReader::All(fields, verdict);
  RETURN_IF_ERROR(fields.Done());
  // The two say the same, or nothing: a pass with a reason to halt is no pass.
  const bool is_pass = verdict.rule == Rule::kNone;
  const bool is_halt = IsHaltRule(verdict.rule);
  if (is_pass != (verdict.outcome == Outcome::kPass) ||
      is_halt != (verdict.outcome == Outcome::kHalt)) {
    return Error{Code::kInvalid, "gate report: outcome and rule contradict each other"};
  }
  return verdict;
}

std::string InWords(const Report& report) {
  std::string text;
  AddLine(text, "",
          fmt::format("{} ({}): {}", OutcomeName(report.verdict.outcome),
                      RuleName(report.verdict.rule), report.verdict.words));
  if (report.log_e > -100) {
    AddLine(text, "",
            fmt::format("evidence {:.3g}, halts at {:.3g}; {} vehicles differ",
                        std::exp(std::min(report.log_e, 600.0)), std::exp(report.log_e_halt),
                        report.discordant));
  }
  if (!report.vehicles.empty()) {
    std::string vehicles = "vehicles";
    for (const std::string& vehicle : report.vehicles) vehicles += " " + vehicle;
    AddLine(text, "", vehicles);
  }
  AddHolds(report, text);
  AddMetrics(report, text);
  return text;
}

}  // namespace telltale::gate
