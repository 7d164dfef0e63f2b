// Delivery agents' positions with labels, chunks of 6 minutes, about one point every 5 s. What the
// data's description and the data say, and what is done with it:
//   - column trajectory_id; each chunk is one vehicle. The date is arbitrary (1964): not dated
//   - x and y are metres from an arbitrary origin: no place and no course can be told. What is left
//     is the mean speed from one point to the next, which is sent as the speed at the later one
//   - only between two points that are both labelled Driving (median 21 km/h, highest 146): on foot
//     the phone is not the vehicle's, so these rows are kForeign, and the first Driving row after
//     them has no speed yet (kNothing)
//   - points more than 30 s apart: a mean over so long is no speed of any moment (kNothing)
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

constexpr std::int64_t kGapMostUs = 30'000'000;

struct Point {
  std::int64_t at_us = 0;
  double x_m = 0;
  double y_m = 0;
};

struct Chunk {
  Drive drive;
  std::optional<Point> last;  // of driving; none after a point on foot
};

// "1964-01-12 00:00:05.007000208"
std::optional<std::int64_t> TimeOf(std::string_view text) {
  std::string iso(text);
  const std::size_t space = iso.find(' ');
  if (space == std::string::npos) return std::nullopt;
  iso[space] = 'T';
  return UtcMicrosOf(iso + "Z");
}

void AddPoint(Chunk& chunk, const Point& point) {
  const std::optional<Point> last = chunk.last;
  if (last && point.at_us < last->at_us) return chunk.drive.counts.Drop(RowDrop::kBackwards);
  if (last && point.at_us == last->at_us) return chunk.drive.counts.Drop(RowDrop::kDuplicate);
  chunk.last = point;
  if (!last || point.at_us - last->at_us > kGapMostUs) {
    return chunk.drive.counts.Drop(RowDrop::kNothing);
  }
  const double seconds = static_cast<double>(point.at_us - last->at_us) / 1e6;
  const double metres = std::hypot(point.x_m - last->x_m, point.y_m - last->y_m);
  telltale::v1::Report report;
  report.set_speed_kmh(static_cast<float>(metres / seconds * 3.6));
  AddReport(chunk.drive, point.at_us, std::move(report));
}

void TakeRow(const CsvRow& row, Chunk& chunk) {
  RowCounts& counts = chunk.drive.counts;
  const std::string_view label = row.Text("groundtruth");
  if (label == "OnFoot") {
    chunk.last.reset();
    return counts.Drop(RowDrop::kForeign);
  }
  const auto x_m = row.Get("x");
  const auto y_m = row.Get("y");
  if (label != "Driving" || !x_m || !y_m) return counts.Drop(RowDrop::kMalformed);
  const auto at_us = TimeOf(row.Text("timestamp"));
  if (!at_us) return counts.Drop(RowDrop::kNoTime);
  AddPoint(chunk, {*at_us, *x_m, *y_m});
}

}  // namespace

Result<std::vector<Drive>> ReadGoalCsv(const Source& source) {
  ASSIGN_OR_RETURN(CsvTable table, CsvTable::Open(source.text, {"trajectory_id", "timestamp", "x",
                                                                "y", "groundtruth"}));
  std::vector<Chunk> chunks;
  std::map<std::string, std::size_t, std::less<>> index;  // trajectory_id -> chunks
  CsvRow row;
  while (table.Next(row)) {
    const std::string_view id = row.Text("trajectory_id");
    if (id.empty()) {
      return Error{Code::kInvalid, fmt::format("line {} has no trajectory", row.line())};
    }
    auto found = index.find(id);
    if (found == index.end()) {
      found = index.emplace(id, chunks.size()).first;
      Drive& drive = chunks.emplace_back().drive;
      drive.name = fmt::format("goal-{}", id);
      drive.model = "delivery vehicle";
      drive.vehicle_class = "unknown";
      drive.is_dated = false;
    }
    TakeRow(row, chunks[found->second]);
  }
  std::vector<Drive> drives;
  for (Chunk& chunk : chunks) drives.push_back(std::move(chunk.drive));
  return drives;
}

}  // namespace telltale::sim
