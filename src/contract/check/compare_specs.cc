// Our own option of a field that stays: rules 30 and 31.
#include <algorithm>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

std::string RangeText(const FieldSpec& spec) {
  if (!spec.min && !spec.max) return "no range";
  return fmt::format("{} to {}", spec.min ? fmt::format("{}", *spec.min) : "-",
                     spec.max ? fmt::format("{}", *spec.max) : "-");
}

std::string Shown(const std::string& text) { return text.empty() ? "none" : "\"" + text + "\""; }

bool IsSameScale(const Transform& a, const Transform& b) {
  return a.scale == b.scale && a.offset == b.offset;
}

// The first entry of `before` that is gone or has another target; null when none is.
const std::pair<const std::string, std::string>* FirstLost(const Transform& before,
                                                           const Transform& now) {
  for (const auto& entry : before.map) {
    const auto at = now.map.find(entry.first);
    if (at == now.map.end() || at->second != entry.second) return &entry;
  }
  return nullptr;
}

std::string FirstLostSource(const FieldSpec& before, const FieldSpec& now) {
  for (const auto& [field, transform] : before.from) {
    const auto at = now.from.find(field);
    const bool is_kept = at != now.from.end() && IsSameScale(transform, at->second) &&
                         FirstLost(transform, at->second) == nullptr;
    if (!is_kept) return field;
  }
  return "";
}

std::string FirstLostValue(const FieldSpec& before, const FieldSpec& now) {
  for (const std::string& value : before.values) {
    if (std::find(now.values.begin(), now.values.end(), value) == now.values.end()) return value;
  }
  return "";
}

class SpecComparison {
 public:
  SpecComparison(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now)
      : pair_(pair),
        before_(before),
        now_(now),
        was_(pair.before.SpecOf(before)),
        is_(pair.now.SpecOf(now)) {}

  void Run() {
    Meaning();
    ColumnAndSources();
    OpenText();
    if (was_.derived != is_.derived) {
      Add(Rule::kDerivedChanged,
          is_.derived ? "What old cars send in it is sealed as unknown from now on."
                      : "What the platform wrote and what cars send are mixed.",
          pair_.AddBeside(now_));
    }
    if (was_.safety && !is_.safety) {
      Add(Rule::kSafetyRemoved, "It leaves the safety stream: rules that need it see nothing.",
          "keep safety: true");
    }
    // Classes go by the step from the latest version: what was approved once is history.
    if (&pair_.before == &pair_.latest) ClassAndWidening();
  }

 private:
  void Add(Rule rule, std::string effect, std::string advice) {
    pair_.findings.Add({rule, now_.full_name(), pair_.now.PlaceOf(now_), "", std::move(effect),
                        std::move(advice)});
  }

  void Meaning() {
    if (was_.unit != is_.unit) {
      Add(Rule::kUnitChanged,
          fmt::format("Old cars go on sending unit {}: their values are read as {}.",
                      Shown(was_.unit), Shown(is_.unit)),
          "keep it and " + pair_.AddBeside(now_, "unit " + Shown(is_.unit)));
    }
    if (was_.min != is_.min || was_.max != is_.max) {
      Add(Rule::kRangeChanged,
          fmt::format("The range was {} and is {}: the same value of an old car is null on one "
                      "side of the change only.",
                      RangeText(was_), RangeText(is_)),
          "keep it and " + pair_.AddBeside(now_, "the new range"));
    }
    if (!IsSameScale(was_.transform, is_.transform)) {
      Add(Rule::kScaleChanged,
          fmt::format("The column was value * {} + {} and is value * {} + {}: rows before and "
                      "after differ.",
                      was_.transform.scale, was_.transform.offset, is_.transform.scale,
                      is_.transform.offset),
          "keep it and " + pair_.AddBeside(now_, "the new scale"));
    }
    if (const auto* lost = FirstLost(was_.transform, is_.transform)) {
      Add(Rule::kMapChanged,
          fmt::format("{} was mapped to {}: rows before and after differ.", Shown(lost->first),
                      Shown(lost->second)),
          "keep every entry of map; new ones may be added");
    }
  }

  void ColumnAndSources() {
    const std::string& was = ColumnOf(before_, was_);
    const std::string& is = ColumnOf(now_, is_);
    const bool is_of_name = was_.column.empty() && is_.column.empty();
    if (was != is && !is_of_name) {
      Add(Rule::kColumnChanged,
          fmt::format("Its values go into {} instead of {}: queries find half of them.", is, was),
          fmt::format("keep column: \"{}\"", was));
    }
    if (const std::string lost = FirstLostSource(was_, is_); !lost.empty()) {
      Add(Rule::kSourceChanged,
          fmt::format("Cars that only send {} no longer fill the column as before.", lost),
          "keep every entry of from as it is; new ones may be added");
    }
  }

  void OpenText() {
    if (const std::string lost = FirstLostValue(was_, is_); !lost.empty()) {
      Add(Rule::kValuesRemoved,
          fmt::format("Old cars that send {} find it sealed from now on.", Shown(lost)),
          "keep every entry of values; new ones may be added with an approval");
    }
    if (!was_.pattern.empty() && was_.pattern != is_.pattern) {
      Add(Rule::kPatternChanged,
          fmt::format("The pattern was {} and is {}: what old cars send openly may be sealed, or "
                      "the other way round.",
                      Shown(was_.pattern), Shown(is_.pattern)),
          "keep it and " + pair_.AddBeside(now_, "the new pattern"));
    }
  }

  void ClassAndWidening() {
    if (was_.privacy != is_.privacy) return Class();
    const bool is_open_text =
        is_.privacy == PrivacyClass::kOpen && now_.type() == FieldDescriptor::TYPE_STRING;
    const bool has_more =
        std::any_of(is_.values.begin(), is_.values.end(), [&](const std::string& value) {
          return std::find(was_.values.begin(), was_.values.end(), value) == was_.values.end();
        });
    const bool is_wider = has_more || (was_.pattern.empty() && !is_.pattern.empty());
    if (!is_open_text || !is_wider) return;
    if (std::string who; pair_.approvals.Allows(now_.full_name(), Change::kOpen, 1, who)) {
      Add(Rule::kApproved, "More of it is open: approved by " + who + ".", "nothing");
      return;
    }
    Add(Rule::kOpenWidened, "Text that was sealed until now may stand openly.",
        "have one privacy approver other than the author approve it: change `open` in "
        "approvals.yaml");
  }

  void Class() {
    const int was = Protection(was_.privacy);
    const int is = Protection(is_.privacy);
    if (was == is) return;
    const std::string step =
        fmt::format("{} became {}", ClassName(was_.privacy), ClassName(is_.privacy));
    if (is > was) {
      Add(Rule::kClassRaised,
          fmt::format("{}: its column stays empty from now on, and open readers lose it.", step),
          "nothing, if that is meant; what is stored openly stays so until it expires");
      return;
    }
    const bool is_free_text = is_.privacy == PrivacyClass::kOpen &&
                              now_.type() == FieldDescriptor::TYPE_STRING && !IsBounded(is_);
    if (is_free_text) {
      Add(Rule::kOpenTextUnbounded,
          fmt::format("{}, and nothing bounds what a car may say in it.", step),
          "list its values or give a pattern");
    }
    if (std::string who; pair_.approvals.Allows(now_.full_name(), Change::kLower, 2, who)) {
      Add(Rule::kApproved, fmt::format("{}: approved by {}.", step, who), "nothing");
      return;
    }
    Add(Rule::kClassLowered,
        fmt::format("{}: what old cars send in the belief that it is sealed lies less protected.",
                    step),
        fmt::format("keep {}, or have two privacy approvers other than the author approve it: "
                    "change `lower` in approvals.yaml",
                    ClassName(was_.privacy)));
  }

  const Pairing& pair_;
  const FieldDescriptor& before_;
  const FieldDescriptor& now_;
  const FieldSpec& was_;
  const FieldSpec& is_;
};

}  // namespace

const std::string& ColumnOf(const FieldDescriptor& field, const FieldSpec& spec) {
  return spec.column.empty() ? field.name() : spec.column;
}

bool IsBounded(const FieldSpec& spec) { return !spec.values.empty() || !spec.pattern.empty(); }

void CompareSpecs(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now) {
  SpecComparison(pair, before, now).Run();
}

}  // namespace telltale::contract::check
