// telltale-gate-simulation [--short] [--seed N]: the tables of docs/gate.md as JSON.
#include <charconv>
#include <iostream>
#include <string_view>

#include "gate/simulation/tables.h"

int main(int argc, char** argv) {
  telltale::gate::simulation::Extent extent;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--short") {
      const auto seed = extent.seed;
      extent = telltale::gate::simulation::kShort;
      extent.seed = seed;
    } else if (flag == "--seed" && i + 1 < argc) {
      const std::string_view text = argv[++i];
      const auto read = std::from_chars(text.data(), text.data() + text.size(), extent.seed);
      if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
        std::cerr << "--seed is a whole number\n";
        return 2;
      }
    } else {
      std::cerr << "usage: telltale-gate-simulation [--short] [--seed N]\n";
      return 2;
    }
  }
  std::cout << telltale::gate::simulation::Tables(extent).dump(1) << "\n";
  return 0;
}
