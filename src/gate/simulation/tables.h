// All cases, many seeds each, and what came of them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

namespace telltale::gate::simulation {

struct Extent {
  std::uint64_t seed = 1;
  int null_runs = 1000;  // of each case in which nothing is wrong
  int power_runs = 200;  // of each in which something is
  int vehicles_max = 20000;
  int threads = 2;
};
inline constexpr Extent kShort = {.null_runs = 60, .power_runs = 10, .vehicles_max = 1000};

// {"format", "seed", "false_halts", "power", "latency", "rates", "lots", "updates", "detectable"}:
// lists of rows.
nlohmann::ordered_json Tables(const Extent& extent);

}  // namespace telltale::gate::simulation
