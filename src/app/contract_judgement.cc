#include "app/contract_judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace telltale::app {
namespace {

using contract::check::Finding;
using contract::check::Problem;
using contract::check::RuleText;
using contract::check::TextOf;
using contract::check::Verdict;

constexpr std::array<std::string_view, 3> kVerdicts = {"accepted", "rejected", "could not judge"};
constexpr std::array<std::string_view, 3> kVerdictNames = {"accepted", "rejected",
                                                           "could_not_judge"};

std::string_view ColorOfVerdict(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kColors = {"\x1b[31m", "\x1b[33m", "\x1b[2m"};
  return kColors[static_cast<std::size_t>(verdict)];
}

std::string TextOfFinding(const Finding& finding, bool color) {
  const RuleText& rule = TextOf(finding.rule);
  const std::string where = finding.version.empty() ? "" : "against " + finding.version + ": ";
  return fmt::format("{}: {}{}{} {} (rule {}) {}\n  {}{}\n  instead: {}\n",
                     finding.place.ToString(), color ? ColorOfVerdict(rule.verdict) : "",
                     VerdictName(rule.verdict), color ? "\x1b[0m" : "", rule.id, rule.number,
                     finding.full_name, where, finding.effect, finding.advice);
}

std::string Summary(const Judgement& judgement) {
  std::array<int, 3> counts = {0, 0, 0};
  for (const Finding& finding : judgement.comparison.findings) {
    ++counts[static_cast<std::size_t>(finding.verdict())];
  }
  const std::size_t versions = judgement.compared_with.size();
  if (versions == 0) return "no earlier version to compare with";
  return fmt::format("{} REJECT, {} WARN, {} NOTE against {} earlier version{}", counts[0],
                     counts[1], counts[2], versions, versions == 1 ? "" : "s");
}

std::string AsText(const Judgement& judgement, bool color) {
  std::string text;
  const auto verdict = kVerdicts[static_cast<std::size_t>(judgement.exit_code())];
  if (!judgement.problems.empty()) {
    for (const Problem& problem : judgement.problems) text += problem.ToString() + "\n";
    return text + fmt::format("{}: {} problem{}\n", verdict, judgement.problems.size(),
                              judgement.problems.size() == 1 ? "" : "s");
  }
  for (const Finding& finding : judgement.comparison.findings) {
    text += TextOfFinding(finding, color);
  }
  if (!judgement.unloadable.empty()) {
    text += fmt::format("no door would load it: {}\n", judgement.unloadable);
  }
  return text + fmt::format("{}: {}\n", verdict, Summary(judgement));
}

std::string AsJson(const Judgement& judgement) {
  using Json = nlohmann::ordered_json;
  Json findings = Json::array();
  for (const Finding& finding : judgement.comparison.findings) {
    const RuleText& rule = TextOf(finding.rule);
    findings.push_back({{"verdict", VerdictName(rule.verdict)},
                        {"rule", rule.number},
                        {"id", rule.id},
                        {"full_name", finding.full_name},
                        {"file", finding.place.file},
                        {"line", finding.place.line},
                        {"column", finding.place.column},
                        {"version", finding.version},
                        {"effect", finding.effect},
                        {"advice", finding.advice}});
  }
  Json problems = Json::array();
  for (const Problem& problem : judgement.problems) {
    problems.push_back({{"file", problem.place.file},
                        {"line", problem.place.line},
                        {"column", problem.place.column},
                        {"what", problem.what}});
  }
  const Json all = {{"verdict", kVerdictNames[static_cast<std::size_t>(judgement.exit_code())]},
                    {"compared_with", judgement.compared_with},
                    {"findings", findings},
                    {"unloadable", judgement.unloadable},
                    {"problems", problems}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Escaped(std::string_view text, bool is_property) {
  std::string escaped;
  for (const char c : text) {
    const bool is_special =
        c == '%' || c == '\r' || c == '\n' || (is_property && (c == ':' || c == ','));
    escaped += is_special ? fmt::format("%{:02X}", static_cast<int>(c)) : std::string(1, c);
  }
  return escaped;
}

std::string Annotation(std::string_view kind, const contract::check::Place& place,
                       std::string_view title, std::string_view text) {
  std::string at = "file=" + Escaped(place.file, true);
  if (place.line > 0) at += fmt::format(",line={},col={}", place.line, place.column);
  return fmt::format("::{} {},title={}::{}\n", kind, at, Escaped(title, true),
                     Escaped(text, false));
}

std::string AsGithub(const Judgement& judgement) {
  constexpr std::array<std::string_view, 3> kKinds = {"error", "warning", "notice"};
  std::string text;
  for (const Problem& problem : judgement.problems) {
    text += Annotation("error", problem.place, "could not judge", problem.what);
  }
  for (const Finding& finding : judgement.comparison.findings) {
    const RuleText& rule = TextOf(finding.rule);
    text += Annotation(
        kKinds[static_cast<std::size_t>(rule.verdict)], finding.place,
        fmt::format("{} {} (rule {})", VerdictName(rule.verdict), rule.id, rule.number),
        fmt::format("{}: {} Instead: {}", finding.full_name, finding.effect, finding.advice));
  }
  if (!judgement.unloadable.empty()) {
    text += fmt::format("::error title=no door would load it::{}\n",
                        Escaped(judgement.unloadable, false));
  }
  return text + fmt::format("{}: {}\n", kVerdicts[static_cast<std::size_t>(judgement.exit_code())],
                            Summary(judgement));
}

}  // namespace

int Judgement::exit_code() const {
  if (!problems.empty()) return 2;
  return comparison.rejected() || !unloadable.empty() ? 1 : 0;
}

std::string Judgement::Told(JudgementFormat format, bool color) const {
  switch (format) {
    case JudgementFormat::kJson:
      return AsJson(*this);
    case JudgementFormat::kGithub:
      return AsGithub(*this);
    case JudgementFormat::kText:
      break;
  }
  return AsText(*this, color);
}

}  // namespace telltale::app
