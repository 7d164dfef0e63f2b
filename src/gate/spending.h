// Boundaries for a statistic that is looked at a few planned times (Lan, DeMets 1983).
#pragma once

#include <span>
#include <vector>

namespace telltale::gate {

// Pocock-like spends early: for halting. O'Brien-Fleming-like spends late: for declaring safe.
enum class Spending { kPocock, kOBrienFleming };

// Of one-sided `alpha`, what is spent up to the share `t` of the information, in (0, 1].
double Spent(Spending spending, double alpha, double t);

// z at each of `planned` (rising, at most 1), so that P(Z reaches any of the first i) = Spent(t_i)
// under no effect. By numerical integration over independent increments.
std::vector<double> Boundaries(Spending spending, double alpha, std::span<const double> planned);

}  // namespace telltale::gate
