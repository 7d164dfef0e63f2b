#include "safety/units.h"

#include <array>

namespace telltale::safety {
namespace {

struct Unit {
  std::string_view text;
  int dimension;
  double factor;  // to the first unit of its dimension
};

constexpr std::array kUnits = {
    Unit{"m/s2", 1, 1.0},
    Unit{"g", 1, 9.80665},
    Unit{"[g]", 1, 9.80665},
    Unit{"m/s", 2, 1.0},
    Unit{"km/h", 2, 1 / 3.6},
    Unit{"mph", 2, 0.44704},
    Unit{"[mi_i]/h", 2, 0.44704},
    Unit{"deg/s", 3, 1.0},
    Unit{"rad/s", 3, 57.29577951308232},
    Unit{"s", 4, 1.0},
    Unit{"ms", 4, 1e-3},
};

const Unit* Find(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (unit.text == text) return &unit;
  }
  return nullptr;
}

}  // namespace

std::optional<double> ConvertUnit(double value, std::string_view from, std::string_view to) {
  if (from == to) return value;
  const Unit* a = Find(from);
  const Unit* b = Find(to);
  if (a == nullptr || b == nullptr || a->dimension != b->dimension) return std::nullopt;
  return a->factor == b->factor ? value : value * a->factor / b->factor;
}

}  // namespace telltale::safety
