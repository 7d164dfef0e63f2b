#include "app/replay_report.h"

#include <fmt/format.h>

namespace telltale::app {
namespace {

template <typename Reason, typename Counts, typename NameOf>
nlohmann::ordered_json ReasonsToJson(const Counts& counts, const NameOf& name_of) {
  auto json = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) json[std::string(name_of(static_cast<Reason>(i)))] = counts[i];
  }
  return json;
}

nlohmann::ordered_json RowsToJson(const sim::RowCounts& counts) {
  return ReasonsToJson<sim::RowDrop>(counts.dropped, &sim::RowDropName);
}
nlohmann::ordered_json ValuesToJson(const sim::RowCounts& counts) {
  return ReasonsToJson<sim::ValueDrop>(counts.values_dropped, &sim::ValueDropName);
}

std::string ReasonsToText(const nlohmann::ordered_json& reasons) {
  std::string text;
  for (const auto& [reason, count] : reasons.items()) {
    text += fmt::format(", {} {}", reason, count.get<std::uint64_t>());
  }
  return text;
}

}  // namespace

void ReplayedSource::Add(const sim::Drive& drive) {
  ++drives;
  reports += drive.reports.size();
  counts.rows += drive.counts.rows;
  for (std::size_t i = 0; i < counts.dropped.size(); ++i) {
    counts.dropped[i] += drive.counts.dropped[i];
  }
  for (std::size_t i = 0; i < counts.values_dropped.size(); ++i) {
    counts.values_dropped[i] += drive.counts.values_dropped[i];
  }
}

nlohmann::ordered_json SourcesToJson(const std::vector<ReplayedSource>& sources) {
  auto list = nlohmann::ordered_json::array();
  for (const ReplayedSource& source : sources) {
    list.push_back({{"file", source.file},
                    {"format", source.format},
                    {"drives", source.drives},
                    {"rows", source.counts.rows},
                    {"reports", source.reports},
                    {"dropped", RowsToJson(source.counts)},
                    {"values_dropped", ValuesToJson(source.counts)}});
  }
  return list;
}

std::string SourceToText(const ReplayedSource& source) {
  return fmt::format("{}: {} drives, {} rows, {} reports{}{}", source.file, source.drives,
                     source.counts.rows, source.reports, ReasonsToText(RowsToJson(source.counts)),
                     ReasonsToText(ValuesToJson(source.counts)));
}

nlohmann::ordered_json FormatsToJson() {
  auto list = nlohmann::ordered_json::array();
  for (const sim::DriveFormat& format : sim::DriveFormats()) {
    list.push_back({{"name", format.name},
                    {"about", format.about},
                    {"example", format.example},
                    {"takes_folder", format.takes_folder}});
  }
  return list;
}

}  // namespace telltale::app
