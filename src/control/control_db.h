// control.db: what control knows for good. docs/formats/control-db.md.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/sqlite.h"

namespace telltale::control {

// Who did what; `arguments` over 4 KiB are kept as their SHA-256 and length.
struct AuditNote {
  std::string subject;
  std::string operation;
  std::string environment = {};
  nlohmann::json arguments = nlohmann::json::object();
};

struct Lease {
  std::string holder = {};
  std::uint64_t leader_epoch = 0;  // 0: nobody held it ever
  Micros expires_at = {};
};

// A config record that was signed. It is kept before it is sent.
struct ConfigRow {
  std::string environment = {};
  ConfigSeq config_seq = {};
  std::uint64_t leader_epoch = 0;
  std::uint64_t audit_entry = 0;
  std::string signed_bytes = {};
  bool is_sent_to_log = false;
  bool is_sent_to_publisher = false;
  ConfigSeq base_seq = {};   // of the config in force that it was made from
  std::string content = {};  // what control wants in it, to be compared
};

// One connection; calls of one thread at a time. Error kinds are store/sqlite.h's. Everything that
// changes something belongs into a transaction with its audit note.
class ControlDb {
 public:
  static Result<ControlDb> Open(const std::string& path, const store::DiskVfs* vfs);
  Result<store::Transaction> Begin() { return database_.Begin(); }

  // Documents: what people put, by kind and key.
  Result<std::optional<nlohmann::json>> Find(std::string_view kind, const std::string& key);
  Result<std::vector<nlohmann::json>> List(std::string_view kind);
  Status Put(std::string_view kind, const std::string& key, const nlohmann::json& body);
  Status Delete(std::string_view kind, const std::string& key);

  // Rollouts, with control's own members under "internal". At most one of an environment is open.
  Result<std::optional<nlohmann::json>> FindRollout(const std::string& id);
  Result<std::optional<nlohmann::json>> NewestRollout(const std::string& environment);
  // Newest first; "" = of all environments.
  Result<std::vector<nlohmann::json>> ListRollouts(const std::string& environment);
  Result<std::uint64_t> NextRolloutNumber(const std::string& environment);
  Status PutRollout(std::uint64_t number, bool is_open, const nlohmann::json& rollout);

  Status AddConfig(const ConfigRow& row);
  Result<std::optional<ConfigRow>> NewestConfig(const std::string& environment);
  Result<std::optional<ConfigRow>> FindConfig(const std::string& environment, ConfigSeq seq);
  Status MarkSent(const ConfigRow& row);  // both marks, as they are in `row`

  Result<Lease> ReadLease();
  Status WriteLease(const Lease& lease);

  // Its number: rising from 1 without gaps.
  Result<std::uint64_t> Note(const AuditNote& note, Micros now);
  Result<nlohmann::json> AuditAfter(std::uint64_t after, std::int64_t limit);
  Result<nlohmann::json> VerifyAudit();  // docs/control.md, audit.verify

 private:
  explicit ControlDb(store::Database database) : database_(std::move(database)) {}
  Result<std::vector<nlohmann::json>> Bodies(store::Statement& statement);
  Result<std::optional<ConfigRow>> OneConfig(store::Statement& statement);

  store::Database database_;
};

}  // namespace telltale::control
