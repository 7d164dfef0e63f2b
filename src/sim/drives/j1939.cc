#include "sim/drives/j1939.h"

#include <algorithm>

#include "base/check.h"
#include "sim/drives/j1939_tp.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

// From SAE J1939-71, for the groups that the file beside a recording does not describe.
constexpr std::string_view kStandard = R"(
BO_ 2565866494 EEC2: 8 X
 SG_ AcceleratorPedalPosition1 : 8|8@1+ (0.4,0) [0|100] "%" X
 SG_ EnginePercentLoad : 16|8@1+ (1,0) [0|250] "%" X
BO_ 2565866750 EEC1: 8 X
 SG_ EngineSpeed : 24|16@1+ (0.125,0) [0|8031.875] "rpm" X
BO_ 2566840574 VD: 8 X
 SG_ TotalVehicleDistance : 32|32@1+ (0.125,0) [0|526385151.9] "km" X
BO_ 2566844158 ET1: 8 X
 SG_ EngineCoolantTemperature : 0|8@1+ (1,-40) [-40|210] "degC" X
 SG_ EngineOilTemperature1 : 16|16@1+ (0.03125,-273) [-273|1735] "degC" X
BO_ 2566844414 EFLP1: 8 X
 SG_ EngineOilPressure : 24|8@1+ (4,0) [0|1000] "kPa" X
BO_ 2566844926 CCVS1: 8 X
 SG_ ParkingBrakeSwitch : 2|2@1+ (1,0) [0|3] "" X
 SG_ WheelBasedVehicleSpeed : 8|16@1+ (0.00390625,0) [0|250.996] "km/h" X
BO_ 2566845182 LFE1: 8 X
 SG_ EngineFuelRate : 0|16@1+ (0.05,0) [0|3212.75] "L/h" X
BO_ 2566845950 AMB: 8 X
 SG_ BarometricPressure : 0|8@1+ (0.5,0) [0|125] "kPa" X
 SG_ AmbientAirTemperature : 24|16@1+ (0.03125,-273) [-273|1735] "degC" X
BO_ 2566846462 VEP1: 8 X
 SG_ BatteryPotential : 32|16@1+ (0.05,0) [0|3212.75] "V" X
 SG_ KeyswitchBatteryPotential : 48|16@1+ (0.05,0) [0|3212.75] "V" X
BO_ 2566847742 DD1: 8 X
 SG_ FuelLevel1 : 8|8@1+ (0.4,0) [0|100] "%" X
BO_ 2566805246 AT1T1I1: 8 X
 SG_ Aftertreatment1DefTankLevel : 0|8@1+ (0.4,0) [0|100] "%" X
BA_ "SPN" SG_ 2565866494 AcceleratorPedalPosition1 91;
BA_ "SPN" SG_ 2565866494 EnginePercentLoad 92;
BA_ "SPN" SG_ 2565866750 EngineSpeed 190;
BA_ "SPN" SG_ 2566840574 TotalVehicleDistance 245;
BA_ "SPN" SG_ 2566844158 EngineCoolantTemperature 110;
BA_ "SPN" SG_ 2566844158 EngineOilTemperature1 175;
BA_ "SPN" SG_ 2566844414 EngineOilPressure 100;
BA_ "SPN" SG_ 2566844926 ParkingBrakeSwitch 70;
BA_ "SPN" SG_ 2566844926 WheelBasedVehicleSpeed 84;
BA_ "SPN" SG_ 2566845182 EngineFuelRate 183;
BA_ "SPN" SG_ 2566845950 BarometricPressure 108;
BA_ "SPN" SG_ 2566845950 AmbientAirTemperature 171;
BA_ "SPN" SG_ 2566846462 BatteryPotential 168;
BA_ "SPN" SG_ 2566846462 KeyswitchBatteryPotential 158;
BA_ "SPN" SG_ 2566847742 FuelLevel1 96;
BA_ "SPN" SG_ 2566805246 Aftertreatment1DefTankLevel 1761;
)";

struct Parameter {
  std::uint32_t spn;
  void (Report::*set)(float);
};
constexpr Parameter kParameters[] = {
    {84, &Report::set_speed_kmh},
    {91, &Report::set_accelerator_pedal_percent},
    {92, &Report::set_engine_load_percent},
    {96, &Report::set_fuel_level_percent},
    {100, &Report::set_oil_pressure_kpa},
    {108, &Report::set_barometric_pressure_kpa},
    {110, &Report::set_coolant_temperature_c},
    {158, &Report::set_control_module_v},
    {168, &Report::set_low_voltage_battery_v},
    {171, &Report::set_ambient_temperature_c},
    {175, &Report::set_oil_temperature_c},
    {183, &Report::set_fuel_rate_lph},
    {190, &Report::set_engine_speed_rpm},
    {1761, &Report::set_exhaust_fluid_level_percent},
};
constexpr std::uint32_t kParkingBrake = 70;
constexpr std::uint32_t kTotalDistance = 245;
constexpr std::uint8_t kEngine = 0;  // source address

// The top of each range says "error" or "not available".
bool IsAvailable(const DbcSignal& signal, std::uint64_t raw) {
  if (signal.bits == 2) return raw < 2;
  if (signal.bits < 8 || signal.bits % 8 != 0) return true;
  return (raw >> (signal.bits - 8)) <= 0xFA;
}

bool Put(const DbcSignal& signal, std::span<const std::uint8_t> data, Report& report) {
  const double value = signal.ValueIn(data).value_or(0);
  if (*signal.spn == kParkingBrake) {
    report.set_is_parking_brake_engaged(value != 0);
    return true;
  }
  if (*signal.spn == kTotalDistance) {
    report.set_odometer_km(value);
    return true;
  }
  for (const Parameter& parameter : kParameters) {
    if (parameter.spn != *signal.spn) continue;
    (report.*parameter.set)(static_cast<float>(value));
    return true;
  }
  return false;
}

// SPN and FMI do not fit the contract's text of a code (SAE J2012): lamp and count alone.
J1939Decoder::Outcome PutDm1(std::span<const std::uint8_t> data, std::uint8_t source,
                             Report& report) {
  const auto dm1 = ReadDm1(data);
  if (!dm1 || source != kEngine) return J1939Decoder::Outcome::kNothing;
  report.set_dtc_count(static_cast<std::uint32_t>(dm1->codes.size()));
  if (dm1->is_mil_on) report.set_is_mil_on(*dm1->is_mil_on);
  return J1939Decoder::Outcome::kValues;
}

}  // namespace

std::optional<Dm1> ReadDm1(std::span<const std::uint8_t> message) {
  if (message.size() < 2) return std::nullopt;
  Dm1 dm1;
  const int lamp = message[0] >> 6;
  if (lamp < 2) dm1.is_mil_on = lamp == 1;
  for (std::size_t at = 2; at + 4 <= message.size(); at += 4) {
    const J1939Code code{.spn = message[at] | (std::uint32_t{message[at + 1]} << 8) |
                                (static_cast<std::uint32_t>(message[at + 2] >> 5) << 16),
                         .fmi = static_cast<std::uint8_t>(message[at + 2] & 0x1F),
                         .occurrences = static_cast<std::uint8_t>(message[at + 3] & 0x7F)};
    // No active code is written as zeros, or as ones in older units.
    const bool is_none = code.spn == 0 || (code.spn == 0x7FFFF && code.fmi == 0x1F);
    if (!is_none) dm1.codes.push_back(code);
  }
  return dm1;
}

J1939Decoder::J1939Decoder(std::optional<Dbc> beside) {
  if (beside) Add(*beside);
  const auto standard = Dbc::Parse(kStandard);
  CHECK(standard.ok());
  Add(*standard);
}

void J1939Decoder::Add(const Dbc& dbc) {
  for (const DbcMessage& message : dbc.messages()) {
    for (const DbcSignal& signal : message.signals) {
      const bool is_new = std::none_of(signals_.begin(), signals_.end(), [&](const Signal& known) {
        return known.signal.spn == signal.spn;
      });
      if (signal.spn && is_new) signals_.push_back({PgnOf(message.id), signal});
    }
  }
}

J1939Decoder::Outcome J1939Decoder::Take(std::uint32_t pgn, std::uint8_t source,
                                         std::span<const std::uint8_t> data, Report& report,
                                         RowCounts& counts) const {
  if (pgn == kDm1) return PutDm1(data, source, report);
  Outcome outcome = Outcome::kUnknown;
  for (const auto& [own, signal] : signals_) {
    if (own != pgn) continue;
    if (outcome == Outcome::kUnknown) outcome = Outcome::kNothing;
    const auto raw = signal.RawIn(data);
    if (!raw) {
      counts.DropValue(ValueDrop::kMalformed);
    } else if (!IsAvailable(signal, *raw)) {
      counts.DropValue(ValueDrop::kSentinel);
    } else if (Put(signal, data, report)) {
      outcome = Outcome::kValues;
    }
  }
  return outcome;
}

}  // namespace telltale::sim
