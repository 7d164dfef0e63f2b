// Types that are gone, moved or in another file, and each pair of types: rules 12, 19 to 21,
// 24, 25.
#include <map>
#include <set>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

class TypeComparison {
 public:
  explicit TypeComparison(const Pairing& pair) : pair_(pair), groups_(GroupTypes(pair.before)) {}

  void Run() {
    TellMoves();
    for (const Descriptor* before : pair_.before.messages()) {
      const Descriptor* now = pair_.now.FindMessage(pair_.names.NowName(before->full_name()));
      if (now != nullptr) {
        Compare(*before, *now);
      } else if (!groups_.contains(before)) {
        TellGone(Rule::kMessageRemoved, *before);
      }
    }
    for (const EnumDescriptor* before : pair_.before.enums()) {
      const EnumDescriptor* now = pair_.now.FindEnum(pair_.names.NowName(before->full_name()));
      if (now == nullptr) {
        TellGone(Rule::kEnumRemoved, *before);
        continue;
      }
      TellFile(before->containing_type() == nullptr, *before, *now);
      CompareEnums(pair_, *before, *now);
      CompareReserved(pair_, *before, *now);
    }
    CompareExtensions();
  }

 private:
  void TellMoves() {
    for (const auto& [before, now] : pair_.names.packages()) {
      pair_.findings.Add(
          {Rule::kPackageChanged, before->package(), pair_.now.PlaceOfPackage(*now), "",
           fmt::format("Every type of {} has another full name, {}: readers that "
                       "go by the name find none of them.",
                       before->name(), now->package()),
           fmt::format("keep `package {};`; new types may go into a new package",
                       before->package())},
          before->name());
    }
    for (const auto& [before, now] : pair_.names.moves()) {
      const Descriptor* message = pair_.now.FindMessage(now);
      const Place place = message != nullptr ? pair_.now.PlaceOf(*message)
                                             : pair_.now.PlaceOf(*pair_.now.FindEnum(now));
      pair_.findings.Add({Rule::kTypeMoved, before, place, "",
                          fmt::format("It is {} now: readers that go by its full name find "
                                      "nothing.",
                                      now),
                          "keep it where it was, under its old name"});
    }
  }

  template <typename Type>
  void TellGone(Rule rule, const Type& before) {
    const Descriptor* parent = before.containing_type();
    if (parent != nullptr) {
      const Descriptor* now_parent =
          pair_.now.FindMessage(pair_.names.NowName(parent->full_name()));
      if (now_parent == nullptr) return;  // gone with it
    }
    Place place = pair_.before.PlaceOf(before);
    const FileDescriptor* file = pair_.now.FindFile(before.file()->name());
    if (place.line == 0 && file != nullptr) place = pair_.now.PlaceIn(*file);
    pair_.findings.Add({rule, before.full_name(), place, "",
                        "Old cars go on sending it: nothing knows how to read it, and readers "
                        "that name it break.",
                        "keep it; [deprecated = true] tells that new cars do not send it"});
  }

  template <typename Type>
  void TellFile(bool is_top, const Type& before, const Type& now) {
    if (!is_top || before.file()->name() == now.file()->name()) return;
    if (before.full_name() != now.full_name()) return;  // told as moved
    pair_.findings.Add({Rule::kFileChanged, before.file()->name(), pair_.now.PlaceOf(now), "",
                        fmt::format("{} is in {} now: sources that include or import the old "
                                    "file no longer compile.",
                                    before.full_name(), now.file()->name()),
                        "leave it in its file, or import the new file publicly from the old one"},
                       now.file()->name());
  }

  void Compare(const Descriptor& before, const Descriptor& now) {
    TellFile(before.containing_type() == nullptr, before, now);
    const Descriptor* latest = LatestOf(before, now);
    CompareFieldSets(
        pair_, {pair_.before.FieldsOf(before), pair_.now.FieldsOf(now),
                latest == nullptr ? nullptr : &pair_.latest.FieldsOf(*latest), &before, &now});
    CompareOneofs(pair_, before, now);
    CompareReserved(pair_, before, now);
    CompareExtensionRanges(pair_, before, now);
    if (before.options().message_set_wire_format() != now.options().message_set_wire_format()) {
      pair_.findings.Add({Rule::kEncodingChanged, now.full_name(), pair_.now.PlaceOf(now), "",
                          "message_set_wire_format changes every byte: what old cars send cannot "
                          "be read.",
                          "keep the option as it was and add a new message"});
    }
  }

  const Descriptor* LatestOf(const Descriptor& before, const Descriptor& now) const {
    if (&pair_.latest == &pair_.before) return &before;
    if (const Descriptor* same = pair_.latest.FindMessage(now.full_name())) return same;
    return pair_.latest.FindMessage(before.full_name());
  }

  void CompareExtensions() {
    static const FieldSet kNone;
    for (const auto& [extendee, fields] : pair_.before.extensions()) {
      const std::string& name = pair_.names.NowName(extendee);
      const auto now = pair_.now.extensions().find(name);
      const auto latest = pair_.latest.extensions().find(extendee);
      const bool has_latest = latest != pair_.latest.extensions().end();
      CompareFieldSets(
          pair_, {fields, now == pair_.now.extensions().end() ? kNone : now->second,
                  has_latest ? &latest->second : nullptr, nullptr, pair_.now.FindMessage(name)});
    }
  }

  const Pairing& pair_;
  const std::unordered_set<const Descriptor*> groups_;
};

}  // namespace

void CompareTypes(const Pairing& pair) { TypeComparison(pair).Run(); }

void CompareExtensionRanges(const Pairing& pair, const Descriptor& before, const Descriptor& now) {
  IntervalSet gone = ExtensionNumbers(before);
  gone.Remove(ExtensionNumbers(now));
  pair.findings.AddRange(
      Rule::kExtensionRangeRemoved, now.full_name(), gone, [&](const IntervalSet& rest) {
        const std::string numbers = rest.ToString(kFieldNumbersEnd);
        pair.findings.Add({Rule::kExtensionRangeRemoved, now.full_name(), pair.now.PlaceOf(now), "",
                           fmt::format("Extensions {} are no longer allowed: what old cars send "
                                       "there counts as unknown.",
                                       numbers),
                           fmt::format("keep `extensions {};`", numbers)},
                          numbers);
      });
}

}  // namespace telltale::contract::check
