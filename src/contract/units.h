// Units that measure the same thing, and how one becomes another.
#pragma once

#include <optional>
#include <string_view>

namespace telltale::contract {

// y = x * scale + offset
struct Linear {
  double scale = 1;
  double offset = 0;
};

// From UCUM unit `from` to `to`, case sensitive; nullopt when one of them is not in the table or
// they measure different things. Factors are exact by definition (SI brochure; NIST SP 811, B.8:
// mile, foot, gallon, pound, pound-force per square inch to its 7 figures).
std::optional<Linear> ConversionOf(std::string_view from, std::string_view to);

// True when `given` is what ConversionOf() says, to 1 part in 10^6: people write 0.621371.
bool IsNear(const Linear& given, const Linear& right);

}  // namespace telltale::contract
