// What `telltale replay` says of the files it read, for people and as JSON (docs/sim.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/drives/drive.h"

namespace telltale::app {

// A file (or folder) and what became of it.
struct ReplayedSource {
  std::string file;
  std::string format;
  std::size_t drives = 0;
  std::uint64_t reports = 0;
  sim::RowCounts counts;

  void Add(const sim::Drive& drive);
};

// [{file, format, drives, rows, reports, dropped: {...}, values_dropped: {...}}]; of the reasons
// those that came up.
nlohmann::ordered_json SourcesToJson(const std::vector<ReplayedSource>& sources);
// One line.
std::string SourceToText(const ReplayedSource& source);

// [{name, about, example, takes_folder}]
nlohmann::ordered_json FormatsToJson();

}  // namespace telltale::app
