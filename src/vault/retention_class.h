// What the vault keeps apart by how long it may live. The numbers are stored: append, never
// renumber.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace telltale::vault {

enum class RetentionClass : std::uint8_t {
  kLegacy = 0,      // format 1: one key an hour for all classes; nothing new is stored so
  kPosition = 1,    // sealed fields of reports
  kQuarantine = 2,  // bytes the door refused
  kRefused = 3,     // envelopes that did not open, still sealed
  kUnknown = 4,     // fields that the contract had no place for
  kExport = 5,      // answers kept for who asked
  kHold = 6,        // held frames; lives until the hold is lifted
};
// Those with a window in the configuration.
inline constexpr std::array kWindowClasses = {RetentionClass::kPosition,
                                              RetentionClass::kQuarantine, RetentionClass::kRefused,
                                              RetentionClass::kUnknown, RetentionClass::kExport};

// As configuration, audit log and reports call it.
constexpr std::string_view NameOf(RetentionClass retention_class) {
  switch (retention_class) {
    case RetentionClass::kLegacy:
      return "legacy";
    case RetentionClass::kPosition:
      return "position";
    case RetentionClass::kQuarantine:
      return "quarantine";
    case RetentionClass::kRefused:
      return "refused";
    case RetentionClass::kUnknown:
      return "unknown";
    case RetentionClass::kExport:
      return "export";
    case RetentionClass::kHold:
      return "hold";
  }
  return "none";
}

}  // namespace telltale::vault
