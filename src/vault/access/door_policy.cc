// Which policy is in force, and how it becomes another.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "vault/access/door.h"

namespace telltale::vault {
namespace {

using access::Verb;
using nlohmann::json;

// In the vault's folder, so that what was in force stays to be read.
Status KeepCopy(Disk& disk, const std::string& vault, const access::Policy& policy) {
  const std::string folder = vault + "/policy";
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0700));
  return WriteFileDurably(disk, folder + "/" + policy.digest + ".yaml", policy.text, 0600);
}

std::string Short(const std::string& digest) { return digest.substr(0, 12); }

}  // namespace

// The book says which policy is in force; the log may say another where a write between them
// failed, and then it is told.
Status AccessDoor::StartPolicy() {
  ASSIGN_OR_RETURN(const std::optional<PolicyInForce> in_force, book_->ReadPolicyInForce());
  if (!in_force) return StartFirstPolicy();
  const auto reading = access::ReadPolicy(in_force->text, options_.environment_kind);
  const auto policy = access::PolicyOf(reading, "the policy in force");
  if (!policy.ok()) {
    return Annotate(policy.error(),
                    "it was activated under another environment.kind or by an older Telltale");
  }
  std::string recorded;
  const auto listed = parts_.audit.List(1, UINT64_MAX, [&](std::string_view line) {
    if (line.find(R"("event":"policy")") == std::string_view::npos) return;
    const json entry = json::parse(line.substr(line.find('{')), nullptr, false);
    if (entry.is_object()) recorded = entry.value("digest", "");
  });
  if (!listed.ok()) return listed.error();
  if (recorded != policy->digest) {
    const auto told =
        parts_.audit.Append("policy", {{"digest", AuditText(policy->digest)},
                                       {"person", std::to_string(in_force->editor.number)},
                                       {"before", AuditText(recorded)}});
    if (!told.ok()) return told.error();
  }
  const auto file = ReadWholeFile(parts_.disk, options_.policy_file, access::kPolicyBytesMax);
  if (file.ok() && *file != in_force->text) {
    spdlog::warn(
        "vault: {} is not the policy in force ({}); `telltale vault policy activate` "
        "makes it so",
        options_.policy_file, Short(policy->digest));
  }
  Adopt(*policy);
  return Ok();
}

Status AccessDoor::StartFirstPolicy() {
  const auto text = ReadWholeFile(parts_.disk, options_.policy_file, access::kPolicyBytesMax);
  if (!text.ok()) {
    return Error{Code::kNotFound, fmt::format("{} cannot be read ({}): write it "
                                              "(docs/vault-access.md)",
                                              options_.policy_file, text.error().message)};
  }
  const auto reading = access::ReadPolicy(*text, options_.environment_kind);
  ASSIGN_OR_RETURN(const Policy policy, access::PolicyOf(reading, options_.policy_file));
  RETURN_IF_ERROR(KeepCopy(parts_.disk, options_.folder, policy));
  const auto recorded = parts_.audit.Append(
      "policy", {{"digest", AuditText(policy.digest)}, {"person", "0"}, {"before", AuditText("")}});
  if (!recorded.ok()) return recorded.error();
  RETURN_IF_ERROR(book_->PutPolicyInForce({policy.text, {}, parts_.clock.NowUtc()}));
  Adopt(policy);
  return Ok();
}

void AccessDoor::Adopt(const Policy& policy) {
  MutexLock lock(mutex_);
  policy_ = std::make_shared<const Policy>(policy);
  closed_.clear();
}

// Nobody is let in under an empty policy.
void AccessDoor::Close(const Error& why) {
  spdlog::error("vault: nobody may ask: {}", why.message);
  MutexLock lock(mutex_);
  policy_ = std::make_shared<const Policy>();
  closed_ = why.message;
}

// What was in the way may be gone.
void AccessDoor::TryToReopen() {
  {
    MutexLock lock(mutex_);
    if (closed_.empty()) return;
  }
  MutexLock deciding(deciding_);
  if (const Status policy = StartPolicy(); !policy.ok()) Close(policy.error());
}

Status AccessDoor::ShowPolicy(const Asker& asker, const json& /*message*/, const Send& send) {
  ASSIGN_OR_RETURN(const std::optional<PolicyInForce> in_force, book_->ReadPolicyInForce());
  const std::uint32_t editor = in_force ? in_force->editor.number : 0;
  return send(json{{"kind", "end"},
                   {"digest", asker.policy->digest},
                   {"editor", editor},
                   {"since", FormatUtc(in_force ? in_force->since : Micros{})},
                   {"text", asker.policy->text}}
                  .dump(-1, ' ', true, json::error_handler_t::replace));
}

Status AccessDoor::ActivatePolicy(const Asker& asker, const json& message, const Send& send) {
  RETURN_IF_ERROR(Need(asker, Verb::kEditPolicy));
  RETURN_IF_ERROR(CheckKeys(message, {"op", "text"}));
  if (!message.contains("text") || !message["text"].is_string()) {
    return Error{Code::kInvalid, "text is required: the whole policy"};
  }
  const auto reading =
      access::ReadPolicy(message["text"].get<std::string>(), options_.environment_kind);
  ASSIGN_OR_RETURN(const Policy policy, access::PolicyOf(reading, "policy"));
  MutexLock deciding(deciding_);
  RETURN_IF_ERROR(CheckUnchanged(asker));
  RETURN_IF_ERROR(KeepCopy(parts_.disk, options_.folder, policy));
  AuditFields fields = Who(asker);
  fields.emplace_back("digest", AuditText(policy.digest));
  fields.emplace_back("before", AuditText(asker.policy->digest));
  const auto recorded = parts_.audit.Append("policy", fields);
  if (!recorded.ok()) return Annotate(recorded.error(), "no policy without a record of it");
  // Whoever he is in the new one counts too: a new number or name does not make him another.
  PersonKey editor = asker.key();
  if (const access::Person* renamed = policy.PersonOf(asker.caller); renamed != nullptr) {
    editor.uids.insert(editor.uids.end(), renamed->uids.begin(), renamed->uids.end());
    editor.certificates.insert(editor.certificates.end(), renamed->certificates.begin(),
                               renamed->certificates.end());
  }
  const Status put = book_->PutPolicyInForce({policy.text, editor, parts_.clock.NowUtc()});
  if (!put.ok()) {
    // Whatever is in force now, the log is told, or nobody is let in.
    if (const Status policy_now = StartPolicy(); !policy_now.ok()) Close(policy_now.error());
    return put;
  }
  spdlog::info("vault: policy {} in force, activated by person {}", Short(policy.digest),
               asker.person.number);
  Adopt(policy);
  return send(json{{"kind", "end"}, {"digest", policy.digest}, {"warnings", reading.warnings}}.dump(
      -1, ' ', true, json::error_handler_t::replace));
}

Result<bool> AccessDoor::IsEditor(const PersonKey& person) {
  ASSIGN_OR_RETURN(const std::optional<PolicyInForce> in_force, book_->ReadPolicyInForce());
  if (!in_force) return Error{Code::kUnavailable, "the request book holds no policy"};
  return access::IsSamePerson(in_force->editor, person);
}

}  // namespace telltale::vault
