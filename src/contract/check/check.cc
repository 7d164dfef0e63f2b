#include "contract/check/check.h"

#include <algorithm>
#include <deque>
#include <memory>

#include "contract/check/pairing.h"
#include "contract/check/pool.h"

namespace telltale::contract::check {
namespace {

using google::protobuf::DescriptorPool;

struct Earlier {
  std::unique_ptr<DescriptorPool> pool;  // outlives `schema`
  std::unique_ptr<Schema> schema;
  std::unique_ptr<TypeNames> names;
};

// Its files, without built-in ones that only came along as imports.
std::vector<const FileDescriptor*> JudgedFiles(const Version& version, const DescriptorPool& pool,
                                               const Schema& now) {
  std::vector<const FileDescriptor*> files;
  for (const auto& file : version.files.file()) {
    if (IsBuiltIn(file.name()) && now.FindFile(file.name()) == nullptr) continue;
    const FileDescriptor* found = pool.FindFileByName(file.name());
    if (std::find(files.begin(), files.end(), found) == files.end()) files.push_back(found);
  }
  return files;
}

bool UsesOption(const Schema& schema, const Descriptor& message) {
  for (int i = 0; i < message.field_count(); ++i) {
    if (!schema.specs().Raw(*message.field(i)).empty()) return true;
  }
  return false;
}

class Everything {
 public:
  Everything(const Candidate& candidate, std::span<const Version> versions)
      : versions_(versions), now_(*candidate.pool, candidate.files, candidate.paths) {}

  Status Read() {
    for (const Version& version : versions_) {
      Earlier& one = earlier_.emplace_back();
      ASSIGN_OR_RETURN(one.pool, BuildPool(version.files, version.name));
      one.schema =
          std::make_unique<Schema>(*one.pool, JudgedFiles(version, *one.pool, now_), version.paths);
      one.names = std::make_unique<TypeNames>(*one.schema, now_);
      for (const Descriptor* message : one.schema->messages()) {
        const std::string& name = one.names->NowName(message->full_name());
        history_.Add(*message, one.schema->FieldsOf(*message), name);
        if (!users_.contains(name) && UsesOption(*one.schema, *message)) users_.insert(name);
      }
    }
    Follow();
    return Ok();
  }

  Comparison Judge(const Approvals& approvals) {
    ApprovalBook book(approvals);
    Findings findings;
    SeenPairs seen;
    const Earlier& latest = earlier_.back();
    for (std::size_t i = earlier_.size(); i-- > 0;) {
      const Earlier& one = earlier_[i];
      findings.StartVersion(versions_[i].name, &one == &latest);
      const Pairing pair{*one.schema, now_, *latest.schema, *one.names, history_,
                         reach_,      book, findings,       seen};
      CompareTypes(pair);
      CompareServices(pair);
    }
    findings.StartVersion("", true);
    const Additions additions{now_, *latest.schema, history_, reach_, book, findings};
    CheckNewFields(additions);
    CheckColumns(additions);
    return {findings.Take(), book.used()};
  }

 private:
  // Whatever a message with our option holds is judged with it.
  void Follow() {
    std::deque<const Descriptor*> open;
    for (const Descriptor* message : now_.messages()) {
      const bool uses = users_.contains(message->full_name()) || UsesOption(now_, *message);
      if (uses) open.push_back(message);
    }
    while (!open.empty()) {
      const Descriptor& message = *open.front();
      open.pop_front();
      if (!reach_.insert(message.full_name()).second) continue;
      for (int i = 0; i < message.field_count(); ++i) {
        const FieldDescriptor* field = message.field(i);
        if (field->is_map()) field = field->message_type()->map_value();
        if (field->message_type() != nullptr) open.push_back(field->message_type());
      }
    }
  }

  const std::span<const Version> versions_;
  const Schema now_;
  std::deque<Earlier> earlier_;  // does not move what is in it
  History history_;
  Reach users_;
  Reach reach_;
};

}  // namespace

bool Comparison::rejected() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.verdict() == Verdict::kReject; });
}

Result<Comparison> Compare(const Candidate& candidate, std::span<const Version> versions,
                           const Approvals& approvals) {
  if (versions.empty()) return Comparison{};
  Everything everything(candidate, versions);
  RETURN_IF_ERROR(everything.Read());
  return everything.Judge(approvals);
}

}  // namespace telltale::contract::check
