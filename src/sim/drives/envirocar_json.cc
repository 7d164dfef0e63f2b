// enviroCar track: a GeoJSON collection of points, one about every 5 s, from a phone with an OBD
// dongle. What the data's description and the data say, and what is done with it:
//   - units are free text: a value whose unit is not the one expected for its name is left out
//     (kInvalid), never converted. So "GPS Accuracy" in "%" (all ten tracks) is left out
//   - Speed is PID 0D, interpolated by the app (17.999999463 for 18) -> obd_speed_kmh, not rounded:
//     what stood before the interpolation is not known. GPS Speed is the finer one -> speed_kmh
//   - "Calculated MAF" g/s, Consumption l/h and CO2 kg/h are not measured: the app computes them
//     from Rpm, Intake Pressure, Intake Temperature and the displacement (the test shows it) ->
//     left out, kInvalid. A measured "MAF" counts when its unit is g/s; "l/s" is a volume, left out
//   - GPS Bearing beyond 360 (507.8: interpolated across north) -> kOutOfRange; within, it agrees
//     with the course between points (median difference 1.2 degrees)
//   - no field: GPS HDOP, PDOP, VDOP (a factor, no metres), O2 sensors, CO2; passed over
//   - not every point has every phenomenon: absent stays absent
//   - make and model are typed by users. "Skoda Citaro" has 999 cm3 of gasoline and the sensor's
//     type "car": no bus -> passenger_car, as all tracks
//   - no ignition signal: none is made up
#include <fmt/format.h>

#include "sim/drives/in_range.h"
#include "sim/drives/json_read.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

struct Phenomenon {
  const char* name;
  const char* unit;
  void (Report::*set)(float);
};

constexpr Phenomenon kPhenomena[] = {
    {"Engine Load", "%", &Report::set_engine_load_percent},
    {"GPS Accuracy", "m", &Report::set_horizontal_accuracy_m},
    {"GPS Altitude", "m", &Report::set_altitude_m},
    {"GPS Bearing", "deg", &Report::set_heading_deg},
    {"GPS Speed", "km/h", &Report::set_speed_kmh},
    {"Intake Pressure", "kPa", &Report::set_intake_manifold_pressure_kpa},
    {"Intake Temperature", "c", &Report::set_intake_air_temperature_c},
    {"MAF", "g/s", &Report::set_mass_air_flow_gps},
    {"Rpm", "u/min", &Report::set_engine_speed_rpm},
    {"Speed", "km/h", &Report::set_obd_speed_kmh},
    {"Throttle Position", "%", &Report::set_throttle_percent},
};
// Made by the app out of the others.
constexpr const char* kComputed[] = {"Calculated MAF", "Consumption", "CO2"};

void FillPhenomena(const Json& phenomena, Report& report, RowCounts& counts) {
  for (const Phenomenon& known : kPhenomena) {
    const Json* found = Member(phenomena, known.name);
    if (found == nullptr) continue;
    const auto value = NumberIn(*found, "value");
    if (!value) {
      counts.DropValue(ValueDrop::kMalformed);
    } else if (TextIn(*found, "unit") != known.unit) {
      counts.DropValue(ValueDrop::kInvalid);
    } else {
      (report.*known.set)(static_cast<float>(*value));
    }
  }
  for (const char* name : kComputed) {
    if (Member(phenomena, name) != nullptr) counts.DropValue(ValueDrop::kInvalid);
  }
}

void FillPlace(const Json& feature, Report& report, RowCounts& counts) {
  const Json* place = Inside(feature, {"geometry", "coordinates"});
  if (place == nullptr) return;
  // GeoJSON: longitude first.
  if (!place->is_array() || place->size() < 2 || !(*place)[0].is_number() ||
      !(*place)[1].is_number()) {
    counts.DropValue(ValueDrop::kMalformed);
    return;
  }
  report.set_longitude_deg((*place)[0].get<double>());
  report.set_latitude_deg((*place)[1].get<double>());
}

void AddPoint(const Json& feature, Drive& drive) {
  const Json* properties = Member(feature, "properties");
  if (properties == nullptr) return drive.counts.Drop(RowDrop::kMalformed);
  const auto at_us = UtcMicrosOf(TextIn(*properties, "time"));
  if (!at_us) return drive.counts.Drop(RowDrop::kNoTime);
  Report report;
  FillPlace(feature, report, drive.counts);
  if (const Json* phenomena = Member(*properties, "phenomenons")) {
    FillPhenomena(*phenomena, report, drive.counts);
  }
  ClearOutOfRange(report, drive.counts);
  if (report.ByteSizeLong() == 0) return drive.counts.Drop(RowDrop::kNothing);
  AddReport(drive, *at_us, std::move(report));
}

const char* FuelOf(std::string_view typed) {
  for (const char* known : {"gasoline", "diesel", "electric"}) {
    if (typed == known) return known;
  }
  return "unknown";
}

}  // namespace

Result<std::vector<Drive>> ReadEnvirocarJson(const Source& source) {
  ASSIGN_OR_RETURN(const Json track, ParseJson(source.text));
  const Json* features = Member(track, "features");
  if (TextIn(track, "type") != "FeatureCollection" || features == nullptr ||
      !features->is_array()) {
    return Error{Code::kInvalid, "line 1 begins no GeoJSON FeatureCollection"};
  }
  std::vector<Drive> drives(1);
  Drive& drive = drives.front();
  drive.name = fmt::format("envirocar-{}", source.name);
  if (const Json* sensor = Inside(track, {"properties", "sensor", "properties"})) {
    drive.model =
        ModelOf(fmt::format("{} {}", TextIn(*sensor, "manufacturer"), TextIn(*sensor, "model")));
    drive.fuel = FuelOf(TextIn(*sensor, "fuelType"));
  }
  for (const Json& feature : *features) AddPoint(feature, drive);
  return drives;
}

}  // namespace telltale::sim
