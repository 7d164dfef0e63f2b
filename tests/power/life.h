// One seed: several lives of an installation, each ended by a power cut at a random call to the
// disk; then a quiet end in which everything is drained and checked.
#pragma once

#include <cstdint>
#include <string>

namespace telltale::power {

struct Outcome {
  std::string problem;  // empty: every promise held
  std::uint64_t cuts = 0;
  std::uint64_t acked = 0;
  std::uint64_t alerts = 0;
  std::uint64_t audited = 0;
  std::uint64_t vehicles_answered = 0;  // imports and resolves of the registry
  std::uint64_t resent = 0;             // batches sent again after a cut
};

Outcome RunSeed(std::uint64_t seed);

}  // namespace telltale::power
