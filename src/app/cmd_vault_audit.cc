// `telltale vault audit`: who asked what; checkpoints and their check on the asker's side; what one
// vehicle's people may know.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/vault_client.h"
#include "app/vault_commands.h"
#include "base/disk.h"
#include "base/ids.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using nlohmann::json;

constexpr std::size_t kHashDigits = 64;
constexpr std::uint64_t kPage = 50'000;
constexpr std::uint64_t kCheckpointBytesMax = 64u << 10;

struct VaultAuditFlags {
  std::string dir;
  std::string subject;
  std::string case_id = "subject request";
  std::string since;
  std::uint64_t from_entry = 1;
  bool as_json = false;
  bool verify = false;
  bool checkpoint = false;
};

// docs/formats/audit-log.md, "Checkpoint".
Result<json> LoadCheckpoint(const std::string& path) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(disk, path, kCheckpointBytesMax));
  const json checkpoint = json::parse(text, nullptr, false);
  const Error broken{Code::kInvalid, path + " is no checkpoint of an audit log"};
  if (!checkpoint.is_object() || !checkpoint.value("entries", json()).is_number_unsigned()) {
    return broken;
  }
  const auto key = HexDecode(checkpoint.value("key", ""));
  const auto signature = HexDecode(checkpoint.value("signature", ""));
  if (!key.ok() || !signature.ok()) return broken;
  const std::string signed_text =
      fmt::format("telltale vault audit checkpoint v1\n{}\n{}\n{}\n", checkpoint["entries"].dump(),
                  checkpoint.value("hash", ""), checkpoint.value("at", ""));
  if (!seal::VerifyEd25519(*key, signed_text, *signature)) {
    return Error{Code::kCorrupt, path + " does not have the signature of the key it names"};
  }
  return checkpoint;
}

// Counts and hashes every entry itself: the vault's word on its own log is not taken.
class ChainCheck {
 public:
  explicit ChainCheck(std::uint64_t wanted) : wanted_(wanted) {}
  void Add(const std::string& line) {
    ++entries_;
    const bool is_line = line.size() > kHashDigits + 1 && line[kHashDigits] == ' ';
    const std::string json_text = is_line ? line.substr(kHashDigits + 1) : "";
    const std::string hash = HexEncode(seal::Sha256(hash_ + ' ' + json_text));
    const json entry = json::parse(json_text, nullptr, false);
    const bool is_next = is_line && line.substr(0, kHashDigits) == hash && entry.is_object() &&
                         entry.value("n", json()) == json(entries_);
    if (!is_next && problem_.empty()) {
      problem_ = fmt::format("entry {} does not follow from those before", entries_);
    }
    hash_ = hash;
    if (entries_ == wanted_) at_wanted_ = hash;
  }
  Status Judge(const json& checkpoint) const {
    if (!problem_.empty()) return Error{Code::kCorrupt, "the audit log is not whole: " + problem_};
    if (checkpoint.is_null()) return Ok();
    if (entries_ < wanted_) {
      return Error{Code::kCorrupt, fmt::format("the audit log was cut: it has {} entries and had "
                                               "{} at the checkpoint",
                                               entries_, wanted_)};
    }
    if (at_wanted_ != checkpoint.value("hash", "")) {
      return Error{Code::kCorrupt, fmt::format("the audit log was rewritten: entry {} is not the "
                                               "one of the checkpoint. Keep both as evidence",
                                               wanted_)};
    }
    return Ok();
  }
  std::uint64_t entries() const { return entries_; }

 private:
  const std::uint64_t wanted_;
  std::uint64_t entries_ = 0;
  std::string hash_ = std::string(kHashDigits, '0');
  std::string at_wanted_ = std::string(kHashDigits, '0');
  std::string problem_;
};

Status Verify(const VaultAuditFlags& flags) {
  json checkpoint;
  if (!flags.since.empty()) {
    ASSIGN_OR_RETURN(checkpoint, LoadCheckpoint(flags.since));
    // Another vault's checkpoint would look like a rewritten log; another key is said as such.
    const auto now = AskVault(flags.dir, json{{"op", "checkpoint"}});
    if (now.ok() && (*now)["checkpoint"].value("key", "") != checkpoint.value("key", "")) {
      return Error{Code::kCorrupt, "the checkpoint was signed by another key than this vault's"};
    }
  }
  ChainCheck chain(checkpoint.is_null() ? 0 : checkpoint["entries"].get<std::uint64_t>());
  while (true) {
    std::uint64_t got = 0;
    const json request{{"op", "audit"}, {"from", chain.entries() + 1}, {"limit", kPage}};
    ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, request, [&](const json& message) {
                       for (const json& line : message.value("entries", json::array())) {
                         chain.Add(line.get<std::string>());
                         ++got;
                       }
                     }));
    if (!end.value("verified", false)) {
      return Error{Code::kCorrupt, "the audit log fails its check: " + Shown(end, "problem")};
    }
    if (got < kPage) break;
  }
  RETURN_IF_ERROR(chain.Judge(checkpoint));
  fmt::print("the chain of the audit log is whole{}: {} entries\n",
             checkpoint.is_null() ? "" : " and extends the checkpoint", chain.entries());
  return Ok();
}

Status PrintCheckpoint(const VaultAuditFlags& flags) {
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "checkpoint"}}));
  fmt::print("{}\n", Indented(end["checkpoint"]));
  fmt::print(stderr,
             "keep it where nobody who runs the vault can change it; `telltale vault audit "
             "--verify --since FILE` holds the log against it\n");
  return Ok();
}

Status Subject(const VaultAuditFlags& flags) {
  const auto vehicle = VehicleRef::FromHex(flags.subject);
  if (!vehicle.ok()) {
    return Error{Code::kInvalid,
                 "--subject takes a vehicle_ref; `telltale vehicles lookup` turns "
                 "a VIN into one"};
  }
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "subject"},
                                                            {"vehicle", vehicle->ToHex()},
                                                            {"case", flags.case_id}}));
  if (flags.as_json) {
    fmt::print("{}\n", Indented(end["accesses"]));
    return Ok();
  }
  fmt::print("{:<27}  {:<14}  {:<22}  {:<24}  {:<13}  {}\n", "when", "what", "by whom", "for what",
             "form", "case");
  for (const json& one : end.value("accesses", json::array())) {
    const bool is_glass = one.value("break_glass", false);
    fmt::print("{:<27}  {:<14}  {:<22}  {:<24}  {:<13}  {}\n", Shown(one, "at"), Shown(one, "op"),
               Shown(one, "role"), Shown(one, "purpose") + (is_glass ? " (break-glass)" : ""),
               Shown(one, "form"), Shown(one, "case"));
  }
  return Ok();
}

Status Audit(const VaultAuditFlags& flags) {
  if (!flags.subject.empty()) return Subject(flags);
  if (flags.checkpoint) return PrintCheckpoint(flags);
  if (flags.verify || !flags.since.empty()) return Verify(flags);
  const json request{{"op", "audit"}, {"from", flags.from_entry}};
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, request, [&](const json& message) {
                     for (const json& line : message.value("entries", json::array())) {
                       const std::string text = line.get<std::string>();
                       fmt::print("{}\n", flags.as_json && text.size() > kHashDigits
                                              ? text.substr(kHashDigits + 1)
                                              : text);
                     }
                   }));
  fmt::print(stderr, "{} entries, last hash {}\n", Shown(end, "entries_total"), Shown(end, "hash"));
  if (!end.value("verified", false)) {
    return Error{Code::kCorrupt, "the audit log fails its check: " + Shown(end, "problem")};
  }
  return Ok();
}

}  // namespace

void AddVaultAudit(CLI::App& vault, int& exit_code) {
  const auto flags = std::make_shared<VaultAuditFlags>();
  CLI::App* audit = vault.add_subcommand(
      "audit", "Who asked what; checks the log's chain; what a vehicle's people may know");
  audit->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  audit->add_option("--from", flags->from_entry, "First entry to show, from 1");
  audit->add_flag("--json", flags->as_json, "Entries without their hashes; of --subject a list");
  audit->add_flag("--verify", flags->verify, "Only check the chain, entry by entry, here");
  audit->add_option("--since", flags->since,
                    "With --verify: a checkpoint's file, which the log must still extend");
  CLI::Option* checkpoint = audit->add_flag("--checkpoint", flags->checkpoint,
                                            "How long the log is and its last hash, signed; JSON");
  audit
      ->add_option("--subject", flags->subject,
                   "What is told to a vehicle's people: who looked (as a role), why, when, at what")
      ->excludes(checkpoint);
  audit->add_option("--case", flags->case_id, "With --subject: the request it answers")
      ->capture_default_str();
  audit->callback([flags, &exit_code] { exit_code = ExitCode(Audit(*flags)); });
}

}  // namespace telltale::app
