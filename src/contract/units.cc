#include "contract/units.h"

#include <array>
#include <cmath>

namespace telltale::contract {
namespace {

enum class Kind {
  kLength,
  kSpeed,
  kTemperature,
  kPressure,
  kVoltage,
  kCurrent,
  kTime,
  kShare,
  kVolume,
  kMass,
  kFrequency,
  kPower,
  kEnergy,
  kAngle,
  kAcceleration,
};

// In the first unit of its kind: x * scale + offset.
struct Unit {
  std::string_view name;
  Kind kind;
  double scale;
  double offset;
};

constexpr double kMile = 1609.344;            // m
constexpr double kPoundPerInch2 = 6894.757;   // Pa
constexpr double kGallonUs = 3.785411784;     // L
constexpr double kPound = 0.45359237;         // kg
constexpr double kStandardGravity = 9.80665;  // m/s2
constexpr double kPi = 3.14159265358979323846;

constexpr std::array kUnits = {
    Unit{"m", Kind::kLength, 1, 0},
    Unit{"km", Kind::kLength, 1000, 0},
    Unit{"cm", Kind::kLength, 0.01, 0},
    Unit{"mm", Kind::kLength, 0.001, 0},
    Unit{"[mi_i]", Kind::kLength, kMile, 0},
    Unit{"[ft_i]", Kind::kLength, 0.3048, 0},
    Unit{"m/s", Kind::kSpeed, 1, 0},
    Unit{"km/h", Kind::kSpeed, 1 / 3.6, 0},
    Unit{"[mi_i]/h", Kind::kSpeed, kMile / 3600, 0},
    Unit{"Cel", Kind::kTemperature, 1, 0},
    Unit{"K", Kind::kTemperature, 1, -273.15},
    Unit{"[degF]", Kind::kTemperature, 5.0 / 9, -160.0 / 9},
    Unit{"Pa", Kind::kPressure, 1, 0},
    Unit{"hPa", Kind::kPressure, 100, 0},
    Unit{"mbar", Kind::kPressure, 100, 0},
    Unit{"kPa", Kind::kPressure, 1000, 0},
    Unit{"bar", Kind::kPressure, 100'000, 0},
    Unit{"[psi]", Kind::kPressure, kPoundPerInch2, 0},
    Unit{"V", Kind::kVoltage, 1, 0},
    Unit{"mV", Kind::kVoltage, 0.001, 0},
    Unit{"A", Kind::kCurrent, 1, 0},
    Unit{"mA", Kind::kCurrent, 0.001, 0},
    Unit{"s", Kind::kTime, 1, 0},
    Unit{"ms", Kind::kTime, 0.001, 0},
    Unit{"us", Kind::kTime, 1e-6, 0},
    Unit{"min", Kind::kTime, 60, 0},
    Unit{"h", Kind::kTime, 3600, 0},
    Unit{"d", Kind::kTime, 86'400, 0},
    Unit{"1", Kind::kShare, 1, 0},
    Unit{"%", Kind::kShare, 0.01, 0},
    Unit{"L", Kind::kVolume, 1, 0},
    Unit{"mL", Kind::kVolume, 0.001, 0},
    Unit{"[gal_us]", Kind::kVolume, kGallonUs, 0},
    Unit{"kg", Kind::kMass, 1, 0},
    Unit{"g", Kind::kMass, 0.001, 0},
    Unit{"t", Kind::kMass, 1000, 0},
    Unit{"[lb_av]", Kind::kMass, kPound, 0},
    Unit{"Hz", Kind::kFrequency, 1, 0},
    Unit{"/s", Kind::kFrequency, 1, 0},
    Unit{"/min", Kind::kFrequency, 1.0 / 60, 0},
    Unit{"W", Kind::kPower, 1, 0},
    Unit{"kW", Kind::kPower, 1000, 0},
    Unit{"J", Kind::kEnergy, 1, 0},
    Unit{"kW.h", Kind::kEnergy, 3'600'000, 0},
    Unit{"W.h", Kind::kEnergy, 3600, 0},
    Unit{"deg", Kind::kAngle, 1, 0},
    Unit{"rad", Kind::kAngle, 180 / kPi, 0},
    Unit{"m/s2", Kind::kAcceleration, 1, 0},
    Unit{"[g]", Kind::kAcceleration, kStandardGravity, 0},
};

const Unit* Find(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

bool IsNear(double given, double right) {
  constexpr double kTolerance = 1e-6;
  return std::abs(given - right) <= kTolerance * std::max(1e-3, std::abs(right));
}

}  // namespace

std::optional<Linear> ConversionOf(std::string_view from, std::string_view to) {
  const Unit* a = Find(from);
  const Unit* b = Find(to);
  if (a == nullptr || b == nullptr || a->kind != b->kind) return std::nullopt;
  return Linear{a->scale / b->scale, (a->offset - b->offset) / b->scale};
}

bool IsNear(const Linear& given, const Linear& right) {
  // A scale far below 1 (us to d) is compared by its own size.
  const bool is_scale_near = std::abs(given.scale / right.scale - 1) <= 1e-6;
  return is_scale_near && IsNear(given.offset, right.offset);
}

}  // namespace telltale::contract
