// A release's rules, checked against the contract and ready to run. The file: docs/rules.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace telltale::contract {
class Contract;
}

namespace telltale::safety {

inline constexpr std::size_t kRulesFileBytesMax = 64u << 10;
inline constexpr std::size_t kRulesMax = 32;
inline constexpr std::size_t kFieldsPerRuleMax = 8;
inline constexpr std::size_t kSlotsMax = 64;  // distinct fields of all rules; presence is one word

// Numbers of telltale.internal.v1.Severity.
enum class Severity : std::uint8_t { kLow = 1, kMedium = 2, kHigh = 3, kCritical = 4 };

// How a field lies on the wire.
enum class WireForm : std::uint8_t { kFloat, kDouble, kFixed64, kBool, kUnsigned, kSigned };

// One contract field that somebody wants to see.
struct Slot {
  std::uint32_t number = 0;
  WireForm form = WireForm::kFloat;
  double min = 0;  // both ends legal; outside counts as absent
  double max = 0;
};

// These four come first in RuleSet::slots, with number 0 when the contract has no such field.
inline constexpr std::uint8_t kSlotSpeed = 0;
inline constexpr std::uint8_t kSlotCell = 1;
inline constexpr std::uint8_t kSlotOctant = 2;
inline constexpr std::uint8_t kSlotClass = 3;
inline constexpr std::uint8_t kSlotsFixed = 4;

// The measure of a report: value, negative value or absolute value, the largest of the fields.
enum class Direction : std::uint8_t { kAbove, kBelow, kMagnitude };

struct SeverityStep {
  double from = 0;  // measure, in the fields' unit
  Severity severity = Severity::kLow;
};

// An edge rule is a threshold between false (0) and true (1) without a peak.
struct Rule {
  std::string name;
  bool has_peak = true;             // threshold rules
  std::vector<std::uint8_t> slots;  // into RuleSet::slots
  Direction direction = Direction::kAbove;
  double enter = 0;          // the measure reaches the level at or over this (rounding allowed for)
  double leave = 0;          // the episode ends under this
  Micros hold;               // event time
  Micros gap;                // event time
  double minimum_speed = 0;  // in the unit of speed_kmh; 0 = none
  std::vector<SeverityStep> severity;  // rising, not empty
  std::string unit;                    // UCUM, of the peak
};

struct RuleSet {
  std::vector<Rule> rules;
  std::vector<Slot> slots;
};

// Error messages start with "line N:".
//   kInvalid  not YAML, an unknown or missing key, a value out of bounds, a unit that does not fit
//   kNotFound a field that the contract does not have
//   kTooBig   the file, or more rules or fields than the limits
//   kUnsupported  a newer version of the file
Result<RuleSet> LoadRules(std::string_view yaml, const contract::Contract& contract);

}  // namespace telltale::safety
