// What the candidate adds: rules 10, 13, 28, 29, 31 and 33.
#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

class MessageAdditions {
 public:
  MessageAdditions(const Additions& of, const Descriptor& message)
      : of_(of),
        message_(message),
        used_(of.history.Of(message.full_name())),
        uses_options_(of.reach.contains(message.full_name()) && of.now.specs().exists()) {}

  void Run() {
    for (int i = 0; i < message_.field_count(); ++i) {
      const FieldDescriptor& field = *message_.field(i);
      if (IsNew(field)) {
        Presence(field);
        Number(field);
        Oneof(field);
        if (uses_options_) Class(field);
      } else if (uses_options_) {
        Kept(field);
      }
    }
  }

 private:
  bool IsNew(const FieldDescriptor& field) const {
    if (used_ == nullptr) return true;
    return !used_->numbers.Contains(field.number()) && !used_->names.contains(field.name()) &&
           !used_->reserved.Contains(field.number()) &&
           !used_->reserved_names.contains(field.name());
  }

  void Add(Rule rule, const FieldDescriptor& field, std::string effect, std::string advice) {
    of_.findings.Add({rule, field.full_name(), of_.now.PlaceOf(field), "", std::move(effect),
                      std::move(advice)});
  }

  void Presence(const FieldDescriptor& field) {
    if (field.is_required() && used_ != nullptr) {
      Add(Rule::kRequiredAdded, field,
          "No old car sends it: each of its messages is refused whole.", "make it optional");
    } else if (field.is_required() && uses_options_) {
      Add(Rule::kColumnNotNullable, field,
          "Its column cannot be null, and rows of old cars have nothing to put there.",
          "make it optional");
    }
    const bool is_value = !field.is_repeated() && field.message_type() == nullptr;
    if (is_value && !field.has_presence()) {
      Add(Rule::kPresenceMissing, field,
          "Old cars do not send it, and that reads as a zero or an empty text.",
          "write `optional` before it");
    }
  }

  void Number(const FieldDescriptor& field) {
    const NumberRange range =
        RangeOf(field.number(), of_.now.specs().Blocks(message_), uses_options_);
    if (range.is_outside) {
      Add(Rule::kNumberOutsideBlock, field,
          fmt::format("Number {} lies in no block of {}: two teams may come to take it.",
                      field.number(), message_.name()),
          "take a number of a block, or add a block for the subject");
      return;
    }
    if (used_ == nullptr) return;
    const int highest = used_->HighestIn(range.first, range.end);
    if (field.number() > highest) return;
    const int next = of_.history.NextFree(message_, of_.now, field.number(), uses_options_);
    Add(Rule::kNumberBelowHighest, field,
        fmt::format("Number {} is below {}, the highest ever used{}: a branch or a test car may "
                    "have used it.",
                    field.number(), highest, range.block.empty() ? "" : " in block " + range.block),
        fmt::format("take {}", next));
  }

  void Oneof(const FieldDescriptor& field) {
    const OneofDescriptor* oneof = field.real_containing_oneof();
    const Descriptor* latest = of_.latest.FindMessage(message_.full_name());
    if (oneof == nullptr || latest == nullptr) return;
    if (latest->FindOneofByName(oneof->name()) == nullptr) return;
    Add(Rule::kOneofMemberAdded, field,
        fmt::format("Old readers see {} as not set where a new car sends this.", oneof->name()),
        "nothing, if readers can live with that");
  }

  void Class(const FieldDescriptor& field) {
    const FieldSpec& spec = of_.now.SpecOf(field);
    if (spec.privacy == PrivacyClass::kNone) {
      Add(Rule::kClassMissing, field,
          "Nobody said where its values may go: they are sealed, and its column stays empty.",
          "say privacy: OPEN, PRECISE, IDENTITY or LINKING");
      return;
    }
    if (spec.privacy != PrivacyClass::kOpen) return;
    if (field.type() == FieldDescriptor::TYPE_BYTES) return OpenBytes(field);
    if (field.type() == FieldDescriptor::TYPE_STRING && !IsBounded(spec)) {
      Add(Rule::kOpenTextUnbounded, field,
          "Nothing bounds what a car may say in it: a name or a place would stand openly.",
          "list its values or give a pattern, or choose a class that seals it");
    }
    if (std::string who; of_.approvals.Allows(field.full_name(), Change::kOpen, 1, who)) {
      Add(Rule::kApproved, field, "A new OPEN field: approved by " + who + ".", "nothing");
      return;
    }
    Add(Rule::kOpenUnapproved, field,
        "Its values lie openly in the streams and the lake, and that cannot be taken back.",
        "have one privacy approver other than the author approve it: change `open` in "
        "approvals.yaml");
  }

  void OpenBytes(const FieldDescriptor& field) {
    Add(Rule::kOpenBytes, field,
        "Nothing bounds what bytes say: no door loads a contract with OPEN bytes.",
        "choose a class that seals it, or numbers and texts that say what it is");
  }

  // A field that was there before: what is wrong with it is old.
  void Kept(const FieldDescriptor& field) {
    const bool is_bytes = field.type() == FieldDescriptor::TYPE_BYTES;
    if (!is_bytes && field.type() != FieldDescriptor::TYPE_STRING) return;
    const FieldSpec& spec = of_.now.SpecOf(field);
    if (spec.privacy != PrivacyClass::kOpen) return;
    if (is_bytes) return OpenBytes(field);
    if (IsBounded(spec)) return;
    Add(Rule::kOpenTextByCode, field,
        "Anything of 1 to 16 letters, digits, - and _ stands openly in it.",
        "list its values or give a pattern");
  }

  const Additions& of_;
  const Descriptor& message_;
  const UsedNumbers* used_;
  const bool uses_options_;
};

}  // namespace

void CheckNewFields(const Additions& additions) {
  for (const Descriptor* message : additions.now.messages()) {
    MessageAdditions(additions, *message).Run();
  }
}

}  // namespace telltale::contract::check
