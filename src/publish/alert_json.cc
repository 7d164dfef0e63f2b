#include "publish/alert_json.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/vehicle_class.h"

namespace telltale::publish {

std::string_view SeverityWord(internal::v1::Severity severity) {
  switch (severity) {
    case internal::v1::SEVERITY_LOW:
      return "LOW";
    case internal::v1::SEVERITY_MEDIUM:
      return "MEDIUM";
    case internal::v1::SEVERITY_HIGH:
      return "HIGH";
    case internal::v1::SEVERITY_CRITICAL:
      return "CRITICAL";
    default:
      return "UNKNOWN";
  }
}

std::string_view StateWord(internal::v1::EpisodeState state) {
  switch (state) {
    case internal::v1::EPISODE_STATE_OPEN:
      return "OPEN";
    case internal::v1::EPISODE_STATE_CLOSED:
      return "CLOSED";
    default:
      return "UNKNOWN";
  }
}

std::string CellToken(std::uint64_t cell) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(cell >> shift & 0xff);
  return HexEncode(bytes);
}

std::string AlertJson(const internal::v1::JournalEntry::Output& output, const Authority& authority,
                      Micros publish_time) {
  const internal::v1::Alert& alert = output.alert();
  nlohmann::ordered_json json;
  json["output_id"] = HexEncode(alert.output_id());
  json["rule"] = alert.rule();
  json["vehicle_ref"] = HexEncode(alert.vehicle_ref());
  json["severity"] = SeverityWord(alert.severity());
  json["state"] = StateWord(alert.state());
  json["revision"] = alert.revision();
  json["boot_counter"] = alert.boot_counter();
  json["boot_random"] = std::to_string(alert.boot_random());
  json["first_seq"] = alert.first_seq();
  json["seq"] = output.seq();
  json["event_time_us"] = output.event_time_us();
  json["receipt_time_us"] = output.receipt_time_us();
  json["publish_time_us"] = publish_time.value;
  json["started_at_us"] = alert.started_at_us();
  if (alert.ended_at_us() != 0) json["ended_at_us"] = alert.ended_at_us();
  if (alert.has_peak_value()) {
    json["peak_value"] = alert.peak_value();
    json["unit"] = alert.unit();
  }
  if (alert.has_cell()) json["cell"] = CellToken(alert.cell());
  if (alert.has_heading_octant()) json["heading_octant"] = alert.heading_octant();
  if (alert.has_vehicle_class()) {
    json["vehicle_class"] = VehicleClassName(static_cast<VehicleClass>(alert.vehicle_class()));
  }
  if (alert.has_speed_kmh()) json["speed_kmh"] = alert.speed_kmh();
  json["authority_epoch"] = authority.epoch.value;
  json["release"] = authority.release;
  json["input_partition"] = output.partition();
  json["input_offset"] = output.input_offset();
  json["contract_number"] = output.contract_number();
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace telltale::publish
