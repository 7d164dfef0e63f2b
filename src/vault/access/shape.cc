#include "vault/access/shape.h"

#include <s2/s2cell_id.h>
#include <s2/s2latlng.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/cell.h"
#include "base/check.h"
#include "base/clock.h"

namespace telltale::vault {
namespace {

using access::Form;
using nlohmann::json;

constexpr double kEarthRadiusMetres = 6'371'008.8;
constexpr std::int64_t kSecondUs = 1'000'000;

std::string CellToken(double latitude_deg, double longitude_deg, int level) {
  const S2CellId leaf(S2LatLng::FromDegrees(latitude_deg, longitude_deg));
  const std::uint64_t cell = CellParent(leaf.id(), level);
  CHECK(IsCoarseEnough(cell));
  return S2CellId(cell).ToToken();
}

}  // namespace

double DistanceMetres(double latitude_a, double longitude_a, double latitude_b,
                      double longitude_b) {
  const S1Angle angle = S2LatLng::FromDegrees(latitude_a, longitude_a)
                            .GetDistance(S2LatLng::FromDegrees(latitude_b, longitude_b));
  return angle.radians() * kEarthRadiusMetres;
}

Status Shape::Add(json row, const Emit& emit) {
  if (purpose_.form == Form::kTrace) return AddTrace(std::move(row), emit);
  AddPoint(row);
  return Ok();
}

Status Shape::AddTrace(json row, const Emit& emit) const {
  row["vehicle_ref"] = mark_.vehicle_ref;
  row["request"] = mark_.request;
  const bool is_whole = purpose_.all_fields && query_.fields.empty();
  if (!is_whole) {
    // Bytes without names cannot be left out by name.
    row.erase("unknown");
    row.erase("wire");
    const auto fields = row.find("fields");
    if (fields != row.end() && fields->is_object()) {
      const std::set<std::string>& wanted = query_.fields.empty() ? purpose_.fields : query_.fields;
      json kept = json::object();
      for (const auto& [name, value] : fields->items()) {
        if (wanted.contains(name)) kept[name] = value;
      }
      *fields = std::move(kept);
    }
  }
  return emit(row);
}

void Shape::AddPoint(const json& row) {
  const auto fields = row.find("fields");
  const auto number = [&](const char* name, double limit) -> std::optional<double> {
    if (fields == row.end() || !fields->is_object()) return std::nullopt;
    const auto found = fields->find(name);
    if (found == fields->end() || !found->is_number()) return std::nullopt;
    const double value = found->get<double>();
    return std::abs(value) <= limit ? std::optional<double>(value) : std::nullopt;
  };
  const auto latitude = number("latitude_deg", 90);
  const auto longitude = number("longitude_deg", 180);
  const auto time = row.find("event_time_us");
  if (!latitude || !longitude || time == row.end() || !time->is_number_integer()) {
    ++without_place_;
    return;
  }
  points_.push_back({time->get<std::int64_t>(), *latitude, *longitude});
}

Status Shape::End(const Emit& emit) {
  std::sort(points_.begin(), points_.end(),
            [](const Point& a, const Point& b) { return a.time_us < b.time_us; });
  if (purpose_.form == Form::kCells) return EmitCells(emit);
  if (purpose_.form == Form::kDistanceBins) return EmitDistances(emit);
  return Ok();
}

std::int64_t Shape::Floor(std::int64_t time_us) const {
  const std::int64_t step = static_cast<std::int64_t>(purpose_.time_floor_s) * kSecondUs;
  const std::int64_t rest = ((time_us % step) + step) % step;
  return time_us - rest;
}

json Shape::RowAt(std::int64_t time_us) const {
  return {{"vehicle_ref", mark_.vehicle_ref},
          {"request", mark_.request},
          {"event_time", FormatUtc(Micros{time_us})},
          {"event_time_us", time_us}};
}

// Each cell once in its slot of time, in the order of their names: when within the slot a border
// was crossed would tell where.
Status Shape::EmitCells(const Emit& emit) const {
  std::map<std::int64_t, std::set<std::string>> by_time;
  for (const Point& point : points_) {
    by_time[Floor(point.time_us)].insert(
        CellToken(point.latitude_deg, point.longitude_deg, purpose_.cell_level));
  }
  for (const auto& [time, cells] : by_time) {
    for (const std::string& cell : cells) {
      json row = RowAt(time);
      row["cell"] = cell;
      row["cell_level"] = purpose_.cell_level;
      RETURN_IF_ERROR(emit(row));
    }
  }
  return Ok();
}

// The way from each point to the next counts to the slot of the next; the sum is rounded down.
Status Shape::EmitDistances(const Emit& emit) const {
  std::map<std::int64_t, double> by_time;
  for (std::size_t i = 1; i < points_.size(); ++i) {
    by_time[Floor(points_[i].time_us)] +=
        DistanceMetres(points_[i - 1].latitude_deg, points_[i - 1].longitude_deg,
                       points_[i].latitude_deg, points_[i].longitude_deg);
  }
  for (const auto& [time, metres] : by_time) {
    json row = RowAt(time);
    row["distance_m"] = static_cast<std::int64_t>(metres / purpose_.bin_m) * purpose_.bin_m;
    row["bin_m"] = purpose_.bin_m;
    RETURN_IF_ERROR(emit(row));
  }
  return Ok();
}

}  // namespace telltale::vault
