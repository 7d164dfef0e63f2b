#include "control/strata.h"

#include <array>
#include <map>
#include <set>
#include <string>

namespace telltale::control {
namespace {

using nlohmann::json;

struct Count {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::uint64_t never = 0;
};

std::string VehicleTextOf(const json& vehicle, const char* name) {
  const auto found = vehicle.find(name);
  if (found == vehicle.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

}  // namespace

Result<json> StrataOf(const json& vehicles, const Cohort& order) {
  const std::uint32_t lots = LotsOfShare(order.per_10000);
  std::map<std::pair<std::string, std::string>, Count> strata;
  std::set<std::string> known;  // by what there is a value of
  Count all;
  for (const json& vehicle : vehicles) {
    if (!vehicle.is_object()) return Error{Code::kInvalid, "a vehicle must be a JSON object"};
    ASSIGN_OR_RETURN(const VehicleRef ref,
                     VehicleRef::FromHex(VehicleTextOf(vehicle, "vehicle_ref")));
    const std::uint32_t lot = LotOf(order, ref);
    const bool is_in = lot < lots;
    const auto note = [&](Count& count) {
      ++(is_in ? count.in : count.out);
      if (lot == kLots - 1) ++count.never;
    };
    note(all);
    for (const char* by : {"model", "vehicle_class", "firmware"}) {
      const std::string value = VehicleTextOf(vehicle, by);
      if (!value.empty()) known.insert(by);
      note(strata[{by, value}]);
    }
  }
  std::erase_if(strata, [&](const auto& one) { return !known.contains(one.first.first); });
  json answer = {{"vehicles", {{"in", all.in}, {"out", all.out}}},
                 {"strata", json::array()},
                 {"never_covered", json::array()}};
  for (const auto& [stratum, count] : strata) {
    answer["strata"].push_back(
        {{"by", stratum.first}, {"value", stratum.second}, {"in", count.in}, {"out", count.out}});
    if (count.never == count.in + count.out) {
      answer["never_covered"].push_back({{"by", stratum.first}, {"value", stratum.second}});
    }
  }
  return answer;
}

}  // namespace telltale::control
