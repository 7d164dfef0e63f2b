#include "app/control_lake_findings.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/format_version.h"
#include "control/json_lookup.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::uint64_t kReportBytesMax = 16u << 20;
constexpr std::size_t kTablesMax = 20;  // the worst are told
constexpr std::size_t kColumnsMax = 5;  // likewise, of a table
constexpr std::size_t kNamesMax = 20;
constexpr std::size_t kTextMax = 300;                      // bytes
constexpr std::int64_t kLastUs = 253'402'300'799'999'999;  // of the year 9999

// Cut where it is long.
std::string ShortTextOf(const json& object, const char* name) {
  std::string text = control::TextOf(object, name);
  if (text.size() <= kTextMax) return text;
  std::size_t end = kTextMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

// null where it is no count.
json CountOf(const json& object, const char* name) {
  const auto count = control::CountOf(object, name);
  return count ? json(*count) : json();
}

std::uint64_t CountUpTo(const json& object, const char* name) {
  return control::CountOf(object, name).value_or(0);
}

// "" where it is no time.
std::string TimeOf(const json& object, const char* name) {
  const auto us = CountUpTo(object, name);
  if (us == 0 || us > kLastUs) return "";
  return FormatUtc(Micros{static_cast<std::int64_t>(us)});
}

const json& ListOf(const json& object, const char* name) {
  static const json kNone = json::array();
  const json* const found = control::MemberOf(object, name);
  return found != nullptr && found->is_array() ? *found : kNone;
}

json NamesOf(const json& comparison, const char* name) {
  json names = json::array();
  for (const json& one : ListOf(comparison, name)) {
    if (names.size() == kNamesMax) break;
    if (one.is_string()) names.push_back(one);
  }
  return names;
}

// They are the worst first already.
json WorstColumns(const json& comparison) {
  json worst = json::array();
  for (const json& one : ListOf(comparison, "columns")) {
    if (worst.size() == kColumnsMax) break;
    if (!one.is_object()) continue;
    const auto largest = one.find("largest");
    const bool has_largest = largest != one.end() && largest->is_number();
    worst.push_back({{"column", ShortTextOf(one, "name")},
                     {"changed", CountOf(one, "changed")},
                     {"largest", has_largest ? *largest : json()}});
  }
  return worst;
}

struct Table {
  json told = {};
  int rank = 0;  // what is wrong comes first
  std::uint64_t rows = 0;
  std::string name = {};
};

bool HasOtherColumns(const json& comparison) {
  for (const char* name : {"columns_only_stable", "columns_only_candidate", "columns_retyped"}) {
    if (!ListOf(comparison, name).empty()) return true;
  }
  return false;
}

Table TableOf(const json& one) {
  const auto found = one.find("comparison");
  const json comparison = found != one.end() && found->is_object() ? *found : json::object();
  Table table;
  table.name = ShortTextOf(one, "name");
  const std::string status = ShortTextOf(one, "status");
  for (const char* name : {"changed", "missing", "extra"}) {
    table.rows += std::min<std::uint64_t>(CountUpTo(comparison, name), UINT32_MAX);
  }
  std::string verdict = "same";
  if (status == "failed") {
    verdict = "failed";
  } else if (status == "added" || status == "removed" || table.rows > 0 ||
             HasOtherColumns(comparison)) {
    verdict = "differs";
  } else if (status != "same_code" && comparison.empty()) {
    verdict = "not_compared";
  }
  table.rank = verdict == "failed" ? 0 : verdict == "differs" ? 1 : verdict == "same" ? 3 : 2;
  table.told = {{"name", table.name},
                {"status", status},
                {"verdict", verdict},
                {"error", ShortTextOf(one, "error")},
                {"columns_only_stable", NamesOf(comparison, "columns_only_stable")},
                {"columns_only_candidate", NamesOf(comparison, "columns_only_candidate")},
                {"columns_retyped", NamesOf(comparison, "columns_retyped")},
                {"worst", WorstColumns(comparison)}};
  for (const char* name : {"rows_stable", "rows_candidate", "same", "changed", "missing", "extra",
                           "vehicles", "vehicles_affected"}) {
    table.told[name] = CountOf(comparison, name);
  }
  return table;
}

json Finding(const char* verdict, const std::string& reason) {
  return {{"verdict", verdict},      {"reason", reason},    {"at", ""},
          {"closed_at", ""},         {"lots", nullptr},     {"vehicles", nullptr},
          {"tables", json::array()}, {"tables_left_out", 0}};
}

// "" = it is one, and ours.
std::string Unreadable(const json& report) {
  if (!report.is_object()) return "it is no JSON object";
  if (ShortTextOf(report, "format") != "telltale-shadow-report") return "it is no shadow report";
  const json version = CountOf(report, "version");
  if (version.is_null()) return "its version is no number";
  const auto needed = version.get<std::uint64_t>();
  const Status readable = CheckReadable(Format::kShadowReport, "the shadow report", needed, needed);
  return readable.ok() ? "" : readable.error().message;
}

void AddTables(const json& report, json& finding) {
  std::vector<Table> tables;
  for (const json& one : ListOf(report, "tables")) {
    if (one.is_object()) tables.push_back(TableOf(one));
  }
  std::sort(tables.begin(), tables.end(), [](const Table& a, const Table& b) {
    return std::tie(a.rank, b.rows, a.name) < std::tie(b.rank, a.rows, b.name);
  });
  finding["verdict"] = tables.empty() ? json("not_compared") : tables.front().told["verdict"];
  for (Table& table : tables) {
    if (finding["tables"].size() == kTablesMax) break;
    finding["tables"].push_back(std::move(table.told));
  }
  finding["tables_left_out"] = tables.size() - finding["tables"].size();
}

}  // namespace

json LakeFinding(std::string_view text, const std::string& kind, const LakeQuestion& question) {
  const json report = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (const std::string why = Unreadable(report); !why.empty()) return Finding("unreadable", why);
  if (ShortTextOf(report, "kind") != kind || ShortTextOf(report, "release") != question.release) {
    return Finding("foreign", "it is of another kind or release");
  }
  if (!question.salt.empty() && ShortTextOf(report, "salt") != question.salt) {
    return Finding("foreign", "it is of another cohort: this rollout was not compared yet");
  }
  json finding = Finding("", "");
  finding["at"] = TimeOf(report, "made_at_us");
  finding["closed_at"] = TimeOf(report, "closed_at_us");
  finding["lots"] = CountOf(report, "lots");
  const auto vehicles = report.find("vehicles");
  if (vehicles != report.end() && vehicles->is_object()) {
    finding["vehicles"] = {{"cohort", CountOf(*vehicles, "cohort")},
                           {"seen", CountOf(*vehicles, "seen")}};
  }
  AddTables(report, finding);
  return finding;
}

json LakeFindings(Disk& disk, const std::string& environment_dir, const LakeQuestion& question) {
  json findings = json::object();
  for (const char* kind : {"features", "telemetry"}) {
    const std::string path =
        Paths(environment_dir).lake() + "/shadow/" + question.release + "/" + kind + ".json";
    const auto text = ReadWholeFile(disk, path, kReportBytesMax);
    if (text.ok()) {
      findings[kind] = LakeFinding(*text, kind, question);
    } else if (text.error().code == Code::kNotFound) {
      findings[kind] = nullptr;
    } else {
      findings[kind] = Finding("unreadable", text.error().message);
    }
  }
  return findings;
}

}  // namespace telltale::app
