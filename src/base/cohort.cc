#include "base/cohort.h"

#include <algorithm>

#include "base/checksum.h"

namespace telltale {
namespace {

constexpr std::uint32_t kDraws = 10'000;

bool Lists(const std::vector<VehicleRef>& list, const VehicleRef& vehicle) {
  return std::find(list.begin(), list.end(), vehicle) != list.end();
}

}  // namespace

std::uint32_t DrawOf(std::string_view salt, const VehicleRef& vehicle) {
  std::string bytes(salt);
  bytes.push_back('\0');
  bytes.append(AsText(vehicle.bytes));
  return static_cast<std::uint32_t>(ContentHash(AsBytes(bytes)) % kDraws);
}

bool Cohort::Contains(const VehicleRef& vehicle) const {
  if (Lists(never, vehicle)) return false;
  return DrawOf(salt, vehicle) < per_10000 || Lists(always, vehicle);
}

std::uint32_t LotOf(const Cohort& order, const VehicleRef& vehicle) {
  if (Lists(order.never, vehicle)) return kLots - 1;
  if (Lists(order.always, vehicle)) return 0;
  return 1 + DrawOf(order.salt, vehicle);
}

}  // namespace telltale
