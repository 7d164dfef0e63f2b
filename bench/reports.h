// The one report that the bench sends, everywhere the same: 200 bytes, 20 columns set beside who
// and when, a position to seal (design, budgets). Bytes are put together from finished pieces, so
// that the generator takes little of the cores that it shares with what it measures.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "contract/wire.h"

namespace telltale::bench {

inline constexpr std::string_view kFirmware = "2.0.0";

// What differs from batch to batch of one vehicle.
struct BatchOf {
  std::uint64_t boot_random = 0;
  std::uint64_t first_seq = 0;
  Micros after;           // event time of the report before the first
  Micros last;            // event time of the last one; the others lie evenly between
  bool is_event = false;  // the last report has a collision warning: one alert
};

class ReportWriter {
 public:
  ReportWriter() {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      fields_[i] = Fields(i, false);
      warnings_[i] = Fields(i, true);
    }
  }

  void AppendBatch(std::string& out, const BatchOf& batch, std::uint64_t reports) {
    using contract::AppendTag;
    using contract::AppendVarint;
    using contract::WireType;
    AppendTag(out, 1, WireType::kVarint);
    AppendVarint(out, 1);
    AppendTag(out, 2, WireType::kFixed64);
    PutLe(out, batch.boot_random);
    AppendTag(out, 3, WireType::kBytes);
    AppendVarint(out, kFirmware.size());
    out.append(kFirmware);
    const std::int64_t span = batch.last.value - batch.after.value;
    for (std::uint64_t i = 0; i < reports; ++i) {
      const std::uint64_t seq = batch.first_seq + i;
      const auto step = static_cast<std::int64_t>(i + 1);
      head_.clear();
      AppendTag(head_, kFieldSeq, WireType::kVarint);
      AppendVarint(head_, seq);
      AppendTag(head_, kFieldEventTimeUs, WireType::kVarint);
      AppendVarint(head_,
                   static_cast<std::uint64_t>(batch.after.value +
                                              span * step / static_cast<std::int64_t>(reports)));
      const bool is_warning = batch.is_event && i + 1 == reports;
      const std::string& fields = (is_warning ? warnings_ : fields_)[seq % fields_.size()];
      AppendTag(out, 10, WireType::kBytes);
      AppendVarint(out, head_.size() + fields.size());
      out.append(head_).append(fields);
    }
  }

 private:
  static constexpr std::uint32_t kFieldSeq = 1;
  static constexpr std::uint32_t kFieldEventTimeUs = 2;

  static void Put(std::string& out, std::uint32_t number, float value) {
    contract::AppendTag(out, number, contract::WireType::kFixed32);
    PutLe(out, value);
  }
  static void Put(std::string& out, std::uint32_t number, double value) {
    contract::AppendTag(out, number, contract::WireType::kFixed64);
    PutLe(out, value);
  }
  static void Put(std::string& out, std::uint32_t number, bool value) {
    contract::AppendTag(out, number, contract::WireType::kVarint);
    contract::AppendVarint(out, value ? 1 : 0);
  }

  // Everything but seq and event time; values that move with `i` as a drive's do.
  static std::string Fields(std::size_t i, bool is_warning) {
    const auto wave = static_cast<float>(i);
    std::string out;
    Put(out, 10, 50 + wave / 10);     // speed_kmh
    Put(out, 11, wave / 500 - 0.1f);  // acceleration_longitudinal_mps2
    Put(out, 12, 0.1f - wave / 500);  // acceleration_lateral_mps2
    Put(out, 14, wave / 50);          // yaw_rate_dps
    Put(out, 20, 0.0f);               // brake_pedal_percent
    Put(out, 22, false);              // is_abs_engaged
    Put(out, 30, is_warning);         // is_fcw_warning
    Put(out, 50, 2000 + wave);        // engine_speed_rpm
    Put(out, 51, 40 + wave / 10);     // engine_load_percent
    Put(out, 52, 90.0f);              // coolant_temperature_c
    Put(out, 55, 20 + wave / 10);     // throttle_percent
    Put(out, 56, 12 + wave / 20);     // mass_air_flow_gps
    Put(out, 57, 25.0f);              // intake_air_temperature_c
    Put(out, 65, 60.0f);              // fuel_level_percent
    Put(out, 100, 14.1f);             // low_voltage_battery_v
    Put(out, 101, wave / 10);         // low_voltage_battery_a
    for (std::uint8_t wheel = 1; wheel <= 4; ++wheel) {
      std::string tire;
      contract::AppendTag(tire, 1, contract::WireType::kVarint);
      contract::AppendVarint(tire, wheel);
      Put(tire, 2, 231.0f);  // pressure_kpa
      Put(tire, 3, 31.5f);   // temperature_c
      contract::AppendTag(out, 120, contract::WireType::kBytes);
      contract::AppendVarint(out, tire.size());
      out.append(tire);
    }
    Put(out, 130, true);                                     // is_ignition_on
    Put(out, 150, 12'345.6 + static_cast<double>(i) / 100);  // odometer_km
    Put(out, 160, 52.5 + 1e-5 * static_cast<double>(i));     // latitude_deg, sealed
    Put(out, 161, 13.4 + 1e-5 * static_cast<double>(i));     // longitude_deg, sealed
    Put(out, 163, 90.0f);                                    // heading_deg, sealed
    return out;
  }

  std::array<std::string, 100> fields_;
  std::array<std::string, 100> warnings_;
  std::string head_;
};

}  // namespace telltale::bench
