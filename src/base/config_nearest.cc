// What a mistyped name was meant to be.
#include <algorithm>
#include <array>
#include <optional>

#include "base/config_schema.h"

namespace telltale {
namespace {

constexpr std::size_t kNameBytesMax = 64;  // nothing longer is a slip of the fingers

// Letters changed, left out, added, or swapped with their neighbour.
std::size_t Slips(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kNameBytesMax + 1>;
  Row before{}, last{}, row{};
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + other});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

// Keeps the candidate with the fewest slips, if it is close at all.
class Nearest {
 public:
  Nearest(std::string_view given, std::size_t slips_max) : given_(given), fewest_(slips_max + 1) {}
  explicit Nearest(std::string_view given)
      : Nearest(given, std::clamp<std::size_t>(given.size() / 3, 1, 3)) {}

  bool IsBetter(std::string_view candidate) {
    if (given_.size() > kNameBytesMax || candidate.size() > kNameBytesMax) return false;
    const std::size_t slips = Slips(given_, candidate);
    if (slips >= fewest_ || slips >= candidate.size()) return false;
    fewest_ = slips;
    return true;
  }

 private:
  std::string_view given_;
  std::size_t fewest_;
};

const ConfigKey* NearestWithin(std::string_view section, std::string_view name) {
  const ConfigKey* best = nullptr;
  Nearest nearest(name);
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section == section && nearest.IsBetter(key.name)) best = &key;
  }
  return best;
}

// A key of that very name in another section, if only one has it.
const ConfigKey* OnlyKeyNamed(std::string_view name) {
  const ConfigKey* only = nullptr;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name != name) continue;
    if (only != nullptr) return nullptr;
    only = &key;
  }
  return only;
}

}  // namespace

std::string NearestConfigSection(std::string_view name) {
  std::string_view best;
  Nearest nearest(name);
  for (const ConfigKey& key : ConfigKeys()) {
    if (!key.section.empty() && nearest.IsBetter(key.section)) best = key.section;
  }
  return std::string(best);
}

const ConfigKey* NearestConfigKey(std::string_view section, std::string_view name) {
  if (section.empty() || IsConfigSection(section)) {
    const ConfigKey* within = NearestWithin(section, name);
    return within != nullptr ? within : OnlyKeyNamed(name);
  }
  const std::string meant = NearestConfigSection(section);
  const ConfigKey* within = meant.empty() ? nullptr : NearestWithin(meant, name);
  return within != nullptr ? within : OnlyKeyNamed(name);
}

const ConfigKey* NearestConfigVariable(std::string_view variable) {
  const ConfigKey* best = nullptr;
  // All begin alike: only what follows TELLTALE_ tells them apart.
  Nearest nearest(variable, 2);
  for (const ConfigKey& key : ConfigKeys()) {
    if (nearest.IsBetter(key.EnvironmentName())) best = &key;
  }
  return best;
}

}  // namespace telltale
