// For tests with random input only: `make test` runs a fixed round of seeds, `make shows` more of
// them and others (TELLTALE_ROUNDS, TELLTALE_SEED).
#pragma once

#include <cstdint>
#include <cstdlib>

namespace telltale {

inline std::uint64_t NumberFromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread runs tests
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Times the usual number of seeds, from FirstSeed() on.
inline std::uint64_t TestRounds() { return NumberFromEnvironment("TELLTALE_ROUNDS", 1); }
inline std::uint64_t FirstSeed() { return NumberFromEnvironment("TELLTALE_SEED", 1); }
inline std::uint64_t LastSeed(std::uint64_t usual) {
  return FirstSeed() + usual * TestRounds() - 1;
}

}  // namespace telltale
