// Rules 4, 14 to 16 and 18 for the values of an enum.
#include <map>
#include <set>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

class EnumComparison {
 public:
  EnumComparison(const Pairing& pair, const EnumDescriptor& before, const EnumDescriptor& now)
      : pair_(pair), before_(before), now_(now) {
    latest_ = &pair.latest == &pair.before ? &before : pair.latest.FindEnum(now.full_name());
    if (latest_ == nullptr) latest_ = pair.latest.FindEnum(before.full_name());
    for (int i = 0; i < before.value_count(); ++i) {
      was_[before.value(i)->number()].insert(before.value(i)->name());
    }
    for (int i = 0; i < now.value_count(); ++i) {
      is_[now.value(i)->number()].push_back(now.value(i));
    }
  }

  void Run() {
    Openness();
    Swaps();
    Default();
    for (int i = 0; i < before_.value_count(); ++i) Judge(*before_.value(i));
    Reserved();
  }

 private:
  std::string NameOf(const std::string& value) const { return now_.full_name() + "." + value; }

  // `was`: the old values that it explains.
  void Add(Rule rule, const std::string& value, Place place, std::string effect, std::string advice,
           const std::vector<const EnumValueDescriptor*>& was) {
    Explained explained;
    for (const EnumValueDescriptor* one : was) {
      explained.before.push_back(
          fmt::format("{} {} {}", now_.full_name(), one->number(), one->name()));
      if (now_.FindValueByName(one->name()) != nullptr)
        explained.now.push_back(NameOf(one->name()));
    }
    if (now_.FindValueByName(value) != nullptr) explained.now.push_back(NameOf(value));
    pair_.findings.AddExplained(
        {rule, NameOf(value), std::move(place), "", std::move(effect), std::move(advice)},
        explained);
  }

  void Openness() {
    const auto is_open = [](const EnumDescriptor& of) {
      return of.file()->syntax() == FileDescriptor::SYNTAX_PROTO3;
    };
    if (is_open(before_) == is_open(now_)) return;
    pair_.findings.Add(
        {Rule::kEnumOpennessChanged, now_.full_name(), pair_.now.PlaceOf(now_), "",
         is_open(now_) ? "Readers kept values that they do not know apart; now they see the number."
                       : "A value that a reader does not know vanishes into its unknown fields.",
         "keep the syntax of the file that declares it"});
  }

  void Swaps() {
    std::vector<Renumbering> moved;
    for (int i = 0; i < before_.value_count(); ++i) {
      const EnumValueDescriptor& value = *before_.value(i);
      const EnumValueDescriptor* other = now_.FindValueByName(value.name());
      if (other == nullptr || other->number() == value.number()) continue;
      moved.push_back({value.number(), other->number(), value.name()});
    }
    for (const auto& circle : FindCircles(moved)) {
      std::vector<std::string> names;
      std::vector<const EnumValueDescriptor*> was;
      for (const Renumbering& step : circle) {
        names.push_back(fmt::format("{} ({} -> {})", step.name, step.before, step.now));
        for (const Renumbering& one : moved) {  // aliases that went along
          if (one.before != step.before || one.now != step.now) continue;
          swapped_.insert(one.name);
          was.push_back(before_.FindValueByName(one.name));
        }
      }
      const EnumValueDescriptor& first = *now_.FindValueByName(circle.front().name);
      Add(Rule::kEnumValuesSwapped, first.name(), pair_.now.PlaceOf(first),
          fmt::format("{} changed places: what old cars send as one of them is read as another.",
                      fmt::join(names, ", ")),
          "give each its old number back; only the order in the file may change", was);
    }
  }

  // What a field that is not set reads as: the first value.
  void Default() {
    const EnumValueDescriptor& was = *before_.value(0);
    const EnumValueDescriptor& is = *now_.value(0);
    const EnumValueDescriptor* kept = now_.FindValueByName(was.name());
    if (swapped_.contains(was.name()) || swapped_.contains(is.name())) return;
    const bool is_other_name =
        kept == nullptr && is.name() != was.name() && was_.at(was.number()).size() == 1;
    if (was.number() == is.number() && !is_other_name) return;
    zero_ = was.name();
    Add(Rule::kEnumZeroChanged, is.name(), pair_.now.PlaceOf(is),
        fmt::format("Where an old car sends nothing, readers took {} ({}) and now take {} ({}).",
                    was.name(), was.number(), is.name(), is.number()),
        fmt::format("keep {} = {} as the first value", was.name(), was.number()), {&was});
  }

  bool IsInLatest(const EnumValueDescriptor& value) const {
    if (latest_ == nullptr) return false;
    const EnumValueDescriptor* other = latest_->FindValueByName(value.name());
    return other != nullptr && other->number() == value.number();
  }

  void Judge(const EnumValueDescriptor& before) {
    if (swapped_.contains(before.name())) return;
    const EnumValueDescriptor* by_name = now_.FindValueByName(before.name());
    if (by_name != nullptr) {
      if (by_name->number() != before.number()) JudgeRenumbered(before, *by_name);
      return;
    }
    if (before.name() == zero_) return;
    const auto now = is_.find(before.number());
    const EnumValueDescriptor* fresh = nullptr;
    for (const EnumValueDescriptor* value : now == is_.end() ? NoValues() : now->second) {
      if (was_.at(before.number()).contains(value->name())) return AddAlias(before, *value);
      if (before_.FindValueByName(value->name()) == nullptr) fresh = value;
    }
    if (fresh == nullptr) return AddRemoved(before);
    if (IsInLatest(before)) return AddRenamed(before, *fresh);
    Add(Rule::kNumberReused, fresh->name(), pair_.now.PlaceOf(*fresh),
        fmt::format("{} was {}: what old cars send is read as {}.", before.number(), before.name(),
                    fresh->name()),
        fmt::format("bring {} back and add {} with a number that was never used", before.name(),
                    fresh->name()),
        {&before});
  }

  static const std::vector<const EnumValueDescriptor*>& NoValues() {
    static const std::vector<const EnumValueDescriptor*> kNone;
    return kNone;
  }

  void JudgeRenumbered(const EnumValueDescriptor& before, const EnumValueDescriptor& now) {
    if (before.name() == zero_) return;
    if (!IsInLatest(before)) {
      Add(Rule::kNameReused, now.name(), pair_.now.PlaceOf(now),
          fmt::format("{} was {}: readers that go by name mix the two.", now.name(),
                      before.number()),
          "choose a name that was never used", {&before});
      return;
    }
    Add(Rule::kEnumValueRenumbered, now.name(), pair_.now.PlaceOf(now),
        fmt::format("Old cars go on sending {}, which is not {} any more.", before.number(),
                    now.name()),
        fmt::format("give it number {} back; a new meaning is a new value", before.number()),
        {&before});
  }

  void AddAlias(const EnumValueDescriptor& before, const EnumValueDescriptor& left) {
    Add(Rule::kEnumAliasRemoved, before.name(), pair_.now.PlaceOf(now_),
        fmt::format("Readers that say {} break, although {} has its number.", before.name(),
                    left.name()),
        fmt::format("keep {} = {} beside it (allow_alias)", before.name(), before.number()),
        {&before});
  }

  void AddRemoved(const EnumValueDescriptor& before) {
    Place place = pair_.before.PlaceOf(before);
    if (place.line == 0) place = pair_.now.PlaceOf(now_);
    Add(Rule::kEnumValueRemoved, before.name(), place,
        fmt::format("Old cars go on sending {}: readers find no name for it.", before.number()),
        "keep it; [deprecated = true] tells that new cars do not send it", {&before});
  }

  void AddRenamed(const EnumValueDescriptor& before, const EnumValueDescriptor& now) {
    const bool is_placeholder = IsPlaceholder(now.name()) && !IsPlaceholder(before.name());
    Add(is_placeholder ? Rule::kEnumValuePlaceholder : Rule::kEnumValueRenamed, now.name(),
        pair_.now.PlaceOf(now),
        is_placeholder
            ? fmt::format("{} is taken away by its name alone: old cars still send {}.",
                          before.name(), before.number())
            : fmt::format("Readers, mappings and JSON that say {} find nothing.", before.name()),
        fmt::format("name it {} again; with allow_alias {} may stand beside it", before.name(),
                    now.name()),
        {&before});
  }

  void Reserved() {
    const IntervalSet numbers = ReservedNumbers(before_);
    std::set<std::string> names;
    for (int i = 0; i < before_.reserved_name_count(); ++i) names.insert(before_.reserved_name(i));
    if (numbers.empty() && names.empty()) return;
    for (int i = 0; i < now_.value_count(); ++i) {
      const EnumValueDescriptor& value = *now_.value(i);
      if (before_.FindValueByName(value.name()) != nullptr) continue;
      if (numbers.Contains(value.number())) {
        Add(Rule::kNumberReused, value.name(), pair_.now.PlaceOf(value),
            fmt::format("Number {} was reserved: some car may still send what it once was.",
                        value.number()),
            "leave it reserved and take a number that was never used", {});
      } else if (names.contains(value.name())) {
        Add(Rule::kNameReused, value.name(), pair_.now.PlaceOf(value),
            fmt::format("The name {} was reserved: readers that go by name mix the two.",
                        value.name()),
            "leave it reserved and choose a name that was never used", {});
      }
    }
  }

  const Pairing& pair_;
  const EnumDescriptor& before_;
  const EnumDescriptor& now_;
  const EnumDescriptor* latest_;
  std::map<int, std::set<std::string>> was_;
  std::map<int, std::vector<const EnumValueDescriptor*>> is_;
  std::set<std::string> swapped_;
  std::string zero_;  // told as the default's change
};

}  // namespace

void CompareEnums(const Pairing& pair, const EnumDescriptor& before, const EnumDescriptor& now) {
  EnumComparison(pair, before, now).Run();
}

}  // namespace telltale::contract::check
