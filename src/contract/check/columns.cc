// Columns of messages that use our options: rules 32 and 33. Only new fields are told: columns that
// collide already do not become better by refusing what comes after.
#include <algorithm>
#include <array>
#include <map>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

// As docs/contract.md lists them.
constexpr std::array<std::string_view, 19> kPlatformColumns = {
    "vehicle_ref",      "boot_counter", "boot_random", "firmware",  "received_at",
    "log_time",         "release",      "config_seq",  "partition", "authority_epoch",
    "contract_version", "offset",       "is_late",     "hour",      "is_past_horizon",
    "received",         "missing",      "late",        "duplicate"};

// engine_rpm, engineRpm and EngineRPM are one column to some reader.
std::string FoldedColumn(std::string_view column) {
  std::string folded;
  for (const char c : column) {
    if (c == '_') continue;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return folded;
}

bool CanShare(const FieldDescriptor& field) {
  return !field.is_repeated() && field.message_type() == nullptr &&
         field.type() != FieldDescriptor::TYPE_BYTES;
}

class Columns {
 public:
  Columns(const Additions& of, const Descriptor& message)
      : of_(of), message_(message), used_(of.history.Of(message.full_name())) {
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor& field = *message.field(i);
      by_column_[FoldedColumn(Column(field))].push_back(&field);
    }
  }

  void Run() {
    const bool is_report = message_.full_name() == "telltale.v1.Report";
    for (const auto& [folded, fields] : by_column_) {
      for (const FieldDescriptor* field : fields) {
        if (!IsNew(*field)) continue;
        if (is_report && IsPlatformColumn(folded)) TellReserved(*field);
        Judge(*field, fields);
      }
    }
  }

 private:
  const std::string& Column(const FieldDescriptor& field) const {
    return ColumnOf(field, of_.now.SpecOf(field));
  }

  bool IsNew(const FieldDescriptor& field) const {
    return used_ == nullptr ||
           (!used_->numbers.Contains(field.number()) && !used_->names.contains(field.name()));
  }

  static bool IsPlatformColumn(const std::string& folded) {
    return std::any_of(kPlatformColumns.begin(), kPlatformColumns.end(),
                       [&](std::string_view name) { return FoldedColumn(name) == folded; });
  }

  void Add(Rule rule, const FieldDescriptor& field, std::string effect, std::string advice) {
    of_.findings.Add({rule, field.full_name(), of_.now.PlaceOf(field), "", std::move(effect),
                      std::move(advice)});
  }

  void TellReserved(const FieldDescriptor& field) {
    Add(Rule::kColumnReserved, field,
        fmt::format("{} is a column that the platform fills in every row.", Column(field)),
        "give it another name, or a column of its own");
  }

  // The field whose own column it is, that others may feed by naming it.
  const FieldDescriptor* OwnerOf(const std::string& column) const {
    const FieldDescriptor* owner = message_.FindFieldByName(column);
    return owner != nullptr && Column(*owner) == column ? owner : nullptr;
  }

  void Judge(const FieldDescriptor& field, const std::vector<const FieldDescriptor*>& fields) {
    const FieldDescriptor* owner = OwnerOf(Column(field));
    for (const FieldDescriptor* other : fields) {
      if (other == &field || (IsNew(*other) && other->number() > field.number())) continue;
      const bool is_shared = owner != nullptr && Column(*other) == Column(field);
      if (is_shared && other != owner && &field != owner) continue;
      if (!is_shared) {
        Add(Rule::kColumnCollision, field,
            fmt::format("Its column {} and {} of {} are one to readers that fold case and "
                        "underscores: one of them hides the other.",
                        Column(field), Column(*other), other->name()),
            fmt::format("choose another column, or say column: \"{}\" to feed that one",
                        other->name()));
        return;
      }
      if (CanShare(field) && CanShare(*other)) continue;
      Add(Rule::kColumnRetyped, field,
          fmt::format("It feeds column {}, which cannot hold both of their types.", Column(field)),
          "only single numbers, texts, bools and enums share a column: give it its own");
      return;
    }
  }

  const Additions& of_;
  const Descriptor& message_;
  const UsedNumbers* used_;
  std::map<std::string, std::vector<const FieldDescriptor*>> by_column_;
};

}  // namespace

void CheckColumns(const Additions& additions) {
  if (!additions.now.specs().exists()) return;
  for (const Descriptor* message : additions.now.messages()) {
    if (additions.reach.contains(message->full_name())) Columns(additions, *message).Run();
  }
}

}  // namespace telltale::contract::check
