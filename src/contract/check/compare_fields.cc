// Which field of the earlier version is which of the candidate: rules 1 to 4, 18, 24.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

bool HasSameShape(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now) {
  if (before.type() != now.type() || before.is_repeated() != now.is_repeated()) return false;
  if (before.is_map() || now.is_map()) return before.is_map() && now.is_map();
  if (before.type() == FieldDescriptor::TYPE_GROUP) return true;
  if (before.message_type() != nullptr) {
    return pair.names.NowName(before.message_type()->full_name()) ==
           now.message_type()->full_name();
  }
  return before.enum_type() == nullptr ||
         pair.names.NowName(before.enum_type()->full_name()) == now.enum_type()->full_name();
}

class FieldComparison {
 public:
  FieldComparison(const Pairing& pair, const FieldSets& sets) : pair_(pair), sets_(sets) {}

  void Run() {
    FindSwaps();
    for (const FieldDescriptor* field : sets_.before.all()) Judge(*field);
    if (sets_.before_owner != nullptr) JudgeReserved(*sets_.before_owner);
  }

 private:
  // The latest version still has this field: what became of it is one step of the candidate.
  bool IsInLatest(const FieldDescriptor& field) const {
    if (sets_.latest == nullptr) return false;
    const FieldDescriptor* latest = sets_.latest->ByNumber(field.number());
    return latest != nullptr && FieldSet::NameOf(*latest) == FieldSet::NameOf(field);
  }

  // Of the old field, and of those of the candidate that a finding is about.
  Explained About(const FieldDescriptor& before, const FieldDescriptor* now) const {
    Explained explained;
    explained.before.push_back(Old(before.number(), FieldSet::NameOf(before)));
    if (now != nullptr) explained.now.push_back(now->full_name());
    return explained;
  }

  std::string Old(int number, const std::string& name) const {
    const std::string owner =
        sets_.now_owner != nullptr ? sets_.now_owner->full_name() : std::string();
    return fmt::format("{} {} {}", owner, number, name);
  }

  void FindSwaps() {
    std::vector<Renumbering> moved;
    for (const FieldDescriptor* field : sets_.before.all()) {
      const FieldDescriptor* other = sets_.now.ByName(FieldSet::NameOf(*field));
      if (other == nullptr || other->number() == field->number()) continue;
      moved.push_back({field->number(), other->number(), FieldSet::NameOf(*field)});
    }
    for (const auto& circle : FindCircles(moved)) {
      std::vector<std::string> names;
      Explained explained;
      for (const Renumbering& one : circle) {
        swapped_.insert(one.before);
        explained.before.push_back(Old(one.before, one.name));
        explained.now.push_back(sets_.now.ByName(one.name)->full_name());
        names.push_back(fmt::format("{} ({} -> {})", one.name, one.before, one.now));
      }
      const FieldDescriptor& first = *sets_.now.ByName(circle.front().name);
      pair_.findings.AddExplained(
          {Rule::kFieldsSwapped, first.full_name(), pair_.now.PlaceOf(first), "",
           fmt::format("{} changed places: what old cars send as one of them is "
                       "read as another.",
                       fmt::join(names, ", ")),
           "give each its old number back; only the order in the file may change"},
          explained);
    }
  }

  void Judge(const FieldDescriptor& before) {
    if (swapped_.contains(before.number())) return;
    const std::string& name = FieldSet::NameOf(before);
    const FieldDescriptor* at_number = sets_.now.ByNumber(before.number());
    const FieldDescriptor* at_name = sets_.now.ByName(name);
    if (at_number != nullptr && at_number == at_name) return CompareField(pair_, before, *at_name);
    const bool is_number_new =
        at_number != nullptr && sets_.before.ByName(FieldSet::NameOf(*at_number)) == nullptr;
    if (at_name != nullptr) {
      JudgeMoved(before, *at_name);
      if (is_number_new) AddNumberReused(before, *at_number);
    } else if (!is_number_new) {
      AddRemoved(before);
    } else if (IsInLatest(before) && HasSameShape(pair_, before, *at_number)) {
      AddRenamed(before, *at_number);
      CompareField(pair_, before, *at_number);
    } else {
      AddNumberReused(before, *at_number);
    }
  }

  void JudgeMoved(const FieldDescriptor& before, const FieldDescriptor& now) {
    if (!IsInLatest(before)) {
      pair_.findings.AddExplained(
          {Rule::kNameReused, now.full_name(), pair_.now.PlaceOf(now), "",
           fmt::format("{} was field {}: readers and columns that go by name mix the two.",
                       before.name(), before.number()),
           "choose a name that was never used"},
          About(before, &now));
      return;
    }
    pair_.findings.AddExplained(
        {Rule::kFieldRenumbered, now.full_name(), pair_.now.PlaceOf(now), "",
         fmt::format("Old cars go on sending it as {}, which nothing reads any more; readers look "
                     "at {}, which they never send.",
                     before.number(), now.number()),
         fmt::format("give it number {} back; to replace it, {}", before.number(),
                     pair_.AddBeside(now))},
        About(before, &now));
    CompareField(pair_, before, now);
  }

  void AddRemoved(const FieldDescriptor& before) {
    const bool is_extension = before.is_extension();
    Place place = pair_.before.PlaceOf(before);
    if (place.line == 0 && sets_.now_owner != nullptr) {
      place = pair_.now.PlaceOf(*sets_.now_owner);
    }
    pair_.findings.AddExplained(
        {is_extension ? Rule::kExtensionRemoved : Rule::kFieldRemoved, before.full_name(), place,
         "",
         fmt::format("Old cars go on sending number {}: it counts as unknown and its column stays "
                     "empty; readers that name it break.",
                     before.number()),
         "keep it, with number, name and type; [deprecated = true] tells that new cars do not "
         "send it"},
        About(before, nullptr), std::to_string(before.number()));
  }

  void AddRenamed(const FieldDescriptor& before, const FieldDescriptor& now) {
    const bool is_placeholder = IsPlaceholder(now.name()) && !IsPlaceholder(before.name());
    const std::string advice = fmt::format("name it {} again", before.name());
    if (is_placeholder) {
      pair_.findings.AddExplained(
          {Rule::kFieldPlaceholder, now.full_name(), pair_.now.PlaceOf(now), "",
           fmt::format("{} is taken away by its name alone: old cars still send "
                       "number {}, and readers that name it break.",
                       before.name(), before.number()),
           advice + "; [deprecated = true] tells that new cars do not send it"},
          About(before, &now));
      return;
    }
    pair_.findings.AddExplained(
        {Rule::kFieldRenamed, now.full_name(), pair_.now.PlaceOf(now), "",
         fmt::format("Readers, rules, columns and JSON that say {} find nothing.", before.name()),
         fmt::format("{}; to replace it, {}", advice, pair_.AddBeside(now))},
        About(before, &now));
  }

  void AddNumberReused(const FieldDescriptor& before, const FieldDescriptor& now) {
    pair_.findings.AddExplained(
        {Rule::kNumberReused, now.full_name(), pair_.now.PlaceOf(now), "",
         fmt::format("Number {} was {}: what old cars send, and what is stored, is read as {}.",
                     before.number(), before.name(), now.name()),
         fmt::format("keep {} as it was and {}", before.name(), pair_.AddBeside(now))},
        About(before, &now));
  }

  // Reserved says: never again.
  void JudgeReserved(const Descriptor& owner) {
    const IntervalSet reserved = ReservedNumbers(owner);
    std::set<std::string> names;
    for (int i = 0; i < owner.reserved_name_count(); ++i) names.insert(owner.reserved_name(i));
    if (reserved.empty() && names.empty()) return;
    for (const FieldDescriptor* field : sets_.now.all()) {
      const bool was_field = sets_.before.ByNumber(field->number()) != nullptr ||
                             sets_.before.ByName(FieldSet::NameOf(*field)) != nullptr;
      if (was_field) continue;
      if (reserved.Contains(field->number())) {
        pair_.findings.Add(
            {Rule::kNumberReused, field->full_name(), pair_.now.PlaceOf(*field), "",
             fmt::format("Number {} was reserved: some car may still send what it once was.",
                         field->number()),
             fmt::format("leave it reserved and {}", pair_.AddBeside(*field))});
      } else if (names.contains(field->name())) {
        pair_.findings.Add({Rule::kNameReused, field->full_name(), pair_.now.PlaceOf(*field), "",
                            fmt::format("The name {} was reserved: readers and columns that go by "
                                        "name mix the two.",
                                        field->name()),
                            "leave it reserved and choose a name that was never used"});
      }
    }
  }

  const Pairing& pair_;
  const FieldSets& sets_;
  std::set<int> swapped_;
};

}  // namespace

std::string Pairing::AddBeside(const FieldDescriptor& now_field, const std::string& with) const {
  const Descriptor* owner = now_field.is_extension() ? nullptr : now_field.containing_type();
  if (owner == nullptr || now.FindMessage(owner->full_name()) == nullptr) {
    return "add a new one beside it";
  }
  const bool uses_options = UsesOptions(owner);
  const int next = history.NextFree(*owner, now, now_field.number(), uses_options);
  if (next == 0) return "add a new message: no number is free here";
  return fmt::format("add field {}{} beside it{}", next, with.empty() ? "" : " with " + with,
                     uses_options ? ", same column" : "");
}

bool IsPlaceholder(std::string_view name) {
  constexpr std::array<std::string_view, 9> kWords = {"reserved", "unused",      "deprecated",
                                                      "removed",  "obsolete",    "dummy",
                                                      "gone",     "placeholder", "tombstone"};
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
    const std::size_t at = folded.find(word);
    if (at == std::string::npos) return false;
    const std::size_t end = at + word.size();
    const bool starts = at == 0 || folded[at - 1] == '_';
    return starts && (end == folded.size() || folded[end] == '_' ||
                      (folded[end] >= '0' && folded[end] <= '9'));
  });
}

std::vector<std::vector<Renumbering>> FindCircles(const std::vector<Renumbering>& moved) {
  std::map<int, const Renumbering*> by_number;
  for (const Renumbering& one : moved) by_number.emplace(one.before, &one);
  std::vector<std::vector<Renumbering>> circles;
  std::set<int> seen;
  for (const Renumbering& start : moved) {
    std::vector<Renumbering> path;
    int at = start.before;
    while (seen.insert(at).second) {
      const auto step = by_number.find(at);
      if (step == by_number.end()) break;
      path.push_back(*step->second);
      at = step->second->now;
    }
    // A path that ran into itself, and not into one that was walked before.
    const auto begin = std::find_if(path.begin(), path.end(),
                                    [at](const Renumbering& one) { return one.before == at; });
    if (begin != path.end()) circles.emplace_back(begin, path.end());
  }
  return circles;
}

void CompareFieldSets(const Pairing& pair, const FieldSets& sets) {
  FieldComparison(pair, sets).Run();
}

}  // namespace telltale::contract::check
