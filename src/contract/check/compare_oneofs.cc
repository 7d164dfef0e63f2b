// Rules 11 and 12. Synthetic oneofs of proto3 `optional` are no oneofs.
#include <map>
#include <set>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

std::string NameOf(const OneofDescriptor* oneof) { return oneof == nullptr ? "" : oneof->name(); }

std::set<std::string> NamesIn(const Descriptor& message) {
  std::set<std::string> names;
  for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
    names.insert(message.oneof_decl(i)->name());
  }
  return names;
}

class OneofComparison {
 public:
  OneofComparison(const Pairing& pair, const Descriptor& before, const Descriptor& now)
      : pair_(pair), before_(before), now_(now), was_(NamesIn(before)), is_(NamesIn(now)) {}

  void Run() {
    if (was_.empty() && is_.empty()) return;
    for (int i = 0; i < before_.field_count(); ++i) {
      const FieldDescriptor& field = *before_.field(i);
      const FieldDescriptor* other = now_.FindFieldByNumber(field.number());
      if (other == nullptr || other->name() != field.name()) continue;
      members_[NameOf(field.real_containing_oneof())].push_back(other);
    }
    for (int i = 0; i < before_.real_oneof_decl_count(); ++i) {
      if (!is_.contains(before_.oneof_decl(i)->name())) JudgeGone(*before_.oneof_decl(i));
    }
    for (const auto& [was_in, fields] : members_) {
      for (const FieldDescriptor* field : fields) JudgeMember(was_in, *field);
    }
  }

 private:
  void JudgeGone(const OneofDescriptor& oneof) {
    const auto found = members_.find(oneof.name());
    if (found == members_.end()) return;  // gone with its members: each of them is told
    std::set<std::string> targets;
    for (const FieldDescriptor* field : found->second) {
      targets.insert(NameOf(field->real_containing_oneof()));
    }
    const std::string& target = *targets.begin();
    const FieldDescriptor& first = *found->second.front();
    if (targets.size() == 1 && !target.empty() && !was_.contains(target)) {
      renamed_.insert(oneof.name());
      pair_.findings.Add({Rule::kOneofRenamed, now_.full_name() + "." + oneof.name(),
                          pair_.now.PlaceOf(*first.real_containing_oneof()), "",
                          fmt::format("Readers that ask for {} no longer compile.", oneof.name()),
                          fmt::format("name it {} again", oneof.name())});
      return;
    }
    removed_.insert(oneof.name());
    pair_.findings.Add({Rule::kOneofRemoved, now_.full_name() + "." + oneof.name(),
                        pair_.now.PlaceOf(first), "",
                        "Its members no longer exclude each other: readers that ask which one is "
                        "set break.",
                        fmt::format("keep `oneof {}` around its members", oneof.name())});
  }

  void JudgeMember(const std::string& was_in, const FieldDescriptor& field) {
    const std::string is_in = NameOf(field.real_containing_oneof());
    if (was_in == is_in || renamed_.contains(was_in)) return;
    if (is_in.empty() && removed_.contains(was_in)) return;
    const auto named = [](const std::string& name) {
      return name.empty() ? std::string("no oneof") : "oneof " + name;
    };
    pair_.findings.Add(
        {Rule::kOneofMoved, field.full_name(), pair_.now.PlaceOf(field), "",
         fmt::format("It was in {} and is in {}: {}.", named(was_in), named(is_in),
                     is_in.empty() ? "old readers drop it, or what it came with"
                                   : "where an old car sends it with another member, one of the "
                                     "two is lost"),
         fmt::format("leave it in {} and {}", named(was_in), pair_.AddBeside(field))});
  }

  const Pairing& pair_;
  const Descriptor& before_;
  const Descriptor& now_;
  const std::set<std::string> was_;
  const std::set<std::string> is_;
  std::map<std::string, std::vector<const FieldDescriptor*>> members_;  // by the old oneof
  std::set<std::string> renamed_;
  std::set<std::string> removed_;
};

}  // namespace

void CompareOneofs(const Pairing& pair, const Descriptor& before, const Descriptor& now) {
  OneofComparison(pair, before, now).Run();
}

}  // namespace telltale::contract::check
