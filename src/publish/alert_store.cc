#include "publish/alert_store.h"

#include <algorithm>

#include "base/cell.h"
#include "base/disk.h"
#include "base/vehicle_class.h"
#include "publish/alert_json.h"
#include "publish/alert_statements.h"
#include "publish/alert_store_schema.h"

namespace telltale::publish {
namespace {

using Output = internal::v1::JournalEntry::Output;

constexpr std::int32_t kApplicationId = 0x54544131;

constexpr std::string_view kUpsertSql =
    "INSERT OR REPLACE INTO alerts VALUES "
    "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,"
    "?26,?27,?28)";

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
  return commitment.erased->Contains(VehicleOf(output));
}

}  // namespace

VehicleRef VehicleOf(const Output& output) {
  VehicleRef ref;
  const std::string& bytes = output.alert().vehicle_ref();  // 16: JournalFollower has checked it
  std::copy_n(bytes.begin(), std::min(bytes.size(), ref.bytes.size()), ref.bytes.begin());
  return ref;
}

Result<AlertStore> AlertStore::Open(const std::string& path, const store::DiskVfs* vfs) {
  PosixDisk disk;
  if (path != ":memory:" && vfs == nullptr) {
    RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path), 0750));
  }
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(path, {.application_id = kApplicationId,
                                                .migrations = kAlertMigrations,
                                                .overwrite_deleted = true,  // of erased vehicles
                                                .vfs = vfs}));
  AlertStore store(std::move(database));
  RETURN_IF_ERROR(store.Prepare(false));
  return store;
}

Result<AlertStore> AlertStore::OpenReadOnly(const std::string& path, const store::DiskVfs* vfs) {
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(path, {.application_id = kApplicationId,
                                                .migrations = kAlertMigrations,
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
  RETURN_IF_ERROR(PrepareAuthority());
  RETURN_IF_ERROR(PrepareEpisodes());
  RETURN_IF_ERROR(prepare(s.change,
                          "INSERT INTO alert_changes (output_id, authority_epoch, revision, data) "
                          "VALUES (?1, ?2, ?3, ?4)"));
  RETURN_IF_ERROR(prepare(s.upsert, kUpsertSql));
  RETURN_IF_ERROR(prepare(s.set_position, "INSERT OR REPLACE INTO positions VALUES (?1, ?2)"));
  return prepare(s.set_journal, "INSERT OR REPLACE INTO journal_positions VALUES (?1, ?2, ?3)");
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
  RETURN_IF_ERROR(transaction.Commit());
  return done;
}

Status AlertStore::CommitPart(const Commitment& commitment, PartitionId partition, const Part& part,
                              Committed& done) {
  const auto expected = commitment.expected.find(partition);
  ASSIGN_OR_RETURN(const Lanes before, ReadLanesOf(partition));
  if (expected == commitment.expected.end() || before.lanes.empty() ||
      expected->second != before.epoch) {
    return Error{Code::kRefused, "the authority over a partition has changed"};
  }
  const auto from = before.NextOf(commitment.release);
  if (from && *from < part.from) {
    return Error{Code::kRefused, "a lane is not as far as what is to be published"};
  }
  RETURN_IF_ERROR(Publish(commitment, before, part, done));
  Lanes after = before;
  Advance(after, commitment.release, part.next);
  RETURN_IF_ERROR(WriteNext(partition, before, after));
  Lanes merged = after;
  Merge(merged);
  if (merged.lanes.size() < after.lanes.size()) {
    // A row that goes on under another's epoch says what that one says: nobody wished for it now.
    RETURN_IF_ERROR(ReplaceLanes(partition, {after, merged}, {}, commitment.publish_time));
  }
  done.lanes[partition] = std::move(merged);
  return Ok();
}

Status AlertStore::Publish(const Commitment& commitment, const Lanes& lanes, const Part& part,
                           Committed& done) {
  for (const Output& output : part.outputs) {
    const Lane& lane = lanes.LaneOf(VehicleOf(output));
    if (lane.release != commitment.release) {
      ++done.others;
      continue;
    }
    if (Offset{output.input_offset()} < std::max(lane.next, lane.first)) {
      ++done.repeats;
      continue;
    }
    if (IsErased(commitment, output)) {
      ++done.erased;
      continue;
    }
    const Authority authority{.epoch = lane.epoch, .release = lane.release, .first = lane.first};
    RETURN_IF_ERROR(Upsert(commitment, authority, output, done));
  }
  return Ok();
}

Status AlertStore::Upsert(const Commitment& commitment, const Authority& authority,
                          const Output& output, Committed& done) {
  ASSIGN_OR_RETURN(const Name name, NameOf(authority, output, done));
  if (name.there.exists) {
    const std::pair there{name.there.epoch, name.there.revision};
    const std::pair here{authority.epoch.value, name.revision};
    if (here == there) return ++done.repeats, Ok();
    if (here < there) return ++done.superseded, Ok();
  }
  Output shown = output;
  internal::v1::Alert& alert = *shown.mutable_alert();
  alert.set_output_id(name.output_id);
  alert.set_revision(static_cast<std::uint32_t>(name.revision));
  if (alert.has_cell() && !IsCoarseEnough(alert.cell())) {
    alert.clear_cell();
    ++done.cells_refused;
  }
  RETURN_IF_ERROR(statements_->change->BindBlob(1, alert.output_id())
                      .BindInt(2, Signed(authority.epoch.value))
                      .BindInt(3, alert.revision())
                      .BindText(4, AlertJson(shown, authority, commitment.publish_time))
                      .Run());
  store::Statement& upsert = *statements_->upsert;
  BindPayload(shown, upsert);
  BindStamps(shown, authority, commitment.publish_time, database_.last_insert_id(), upsert);
  RETURN_IF_ERROR(upsert.Run());
  ++done.changes;
  if (!name.there.exists) ++done.opened;
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
