// Who speaks for whom, as the alert store keeps it: lanes, ledger, orders, and the config record
// that asked for them.
#include <algorithm>

#include "contract/cohort_wire.h"
#include "publish/alert_statements.h"

namespace telltale::publish {
namespace {

// As `orders` has it: without the share, which is not looked at.
std::string BytesOf(const Cohort& order) {
  internal::v1::Cohort cohort;
  cohort.set_salt(order.salt);
  for (const VehicleRef& ref : order.always) cohort.add_always(std::string(AsText(ref.bytes)));
  for (const VehicleRef& ref : order.never) cohort.add_never(std::string(AsText(ref.bytes)));
  return cohort.SerializeAsString();
}

// Next to it, in the ledger and in `authority`, a lane is the same whatever its place is.
bool IsSame(const Lane& a, const Lane& b) {
  return a.lot_from == b.lot_from && a.lot_to == b.lot_to && a.release == b.release &&
         a.epoch == b.epoch;
}

bool Has(const Lanes& lanes, const Lane& lane) {
  return std::any_of(lanes.lanes.begin(), lanes.lanes.end(),
                     [&lane](const Lane& other) { return IsSame(lane, other); });
}

}  // namespace

Result<Cohort> AlertStore::OrderOf(std::int64_t number) {
  if (const auto known = orders_.find(number); known != orders_.end()) return known->second;
  ASSIGN_OR_RETURN(store::Statement row,
                   database_.Prepare("SELECT cohort FROM orders WHERE order_number = ?1"));
  ASSIGN_OR_RETURN(const bool found, row.BindInt(1, number).Step());
  internal::v1::Cohort cohort;
  if (!found || !cohort.ParseFromString(std::string(row.Blob(0)))) {
    return Error{Code::kCorrupt, "an order of lots is not there or no order"};
  }
  return orders_[number] = contract::CohortOf(cohort);
}

Result<std::int64_t> AlertStore::NumberOfOrder(const Cohort& order) {
  for (const auto& [number, known] : orders_) {
    if (known == order) return number;
  }
  const std::string bytes = BytesOf(order);
  ASSIGN_OR_RETURN(store::Statement insert,
                   database_.Prepare("INSERT OR IGNORE INTO orders (cohort) VALUES (?1)"));
  RETURN_IF_ERROR(insert.BindBlob(1, bytes).Run());
  ASSIGN_OR_RETURN(store::Statement row,
                   database_.Prepare("SELECT order_number FROM orders WHERE cohort = ?1"));
  ASSIGN_OR_RETURN(const bool found, row.BindBlob(1, bytes).Step());
  if (!found) return Error{Code::kCorrupt, "an order of lots is not there"};
  return row.Int(0);  // into orders_ when it is read: this transaction may still fail
}

Result<Lanes> AlertStore::ReadLanesOf(PartitionId partition) {
  Lanes lanes;
  store::Statement& epoch = *statements_->epoch;
  ASSIGN_OR_RETURN(const bool known, epoch.BindInt(1, partition.value).Step());
  if (!known) return lanes;
  lanes.epoch = AuthorityEpoch{Unsigned(epoch.Int(0))};
  const std::int64_t order = epoch.Int(1);
  epoch.Reset();
  ASSIGN_OR_RETURN(lanes.order, OrderOf(order));
  store::Statement& rows = *statements_->lanes;
  rows.BindInt(1, partition.value);
  std::uint32_t lot = 0;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    lanes.lanes.push_back({.lot_from = static_cast<std::uint32_t>(rows.Int(0)),
                           .lot_to = static_cast<std::uint32_t>(rows.Int(1)),
                           .release = std::string(rows.Text(3)),
                           .epoch = AuthorityEpoch{Unsigned(rows.Int(2))},
                           .first = Offset{Unsigned(rows.Int(4))},
                           .next = Offset{Unsigned(rows.Int(5))}});
    const Lane& lane = lanes.lanes.back();
    if (lane.lot_from != lot || lane.lot_to <= lot) break;
    lot = lane.lot_to;
  }
  rows.Reset();
  if (lot == kLots) return lanes;
  return Error{Code::kCorrupt, "the lanes of a partition have a hole"};
}

Result<std::map<PartitionId, Lanes>> AlertStore::ReadLanes() {
  ASSIGN_OR_RETURN(store::Statement rows,
                   database_.Prepare("SELECT partition FROM authority_epochs ORDER BY partition"));
  std::map<PartitionId, Lanes> out;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    const PartitionId partition{static_cast<std::uint16_t>(rows.Int(0))};
    ASSIGN_OR_RETURN(out[partition], ReadLanesOf(partition));
  }
}

Status AlertStore::InstallAuthority(const std::string& release, std::uint16_t partitions) {
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  ASSIGN_OR_RETURN(const auto present, ReadLanes());
  if (!present.empty()) return Ok();
  for (std::uint16_t partition = 0; partition < partitions; ++partition) {
    RETURN_IF_ERROR(ReplaceLanes(PartitionId{partition}, {{}, FirstLanes(release)}, {}, {}));
  }
  return transaction.Commit();
}

Status AlertStore::ChangeAuthority(const AuthorityChange& change) {
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  for (const auto& [partition, one] : change.partitions) {
    ASSIGN_OR_RETURN(const Lanes present, ReadLanesOf(partition));
    if (present != one.before) {
      return Error{Code::kRefused, "the authority over a partition has changed"};
    }
    RETURN_IF_ERROR(ReplaceLanes(partition, one, change.wanted, change.at));
  }
  if (!change.signed_config.empty()) {
    ASSIGN_OR_RETURN(
        store::Statement keep,
        database_.Prepare("INSERT OR REPLACE INTO control_config SELECT 1, ?1, ?2, "
                          "max(?3, coalesce((SELECT leader_epoch FROM control_config), 0)), ?4"));
    RETURN_IF_ERROR(keep.BindBlob(1, change.signed_config)
                        .BindInt(2, Signed(change.wanted.seq.value))
                        .BindInt(3, Signed(change.wanted.leader_epoch))
                        .BindInt(4, change.at.value)
                        .Run());
  }
  return transaction.Commit();
}

Status AlertStore::PrepareAuthority() {
  Statements& s = *statements_;
  const auto prepare = [this](std::optional<store::Statement>& into, std::string_view sql) {
    auto statement = database_.Prepare(sql);
    if (statement.ok()) into.emplace(std::move(statement).value());
    return statement.ok() ? Ok() : Status(statement.error());
  };
  RETURN_IF_ERROR(prepare(s.epoch,
                          "SELECT authority_epoch, order_number FROM authority_epochs "
                          "WHERE partition = ?1"));
  RETURN_IF_ERROR(prepare(s.lanes,
                          "SELECT lot_from, lot_to, authority_epoch, release, first_offset, "
                          "next_offset FROM authority WHERE partition = ?1 ORDER BY lot_from"));
  RETURN_IF_ERROR(prepare(s.set_next,
                          "UPDATE authority SET next_offset = ?3 "
                          "WHERE partition = ?1 AND lot_from = ?2"));
  RETURN_IF_ERROR(
      prepare(s.set_epoch, "INSERT OR REPLACE INTO authority_epochs VALUES (?1, ?2, ?3)"));
  RETURN_IF_ERROR(prepare(s.close_row,
                          "UPDATE ledger SET to_offset = ?3 WHERE partition = ?1 AND "
                          "lot_from = ?2 AND to_offset IS NULL"));
  RETURN_IF_ERROR(prepare(s.remove_lanes, "DELETE FROM authority WHERE partition = ?1"));
  RETURN_IF_ERROR(prepare(s.add_lane, "INSERT INTO authority VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  // What is known of a flip goes on with its epoch.
  return prepare(
      s.open_row,
      "INSERT INTO ledger (partition, lot_from, lot_to, authority_epoch, release, from_offset, "
      "order_number, config_seq, rollout, audit_entry, at_us) "
      "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(k.config_seq, ?8), coalesce(k.rollout, ?9), "
      "coalesce(k.audit_entry, ?10), ?11 FROM (SELECT 1) LEFT JOIN (SELECT config_seq, rollout, "
      "audit_entry FROM ledger WHERE partition = ?1 AND authority_epoch = ?4 "
      "ORDER BY number LIMIT 1) k");
}

// Lanes that are not the same any more end in the ledger at their place, and those that are new
// begin at theirs.
Status AlertStore::ReplaceLanes(PartitionId partition, const AuthorityChange::One& one,
                                const Wanted& wanted, Micros at) {
  ASSIGN_OR_RETURN(const std::int64_t order, NumberOfOrder(one.after.order));
  Statements& s = *statements_;
  RETURN_IF_ERROR(s.set_epoch->BindInt(1, partition.value)
                      .BindInt(2, Signed(one.after.epoch.value))
                      .BindInt(3, order)
                      .Run());
  for (const Lane& lane : one.before.lanes) {
    if (Has(one.after, lane)) continue;
    RETURN_IF_ERROR(s.close_row->BindInt(1, partition.value)
                        .BindInt(2, lane.lot_from)
                        .BindInt(3, Signed(lane.next.value))
                        .Run());
  }
  RETURN_IF_ERROR(s.remove_lanes->BindInt(1, partition.value).Run());
  for (const Lane& lane : one.after.lanes) {
    const auto bind = [&](store::Statement& to) -> store::Statement& {
      return to.BindInt(1, partition.value)
          .BindInt(2, lane.lot_from)
          .BindInt(3, lane.lot_to)
          .BindInt(4, Signed(lane.epoch.value))
          .BindText(5, lane.release);
    };
    RETURN_IF_ERROR(bind(*s.add_lane)
                        .BindInt(6, Signed(lane.first.value))
                        .BindInt(7, Signed(lane.next.value))
                        .Run());
    if (Has(one.before, lane)) continue;
    RETURN_IF_ERROR(bind(*s.open_row)
                        .BindInt(6, Signed(lane.next.value))
                        .BindInt(7, order)
                        .BindInt(8, Signed(wanted.seq.value))
                        .BindText(9, wanted.rollout ? wanted.rollout->id : "")
                        .BindInt(10, Signed(wanted.audit_entry))
                        .BindInt(11, at.value)
                        .Run());
  }
  return Ok();
}

Status AlertStore::WriteNext(PartitionId partition, const Lanes& before, const Lanes& after) {
  for (std::size_t n = 0; n < after.lanes.size(); ++n) {
    const Lane& lane = after.lanes[n];
    if (lane.next == before.lanes[n].next) continue;
    RETURN_IF_ERROR(statements_->set_next->BindInt(1, partition.value)
                        .BindInt(2, lane.lot_from)
                        .BindInt(3, Signed(lane.next.value))
                        .Run());
  }
  if (after.LowestNext() == before.LowestNext()) return Ok();
  return statements_->set_position->BindInt(1, partition.value)
      .BindInt(2, Signed(after.LowestNext().value))
      .Run();
}

Result<std::vector<LedgerRow>> AlertStore::ReadLedger() {
  ASSIGN_OR_RETURN(
      store::Statement rows,
      database_.Prepare("SELECT number, partition, lot_from, lot_to, authority_epoch, release, "
                        "from_offset, to_offset, order_number, config_seq, rollout, audit_entry, "
                        "at_us FROM ledger ORDER BY number"));
  std::vector<LedgerRow> out;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    LedgerRow row{.number = Unsigned(rows.Int(0)),
                  .partition = PartitionId{static_cast<std::uint16_t>(rows.Int(1))},
                  .lot_from = static_cast<std::uint32_t>(rows.Int(2)),
                  .lot_to = static_cast<std::uint32_t>(rows.Int(3)),
                  .authority_epoch = AuthorityEpoch{Unsigned(rows.Int(4))},
                  .release = std::string(rows.Text(5)),
                  .from = Offset{Unsigned(rows.Int(6))},
                  .to = std::nullopt,
                  .order = {},
                  .config_seq = ConfigSeq{Unsigned(rows.Int(9))},
                  .rollout = std::string(rows.Text(10)),
                  .audit_entry = Unsigned(rows.Int(11)),
                  .at = Micros{rows.Int(12)}};
    if (!rows.IsNull(7)) row.to = Offset{Unsigned(rows.Int(7))};
    ASSIGN_OR_RETURN(row.order, OrderOf(rows.Int(8)));
    out.push_back(std::move(row));
  }
}

Result<std::optional<KeptConfig>> AlertStore::ReadConfig() {
  ASSIGN_OR_RETURN(store::Statement row,
                   database_.Prepare("SELECT signed_config, leader_epoch FROM control_config"));
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::optional<KeptConfig>();
  return std::optional(KeptConfig{std::string(row.Blob(0)), Unsigned(row.Int(1))});
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

Status AlertStore::KeepJournalPositions(const std::vector<JournalPosition>& positions) {
  if (positions.empty()) return Ok();
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  for (const JournalPosition& one : positions) {
    RETURN_IF_ERROR(statements_->set_journal->BindText(1, one.release)
                        .BindInt(2, one.shard.value)
                        .BindBlob(3, one.position.Encode())
                        .Run());
  }
  return transaction.Commit();
}

}  // namespace telltale::publish
