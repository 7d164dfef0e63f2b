// The closed list of what the check can find. Numbers are those of the reference of additive rules;
// docs/contract-check.md explains each with an example, and a test compares the two. Any thread.
#pragma once

#include <span>
#include <string_view>

namespace telltale::contract::check {

enum class Verdict {
  kReject,  // the candidate does not get in
  kWarn,    // it gets in; somebody should look
  kNote,    // worth knowing
};

enum class Rule {
  kFieldRemoved,
  kFieldRenumbered,
  kFieldRenamed,
  kFieldPlaceholder,
  kFieldsSwapped,
  kEnumValuesSwapped,
  kTypeChanged,
  kKindChanged,
  kNamedTypeChanged,
  kCardinalityChanged,
  kPresenceChanged,
  kRequiredChanged,
  kRequiredAdded,
  kOneofMoved,
  kOneofRenamed,
  kOneofRemoved,
  kOneofMemberAdded,
  kEnumValueRemoved,
  kEnumValueRenamed,
  kEnumValueRenumbered,
  kEnumValuePlaceholder,
  kEnumAliasRemoved,
  kEnumOpennessChanged,
  kEnumZeroChanged,
  kReservedNumberRemoved,
  kReservedNameRemoved,
  kNumberReused,
  kNameReused,
  kMessageRemoved,
  kEnumRemoved,
  kTypeMoved,
  kPackageChanged,
  kFileChanged,
  kJsonNameChanged,
  kDefaultChanged,
  kExtensionRangeRemoved,
  kExtensionRemoved,
  kEncodingChanged,
  kUtf8Changed,
  kPresenceMissing,
  kNumberBelowHighest,
  kNumberOutsideBlock,
  kUnitChanged,
  kRangeChanged,
  kScaleChanged,
  kMapChanged,
  kSourceChanged,
  kColumnChanged,
  kPatternChanged,
  kValuesRemoved,
  kDerivedChanged,
  kSafetyRemoved,
  kClassMissing,
  kOpenUnapproved,
  kOpenWidened,
  kOpenTextUnbounded,
  kOpenTextByCode,
  kOpenBytes,
  kClassLowered,
  kClassRaised,
  kApproved,
  kColumnCollision,
  kColumnReserved,
  kColumnNotNullable,
  kColumnRetyped,
  kServiceRemoved,
  kRpcRemoved,
  kRpcChanged,
};

struct RuleText {
  Rule rule;
  int number;
  std::string_view id;  // "field-removed"
  Verdict verdict;
};

const RuleText& TextOf(Rule rule);
std::span<const RuleText> AllRules();           // in the order of the enum
std::string_view VerdictName(Verdict verdict);  // "REJECT", "WARN", "NOTE"

}  // namespace telltale::contract::check
