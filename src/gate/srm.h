// Whether the arms of a lot have the sizes that were asked for (sample ratio mismatch).
//
// E = [ prod B-integral of a flat Dirichlet ] / prod p_i^k_i, the multinomial e-process of Lindon
// and Malek (2022): at all looks together, P(E reaches 1/alpha) <= alpha if the shares are p.
#pragma once

#include <cstdint>
#include <span>

namespace telltale::gate {

struct Arm {
  std::int64_t vehicles = 0;
  double share = 0;  // expected, above 0; all sum to 1
};
double LogBalanceE(std::span<const Arm> arms);

// Two arms of one half: E = 2^n / ((n + 1) C(n, k)). 8, 11 and 14 votes one way reach 20, 100,
// 1000.
double LogVotes(std::int64_t n, std::int64_t k);

}  // namespace telltale::gate
