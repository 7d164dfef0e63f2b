// Power cuts over many seeds: what was acknowledged is in every stream, file and result, once.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "life.h"

int main(int argc, char** argv) {
  CLI::App app{"Cuts the power of a whole installation on a simulated disk, seed after seed"};
  std::uint64_t first = 1;
  std::uint64_t seeds = 1000;
  bool json = false;
  app.add_option("--first", first, "the first seed")->capture_default_str();
  app.add_option("--seeds", seeds, "how many")->capture_default_str();
  app.add_flag("--json", json, "the sums as JSON on the last line");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);  // a process that meets a failing disk says so each time

  telltale::power::Outcome sums;
  std::uint64_t broken = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto outcome = telltale::power::RunSeed(seed);
    sums.cuts += outcome.cuts;
    sums.acked += outcome.acked;
    sums.alerts += outcome.alerts;
    sums.audited += outcome.audited;
    sums.vehicles_answered += outcome.vehicles_answered;
    sums.resent += outcome.resent;
    if (!outcome.problem.empty()) {
      ++broken;
      fmt::print("seed {}: {}\n", seed, outcome.problem);
    }
    if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\rseed {}  ", seed);
  }
  fmt::print(
      "seeds {} to {}: {} power cuts, {} reports acknowledged, {} alerts, {} audit entries, "
      "{} answers of the registry, {} broken\n",
      first, first + seeds - 1, sums.cuts, sums.acked, sums.alerts, sums.audited,
      sums.vehicles_answered, broken);
  if (json) {
    fmt::print("{}\n", nlohmann::json{{"seeds", seeds},
                                      {"first_seed", first},
                                      {"power_cuts", sums.cuts},
                                      {"acked", sums.acked},
                                      {"alerts", sums.alerts},
                                      {"audit_entries", sums.audited},
                                      {"registry_answers", sums.vehicles_answered},
                                      {"seeds_broken", broken}}
                           .dump());
  }
  return broken == 0 ? 0 : 1;
}
