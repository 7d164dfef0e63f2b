#include "publish/alert_store.h"

#include <algorithm>

#include "base/cell.h"
#include "base/disk.h"
#include "base/vehicle_class.h"
#include "publish/alert_json.h"

namespace telltale::publish {
namespace {

using Output = internal::v1::JournalEntry::Output;

constexpr std::int32_t kApplicationId = 0x54544131;

constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE authority (
  partition INTEGER PRIMARY KEY,
  authority_epoch INTEGER NOT NULL,
  release TEXT NOT NULL,
  first_offset INTEGER NOT NULL
);
CREATE TABLE positions (
  partition INTEGER PRIMARY KEY,
  next_offset INTEGER NOT NULL
);
CREATE TABLE journal_positions (
  release TEXT NOT NULL,
  shard INTEGER NOT NULL,
  position BLOB NOT NULL,
  PRIMARY KEY (release, shard)
);
CREATE TABLE alert_changes (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  output_id BLOB NOT NULL,
  authority_epoch INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  data TEXT NOT NULL
);
CREATE TABLE alerts (
  output_id BLOB PRIMARY KEY,
  rule TEXT NOT NULL,
  vehicle_ref TEXT NOT NULL,
  severity TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL,
  boot_counter INTEGER NOT NULL,
  boot_random INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  started_at_us INTEGER NOT NULL,
  ended_at_us INTEGER,
  peak_value REAL,
  unit TEXT,
  cell TEXT,
  heading_octant INTEGER,
  vehicle_class TEXT,
  speed_kmh REAL,
  authority_epoch INTEGER NOT NULL,
  release TEXT NOT NULL,
  input_partition INTEGER NOT NULL,
  input_offset INTEGER NOT NULL,
  input_index INTEGER NOT NULL,
  contract_number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  event_time_us INTEGER NOT NULL,
  receipt_time_us INTEGER NOT NULL,
  publish_time_us INTEGER NOT NULL,
  change_number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_by_change ON alerts (change_number);
)sql"};

constexpr std::string_view kUpsertSql =
    "INSERT OR REPLACE INTO alerts VALUES "
    "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,"
    "?26,?27,?28)";

// SQLite has signed integers only; ids and offsets keep their bits.
std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

void BindPayload(const Output& output, store::Statement& to) {
  const internal::v1::Alert& alert = output.alert();
  to.BindBlob(1, alert.output_id())
      .BindText(2, alert.rule())
      .BindText(3, HexEncode(alert.vehicle_ref()))
      .BindText(4, SeverityWord(alert.severity()))
      .BindText(5, StateWord(alert.state()))
      .BindInt(6, alert.revision())
      .BindInt(7, alert.boot_counter())
      .BindInt(8, Signed(alert.boot_random()))
      .BindInt(9, Signed(alert.first_seq()))
      .BindInt(10, alert.started_at_us());
  for (const int optional : {11, 12, 13, 14, 15, 16, 17}) to.BindNull(optional);
  if (alert.ended_at_us() != 0) to.BindInt(11, alert.ended_at_us());
  if (alert.has_peak_value()) to.BindReal(12, alert.peak_value()).BindText(13, alert.unit());
  if (alert.has_cell()) to.BindText(14, CellToken(alert.cell()));
  if (alert.has_heading_octant()) to.BindInt(15, alert.heading_octant());
  if (alert.has_vehicle_class()) {
    to.BindText(16, VehicleClassName(static_cast<VehicleClass>(alert.vehicle_class())));
  }
  if (alert.has_speed_kmh()) to.BindReal(17, static_cast<double>(alert.speed_kmh()));
}

void BindStamps(const Output& output, const Authority& authority, Micros publish_time,
                std::int64_t change_number, store::Statement& to) {
  to.BindInt(18, Signed(authority.epoch.value))
      .BindText(19, authority.release)
      .BindInt(20, output.partition())
      .BindInt(21, Signed(output.input_offset()))
      .BindInt(22, output.index())
      .BindInt(23, output.contract_number())
      .BindInt(24, Signed(output.seq()))
      .BindInt(25, output.event_time_us())
      .BindInt(26, output.receipt_time_us())
      .BindInt(27, publish_time.value)
      .BindInt(28, change_number);
}

bool IsErased(const Commitment& commitment, const Output& output) {
  if (commitment.erased == nullptr || commitment.erased->empty()) return false;
  VehicleRef ref;
  const std::string& bytes = output.alert().vehicle_ref();  // 16: JournalFollower has checked it
  std::copy_n(bytes.begin(), std::min(bytes.size(), ref.bytes.size()), ref.bytes.begin());
  return commitment.erased->Contains(ref);
}

}  // namespace

struct AlertStore::Statements {
  std::optional<store::Statement> authority, position, version, change, upsert, set_position,
      set_journal, newest, after, list;
};

Result<AlertStore> AlertStore::Open(const std::string& path, const store::DiskVfs* vfs) {
  PosixDisk disk;
  if (path != ":memory:" && vfs == nullptr) {
    RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path), 0750));
  }
  ASSIGN_OR_RETURN(
      store::Database database,
      store::Database::Open(
          path, {.application_id = kApplicationId, .migrations = kMigrations, .vfs = vfs}));
  // What is replaced or removed is overwritten: an erased vehicle leaves no bytes in free pages.
  RETURN_IF_ERROR(database.Execute("PRAGMA secure_delete = ON"));
  AlertStore store(std::move(database));
  RETURN_IF_ERROR(store.Prepare(false));
  return store;
}

Result<AlertStore> AlertStore::OpenReadOnly(const std::string& path, const store::DiskVfs* vfs) {
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(path, {.application_id = kApplicationId,
                                                .migrations = kMigrations,
                                                .read_only = true,
                                                .vfs = vfs}));
  AlertStore store(std::move(database));
  RETURN_IF_ERROR(store.Prepare(true));
  return store;
}

Status AlertStore::Prepare(bool read_only) {
  statements_ = std::make_shared<Statements>();
  const auto prepare = [this](std::optional<store::Statement>& into, std::string_view sql) {
    auto statement = database_.Prepare(sql);
    if (statement.ok()) into.emplace(std::move(statement).value());
    return statement.ok() ? Ok() : Status(statement.error());
  };
  Statements& s = *statements_;
  RETURN_IF_ERROR(prepare(s.newest,
                          "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE "
                          "name = 'alert_changes'), 0)"));
  RETURN_IF_ERROR(prepare(s.after,
                          "SELECT number, data FROM alert_changes WHERE number > ?1 "
                          "ORDER BY number LIMIT 1000"));
  RETURN_IF_ERROR(prepare(s.list,
                          "SELECT c.data FROM alerts a JOIN alert_changes c "
                          "ON c.number = a.change_number ORDER BY a.change_number DESC LIMIT ?1"));
  if (read_only) return Ok();
  RETURN_IF_ERROR(prepare(s.authority,
                          "SELECT authority_epoch, release, first_offset FROM authority "
                          "WHERE partition = ?1"));
  RETURN_IF_ERROR(prepare(s.position, "SELECT next_offset FROM positions WHERE partition = ?1"));
  RETURN_IF_ERROR(
      prepare(s.version, "SELECT authority_epoch, revision FROM alerts WHERE output_id = ?1"));
  RETURN_IF_ERROR(prepare(s.change,
                          "INSERT INTO alert_changes (output_id, authority_epoch, revision, data) "
                          "VALUES (?1, ?2, ?3, ?4)"));
  RETURN_IF_ERROR(prepare(s.upsert, kUpsertSql));
  RETURN_IF_ERROR(prepare(s.set_position, "INSERT OR REPLACE INTO positions VALUES (?1, ?2)"));
  return prepare(s.set_journal, "INSERT OR REPLACE INTO journal_positions VALUES (?1, ?2, ?3)");
}

Result<std::map<PartitionId, Authority>> AlertStore::ReadAuthority() {
  ASSIGN_OR_RETURN(
      store::Statement rows,
      database_.Prepare("SELECT partition, authority_epoch, release, first_offset FROM authority"));
  std::map<PartitionId, Authority> out;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    out[PartitionId{static_cast<std::uint16_t>(rows.Int(0))}] = {
        .epoch = AuthorityEpoch{Unsigned(rows.Int(1))},
        .release = std::string(rows.Text(2)),
        .first = Offset{Unsigned(rows.Int(3))}};
  }
}

Status AlertStore::InstallAuthority(const std::string& release, std::uint16_t partitions) {
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  ASSIGN_OR_RETURN(const auto present, ReadAuthority());
  if (!present.empty()) return Ok();
  ASSIGN_OR_RETURN(store::Statement insert,
                   database_.Prepare("INSERT INTO authority VALUES (?1, 1, ?2, 0)"));
  for (std::uint16_t partition = 0; partition < partitions; ++partition) {
    RETURN_IF_ERROR(insert.BindInt(1, partition).BindText(2, release).Run());
  }
  return transaction.Commit();
}

Status AlertStore::SetAuthority(PartitionId partition, const Authority& authority) {
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  ASSIGN_OR_RETURN(const auto present, ReadAuthority());
  const auto at = present.find(partition);
  if (at != present.end() && at->second.epoch >= authority.epoch) {
    return Error{Code::kInvalid, "an authority epoch only rises"};
  }
  ASSIGN_OR_RETURN(store::Statement replace,
                   database_.Prepare("INSERT OR REPLACE INTO authority VALUES (?1, ?2, ?3, ?4)"));
  RETURN_IF_ERROR(replace.BindInt(1, partition.value)
                      .BindInt(2, Signed(authority.epoch.value))
                      .BindText(3, authority.release)
                      .BindInt(4, Signed(authority.first.value))
                      .Run());
  return transaction.Commit();
}

Result<std::map<PartitionId, Offset>> AlertStore::ReadPositions() {
  ASSIGN_OR_RETURN(store::Statement rows,
                   database_.Prepare("SELECT partition, next_offset FROM positions"));
  std::map<PartitionId, Offset> out;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    out[PartitionId{static_cast<std::uint16_t>(rows.Int(0))}] = Offset{Unsigned(rows.Int(1))};
  }
}

Result<std::optional<log::Position>> AlertStore::ReadJournalPosition(const std::string& release,
                                                                     ShardId shard) {
  ASSIGN_OR_RETURN(store::Statement row,
                   database_.Prepare(
                       "SELECT position FROM journal_positions WHERE release = ?1 AND shard = ?2"));
  ASSIGN_OR_RETURN(const bool found, row.BindText(1, release).BindInt(2, shard.value).Step());
  if (!found) return std::optional<log::Position>();
  ASSIGN_OR_RETURN(log::Position position, log::Position::Decode(AsBytes(row.Blob(0))));
  return std::optional(std::move(position));
}

Result<Committed> AlertStore::Commit(const Commitment& commitment) {
  Committed done;
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  // After the lock is taken: who erases has written the list before it takes the lock, so either it
  // removes what is committed here, or the list is seen here.
  if (commitment.erased != nullptr) {
    // Whatever is wrong with it: nothing is published that may be of somebody erased, and it is
    // tried again.
    if (const auto looked = commitment.erased->Refresh(); !looked.ok()) {
      return Error{Code::kUnavailable, "the erasure list: " + looked.error().message};
    }
  }
  for (const auto& [partition, part] : commitment.parts) {
    RETURN_IF_ERROR(CommitPart(commitment, partition, part, done));
  }
  if (commitment.journal_position) {
    RETURN_IF_ERROR(statements_->set_journal->BindText(1, commitment.release)
                        .BindInt(2, commitment.shard.value)
                        .BindBlob(3, commitment.journal_position->Encode())
                        .Run());
  }
  RETURN_IF_ERROR(transaction.Commit());
  return done;
}

Status AlertStore::CommitPart(const Commitment& commitment, PartitionId partition, const Part& part,
                              Committed& done) {
  const auto expected = commitment.expected.find(partition);
  store::Statement& authority = *statements_->authority;
  ASSIGN_OR_RETURN(const bool known, authority.BindInt(1, partition.value).Step());
  const bool same = known && expected != commitment.expected.end() &&
                    expected->second == Authority{AuthorityEpoch{Unsigned(authority.Int(0))},
                                                  std::string(authority.Text(1)),
                                                  Offset{Unsigned(authority.Int(2))}};
  authority.Reset();
  if (!same || expected->second.release != commitment.release) {
    return Error{Code::kRefused, "the authority over a partition has changed"};
  }
  store::Statement& position = *statements_->position;
  ASSIGN_OR_RETURN(const bool placed, position.BindInt(1, partition.value).Step());
  const Offset published{placed ? Unsigned(position.Int(0)) : 0};
  position.Reset();
  const Offset from = std::max(published, expected->second.first);
  for (const Output& output : part.outputs) {
    if (Offset{output.input_offset()} < from) {
      ++done.repeats;
      continue;
    }
    if (IsErased(commitment, output)) {
      ++done.erased;
      continue;
    }
    RETURN_IF_ERROR(Upsert(commitment, expected->second, output, done));
  }
  if (part.next <= published) return Ok();
  return statements_->set_position->BindInt(1, partition.value)
      .BindInt(2, Signed(part.next.value))
      .Run();
}

Status AlertStore::Upsert(const Commitment& commitment, const Authority& authority,
                          const Output& output, Committed& done) {
  const internal::v1::Alert& alert = output.alert();
  store::Statement& version = *statements_->version;
  ASSIGN_OR_RETURN(const bool exists, version.BindBlob(1, alert.output_id()).Step());
  if (exists) {
    const std::pair there{Unsigned(version.Int(0)), Unsigned(version.Int(1))};
    version.Reset();
    const std::pair here{authority.epoch.value, std::uint64_t{alert.revision()}};
    if (here == there) return ++done.repeats, Ok();
    if (here < there) return ++done.superseded, Ok();
  }
  Output cleared;
  const Output* shown = &output;
  if (alert.has_cell() && !IsCoarseEnough(alert.cell())) {
    cleared = output;
    cleared.mutable_alert()->clear_cell();
    shown = &cleared;
    ++done.cells_refused;
  }
  RETURN_IF_ERROR(statements_->change->BindBlob(1, alert.output_id())
                      .BindInt(2, Signed(authority.epoch.value))
                      .BindInt(3, alert.revision())
                      .BindText(4, AlertJson(*shown, authority, commitment.publish_time))
                      .Run());
  store::Statement& upsert = *statements_->upsert;
  BindPayload(*shown, upsert);
  BindStamps(*shown, authority, commitment.publish_time, database_.last_insert_id(), upsert);
  RETURN_IF_ERROR(upsert.Run());
  ++done.changes;
  if (!exists) ++done.opened;
  return Ok();
}

Result<std::uint64_t> AlertStore::NewestChange() {
  ASSIGN_OR_RETURN(const bool row, statements_->newest->Step());
  const std::uint64_t newest = row ? Unsigned(statements_->newest->Int(0)) : 0;
  statements_->newest->Reset();
  return newest;
}

Result<std::vector<AlertChange>> AlertStore::ChangesAfter(std::uint64_t after,
                                                          std::size_t bytes_max) {
  std::vector<AlertChange> out;
  if (after > Unsigned(INT64_MAX)) return out;
  store::Statement& rows = *statements_->after;
  rows.BindInt(1, Signed(after));
  std::size_t bytes = 0;
  while (bytes < bytes_max) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    out.push_back({Unsigned(rows.Int(0)), std::string(rows.Text(1))});
    bytes += out.back().data.size();
  }
  rows.Reset();
  return out;
}

Result<std::string> AlertStore::ListJson(std::size_t limit) {
  store::Statement& rows = *statements_->list;
  rows.BindInt(1, static_cast<std::int64_t>(std::min(limit, kAlertsListedMax)));
  std::string out = "{\"alerts\":[";
  for (bool first = true;; first = false) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    if (!first) out += ",";
    out += rows.Text(0);
  }
  return out + "]}\n";
}

}  // namespace telltale::publish
