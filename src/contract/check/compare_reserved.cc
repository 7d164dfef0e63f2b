// Rule 17. Ranges are collapsed before they are subtracted: splitting one is no change.
#include <set>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

template <typename Type>
struct Reservation;

template <>
struct Reservation<Descriptor> {
  static constexpr std::int64_t kEnd = kFieldNumbersEnd;
  static int size(const Descriptor& of) { return of.field_count(); }
  static const FieldDescriptor& at(const Descriptor& of, int i) { return *of.field(i); }
};

template <>
struct Reservation<EnumDescriptor> {
  static constexpr std::int64_t kEnd = std::int64_t{INT32_MAX} + 1;
  static int size(const EnumDescriptor& of) { return of.value_count(); }
  static const EnumValueDescriptor& at(const EnumDescriptor& of, int i) { return *of.value(i); }
};

template <typename Type>
void Compare(const Pairing& pair, const Type& before, const Type& now) {
  using Of = Reservation<Type>;
  if (before.reserved_range_count() == 0 && before.reserved_name_count() == 0) return;
  IntervalSet gone = ReservedNumbers(before);
  gone.Remove(ReservedNumbers(now));
  std::set<std::string> names;
  for (int i = 0; i < before.reserved_name_count(); ++i) names.insert(before.reserved_name(i));
  for (int i = 0; i < now.reserved_name_count(); ++i) names.erase(now.reserved_name(i));
  // What is used again is told as that.
  for (int i = 0; i < Of::size(now); ++i) {
    const std::int64_t number = Of::at(now, i).number();
    gone.Remove(number, number + 1);
    names.erase(Of::at(now, i).name());
  }
  pair.findings.AddRange(
      Rule::kReservedNumberRemoved, now.full_name(), gone, [&](const IntervalSet& rest) {
        const std::string numbers = rest.ToString(Of::kEnd);
        pair.findings.Add({Rule::kReservedNumberRemoved, now.full_name(), pair.now.PlaceOf(now), "",
                           fmt::format("{} may be used again: some car may still send what it "
                                       "once was.",
                                       numbers),
                           fmt::format("put `reserved {};` back", numbers)},
                          numbers);
      });
  for (const std::string& name : names) {
    pair.findings.Add({Rule::kReservedNameRemoved, now.full_name() + "." + name,
                       pair.now.PlaceOf(now), "",
                       fmt::format("{} may be used again: readers and columns that go by name "
                                   "would mix the two.",
                                   name),
                       fmt::format("put `reserved \"{}\";` back", name)});
  }
}

}  // namespace

void CompareReserved(const Pairing& pair, const Descriptor& before, const Descriptor& now) {
  Compare(pair, before, now);
}

void CompareReserved(const Pairing& pair, const EnumDescriptor& before, const EnumDescriptor& now) {
  Compare(pair, before, now);
}

}  // namespace telltale::contract::check
