#include "contract/check/rules.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace telltale::contract::check {
namespace {

constexpr std::array kTexts = {
    RuleText{Rule::kFieldRemoved, 1, "field-removed", Verdict::kReject},
    RuleText{Rule::kFieldRenumbered, 2, "field-renumbered", Verdict::kReject},
    RuleText{Rule::kFieldRenamed, 3, "field-renamed", Verdict::kReject},
    RuleText{Rule::kFieldPlaceholder, 3, "field-placeholder", Verdict::kReject},
    RuleText{Rule::kFieldsSwapped, 4, "fields-swapped", Verdict::kReject},
    RuleText{Rule::kEnumValuesSwapped, 4, "enum-values-swapped", Verdict::kReject},
    RuleText{Rule::kTypeChanged, 5, "type-changed", Verdict::kReject},
    RuleText{Rule::kKindChanged, 6, "kind-changed", Verdict::kReject},
    RuleText{Rule::kNamedTypeChanged, 7, "named-type-changed", Verdict::kReject},
    RuleText{Rule::kCardinalityChanged, 8, "cardinality-changed", Verdict::kReject},
    RuleText{Rule::kPresenceChanged, 9, "presence-changed", Verdict::kReject},
    RuleText{Rule::kRequiredChanged, 10, "required-changed", Verdict::kReject},
    RuleText{Rule::kRequiredAdded, 10, "required-added", Verdict::kReject},
    RuleText{Rule::kOneofMoved, 11, "oneof-moved", Verdict::kReject},
    RuleText{Rule::kOneofRenamed, 11, "oneof-renamed", Verdict::kReject},
    RuleText{Rule::kOneofRemoved, 12, "oneof-removed", Verdict::kReject},
    RuleText{Rule::kOneofMemberAdded, 13, "oneof-member-added", Verdict::kNote},
    RuleText{Rule::kEnumValueRemoved, 14, "enum-value-removed", Verdict::kReject},
    RuleText{Rule::kEnumValueRenamed, 15, "enum-value-renamed", Verdict::kReject},
    RuleText{Rule::kEnumValueRenumbered, 15, "enum-value-renumbered", Verdict::kReject},
    RuleText{Rule::kEnumValuePlaceholder, 15, "enum-value-placeholder", Verdict::kReject},
    RuleText{Rule::kEnumAliasRemoved, 15, "enum-alias-removed", Verdict::kReject},
    RuleText{Rule::kEnumOpennessChanged, 16, "enum-openness-changed", Verdict::kReject},
    RuleText{Rule::kEnumZeroChanged, 16, "enum-zero-changed", Verdict::kReject},
    RuleText{Rule::kReservedNumberRemoved, 17, "reserved-number-removed", Verdict::kReject},
    RuleText{Rule::kReservedNameRemoved, 17, "reserved-name-removed", Verdict::kReject},
    RuleText{Rule::kNumberReused, 18, "number-reused", Verdict::kReject},
    RuleText{Rule::kNameReused, 18, "name-reused", Verdict::kReject},
    RuleText{Rule::kMessageRemoved, 19, "message-removed", Verdict::kReject},
    RuleText{Rule::kEnumRemoved, 19, "enum-removed", Verdict::kReject},
    RuleText{Rule::kTypeMoved, 20, "type-moved", Verdict::kReject},
    RuleText{Rule::kPackageChanged, 20, "package-changed", Verdict::kReject},
    RuleText{Rule::kFileChanged, 21, "file-changed", Verdict::kWarn},
    RuleText{Rule::kJsonNameChanged, 22, "json-name-changed", Verdict::kWarn},
    RuleText{Rule::kDefaultChanged, 23, "default-changed", Verdict::kReject},
    RuleText{Rule::kExtensionRangeRemoved, 24, "extension-range-removed", Verdict::kReject},
    RuleText{Rule::kExtensionRemoved, 24, "extension-removed", Verdict::kReject},
    RuleText{Rule::kEncodingChanged, 25, "encoding-changed", Verdict::kReject},
    RuleText{Rule::kUtf8Changed, 25, "utf8-changed", Verdict::kWarn},
    RuleText{Rule::kPresenceMissing, 28, "presence-missing", Verdict::kReject},
    RuleText{Rule::kNumberBelowHighest, 29, "number-below-highest", Verdict::kWarn},
    RuleText{Rule::kNumberOutsideBlock, 29, "number-outside-block", Verdict::kWarn},
    RuleText{Rule::kUnitChanged, 30, "unit-changed", Verdict::kReject},
    RuleText{Rule::kRangeChanged, 30, "range-changed", Verdict::kReject},
    RuleText{Rule::kScaleChanged, 30, "scale-changed", Verdict::kReject},
    RuleText{Rule::kMapChanged, 30, "map-changed", Verdict::kReject},
    RuleText{Rule::kSourceChanged, 30, "source-changed", Verdict::kReject},
    RuleText{Rule::kColumnChanged, 30, "column-changed", Verdict::kReject},
    RuleText{Rule::kPatternChanged, 30, "pattern-changed", Verdict::kReject},
    RuleText{Rule::kValuesRemoved, 30, "values-removed", Verdict::kReject},
    RuleText{Rule::kDerivedChanged, 30, "derived-changed", Verdict::kReject},
    RuleText{Rule::kSafetyRemoved, 30, "safety-removed", Verdict::kReject},
    RuleText{Rule::kClassMissing, 31, "class-missing", Verdict::kReject},
    RuleText{Rule::kOpenUnapproved, 31, "open-unapproved", Verdict::kReject},
    RuleText{Rule::kOpenWidened, 31, "open-widened", Verdict::kReject},
    RuleText{Rule::kOpenTextUnbounded, 31, "open-text-unbounded", Verdict::kReject},
    RuleText{Rule::kOpenTextByCode, 31, "open-text-by-code", Verdict::kNote},
    RuleText{Rule::kOpenBytes, 31, "open-bytes", Verdict::kReject},
    RuleText{Rule::kClassLowered, 31, "class-lowered", Verdict::kReject},
    RuleText{Rule::kClassRaised, 31, "class-raised", Verdict::kWarn},
    RuleText{Rule::kApproved, 31, "approved", Verdict::kNote},
    RuleText{Rule::kColumnCollision, 32, "column-collision", Verdict::kReject},
    RuleText{Rule::kColumnReserved, 32, "column-reserved", Verdict::kReject},
    RuleText{Rule::kColumnNotNullable, 33, "column-not-nullable", Verdict::kReject},
    RuleText{Rule::kColumnRetyped, 33, "column-retyped", Verdict::kReject},
    RuleText{Rule::kServiceRemoved, 36, "service-removed", Verdict::kReject},
    RuleText{Rule::kRpcRemoved, 36, "rpc-removed", Verdict::kReject},
    RuleText{Rule::kRpcChanged, 36, "rpc-changed", Verdict::kReject},
};

constexpr bool IsInOrder() {
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    if (kTexts[i].rule != static_cast<Rule>(i)) return false;
  }
  return true;
}
static_assert(IsInOrder());

}  // namespace

const RuleText& TextOf(Rule rule) {
  CHECK(static_cast<std::size_t>(rule) < kTexts.size());
  return kTexts[static_cast<std::size_t>(rule)];
}

std::span<const RuleText> AllRules() { return kTexts; }

std::string_view VerdictName(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kNames = {"REJECT", "WARN", "NOTE"};
  return kNames[static_cast<std::size_t>(verdict)];
}

}  // namespace telltale::contract::check
