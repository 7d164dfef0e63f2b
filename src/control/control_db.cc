#include "control/control_db.h"

#include "control/json_reader.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::int32_t kApplicationId = 0x74740005;

constexpr const char* kMigrations[] = {
    R"(CREATE TABLE documents (
         kind TEXT NOT NULL,
         key TEXT NOT NULL,
         body TEXT NOT NULL,
         PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
       CREATE TABLE rollouts (
         rollout_id TEXT PRIMARY KEY,
         environment TEXT NOT NULL,
         number INTEGER NOT NULL CHECK (number >= 1),
         is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
         body TEXT NOT NULL,
         UNIQUE (environment, number)) STRICT, WITHOUT ROWID;
       CREATE UNIQUE INDEX one_open_rollout ON rollouts (environment) WHERE is_open = 1;
       CREATE TABLE configs (
         environment TEXT NOT NULL,
         config_seq INTEGER NOT NULL CHECK (config_seq >= 1),
         leader_epoch INTEGER NOT NULL,
         audit_entry INTEGER NOT NULL,
         base_seq INTEGER NOT NULL,
         content TEXT NOT NULL,
         signed_config BLOB NOT NULL,
         is_sent_to_log INTEGER NOT NULL CHECK (is_sent_to_log IN (0, 1)),
         is_sent_to_publisher INTEGER NOT NULL CHECK (is_sent_to_publisher IN (0, 1)),
         PRIMARY KEY (environment, config_seq)) STRICT, WITHOUT ROWID;
       CREATE TABLE lease (
         one INTEGER PRIMARY KEY CHECK (one = 1),
         holder TEXT NOT NULL,
         leader_epoch INTEGER NOT NULL,
         expires_at_us INTEGER NOT NULL) STRICT;
       CREATE TABLE audit (
         entry INTEGER PRIMARY KEY,
         body TEXT NOT NULL,
         hash TEXT NOT NULL CHECK (length(hash) = 64)) STRICT;
       CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
         BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
       CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
         BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;)"};

Result<json> Parsed(std::string_view text) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) {
    return Error{Code::kCorrupt, "control.db holds a row that is no JSON object"};
  }
  return value;
}

std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

}  // namespace

Result<ControlDb> ControlDb::Open(const std::string& path, const store::DiskVfs* vfs) {
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(path, {.application_id = kApplicationId,
                                                .migrations = kMigrations,
                                                .permissions = 0600,
                                                .vfs = vfs}));
  return ControlDb(std::move(database));
}

Result<std::vector<json>> ControlDb::Bodies(store::Statement& statement) {
  std::vector<json> bodies;
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_row, statement.Step());
    if (!is_row) return bodies;
    ASSIGN_OR_RETURN(json body, Parsed(statement.Text(0)));
    bodies.push_back(std::move(body));
  }
}

Result<std::optional<json>> ControlDb::Find(std::string_view kind, const std::string& key) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT body FROM documents WHERE kind = ? AND key = ?"));
  statement.BindText(1, kind).BindText(2, key);
  ASSIGN_OR_RETURN(auto bodies, Bodies(statement));
  if (bodies.empty()) return std::optional<json>();
  return std::optional<json>(std::move(bodies.front()));
}

Result<std::vector<json>> ControlDb::List(std::string_view kind) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT body FROM documents WHERE kind = ? ORDER BY key"));
  statement.BindText(1, kind);
  return Bodies(statement);
}

Status ControlDb::Put(std::string_view kind, const std::string& key, const json& body) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("INSERT INTO documents (kind, key, body) VALUES (?, ?, ?) "
                                     "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"));
  return statement.BindText(1, kind).BindText(2, key).BindText(3, Canonical(body)).Run();
}

Status ControlDb::Delete(std::string_view kind, const std::string& key) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("DELETE FROM documents WHERE kind = ? AND key = ?"));
  return statement.BindText(1, kind).BindText(2, key).Run();
}

Result<std::optional<json>> ControlDb::FindRollout(const std::string& id) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT body FROM rollouts WHERE rollout_id = ?"));
  statement.BindText(1, id);
  ASSIGN_OR_RETURN(auto bodies, Bodies(statement));
  if (bodies.empty()) return std::optional<json>();
  return std::optional<json>(std::move(bodies.front()));
}

Result<std::optional<json>> ControlDb::NewestRollout(const std::string& environment) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT body FROM rollouts WHERE environment = ? "
                                     "ORDER BY number DESC LIMIT 1"));
  statement.BindText(1, environment);
  ASSIGN_OR_RETURN(auto bodies, Bodies(statement));
  if (bodies.empty()) return std::optional<json>();
  return std::optional<json>(std::move(bodies.front()));
}

Result<std::vector<json>> ControlDb::ListRollouts(const std::string& environment) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT body FROM rollouts WHERE ?1 = '' OR environment = ?1 "
                                     "ORDER BY environment, number DESC"));
  statement.BindText(1, environment);
  return Bodies(statement);
}

Result<std::uint64_t> ControlDb::NextRolloutNumber(const std::string& environment) {
  ASSIGN_OR_RETURN(
      auto statement,
      database_.Prepare("SELECT coalesce(max(number), 0) + 1 FROM rollouts WHERE environment = ?"));
  statement.BindText(1, environment);
  RETURN_IF_ERROR(statement.Step());
  return Unsigned(statement.Int(0));
}

Status ControlDb::PutRollout(std::uint64_t number, bool is_open, const json& rollout) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("INSERT INTO rollouts (rollout_id, environment, number, "
                                     "is_open, body) VALUES (?, ?, ?, ?, ?) "
                                     "ON CONFLICT (rollout_id) DO UPDATE SET "
                                     "is_open = excluded.is_open, body = excluded.body"));
  return statement.BindText(1, rollout.at("id").get<std::string>())
      .BindText(2, rollout.at("environment").get<std::string>())
      .BindInt(3, Signed(number))
      .BindInt(4, is_open ? 1 : 0)
      .BindText(5, Canonical(rollout))
      .Run();
}

Status ControlDb::AddConfig(const ConfigRow& row) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("INSERT INTO configs (environment, config_seq, leader_epoch, "
                                     "audit_entry, signed_config, is_sent_to_log, "
                                     "is_sent_to_publisher, base_seq, content) "
                                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  return statement.BindText(1, row.environment)
      .BindInt(2, Signed(row.config_seq.value))
      .BindInt(3, Signed(row.leader_epoch))
      .BindInt(4, Signed(row.audit_entry))
      .BindBlob(5, row.signed_bytes)
      .BindInt(6, row.is_sent_to_log ? 1 : 0)
      .BindInt(7, row.is_sent_to_publisher ? 1 : 0)
      .BindInt(8, Signed(row.base_seq.value))
      .BindText(9, row.content)
      .Run();
}

Result<std::optional<ConfigRow>> ControlDb::OneConfig(store::Statement& statement) {
  ASSIGN_OR_RETURN(const bool is_row, statement.Step());
  if (!is_row) return std::optional<ConfigRow>();
  return std::optional<ConfigRow>(ConfigRow{.environment = std::string(statement.Text(0)),
                                            .config_seq = ConfigSeq{Unsigned(statement.Int(1))},
                                            .leader_epoch = Unsigned(statement.Int(2)),
                                            .audit_entry = Unsigned(statement.Int(3)),
                                            .signed_bytes = std::string(statement.Blob(4)),
                                            .is_sent_to_log = statement.Int(5) != 0,
                                            .is_sent_to_publisher = statement.Int(6) != 0,
                                            .base_seq = ConfigSeq{Unsigned(statement.Int(7))},
                                            .content = std::string(statement.Text(8))});
}

Result<std::optional<ConfigRow>> ControlDb::NewestConfig(const std::string& environment) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT environment, config_seq, leader_epoch, audit_entry, "
                                     "signed_config, is_sent_to_log, is_sent_to_publisher, "
                                     "base_seq, content "
                                     "FROM configs WHERE environment = ? "
                                     "ORDER BY config_seq DESC LIMIT 1"));
  statement.BindText(1, environment);
  return OneConfig(statement);
}

Result<std::optional<ConfigRow>> ControlDb::FindConfig(const std::string& environment,
                                                       ConfigSeq seq) {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT environment, config_seq, leader_epoch, audit_entry, "
                                     "signed_config, is_sent_to_log, is_sent_to_publisher, "
                                     "base_seq, content "
                                     "FROM configs WHERE environment = ? AND config_seq = ?"));
  statement.BindText(1, environment).BindInt(2, Signed(seq.value));
  return OneConfig(statement);
}

Status ControlDb::MarkSent(const ConfigRow& row) {
  ASSIGN_OR_RETURN(auto statement, database_.Prepare("UPDATE configs SET is_sent_to_log = ?, "
                                                     "is_sent_to_publisher = ? "
                                                     "WHERE environment = ? AND config_seq = ?"));
  return statement.BindInt(1, row.is_sent_to_log ? 1 : 0)
      .BindInt(2, row.is_sent_to_publisher ? 1 : 0)
      .BindText(3, row.environment)
      .BindInt(4, Signed(row.config_seq.value))
      .Run();
}

Result<Lease> ControlDb::ReadLease() {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT holder, leader_epoch, expires_at_us FROM lease"));
  ASSIGN_OR_RETURN(const bool is_row, statement.Step());
  if (!is_row) return Lease{};
  return Lease{.holder = std::string(statement.Text(0)),
               .leader_epoch = Unsigned(statement.Int(1)),
               .expires_at = Micros{statement.Int(2)}};
}

Status ControlDb::WriteLease(const Lease& lease) {
  ASSIGN_OR_RETURN(
      auto statement,
      database_.Prepare("INSERT OR REPLACE INTO lease (one, holder, leader_epoch, expires_at_us) "
                        "VALUES (1, ?, ?, ?)"));
  return statement.BindText(1, lease.holder)
      .BindInt(2, Signed(lease.leader_epoch))
      .BindInt(3, lease.expires_at.value)
      .Run();
}

}  // namespace telltale::control
