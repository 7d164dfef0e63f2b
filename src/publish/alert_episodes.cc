// An episode that is open at a flip keeps the id under which it was published: which alert an
// output of the new release goes on with (docs/formats/alerts-db.md, "Open at a flip").
#include <algorithm>

#include "publish/alert_statements.h"

namespace telltale::publish {
namespace {

using Output = internal::v1::JournalEntry::Output;

bool Closes(const Output& output) {
  return output.alert().state() == internal::v1::EPISODE_STATE_CLOSED;
}

}  // namespace

Status AlertStore::PrepareEpisodes() {
  Statements& s = *statements_;
  const auto prepare = [this](std::optional<store::Statement>& into, std::string_view sql) {
    auto statement = database_.Prepare(sql);
    if (statement.ok()) into.emplace(std::move(statement).value());
    return statement.ok() ? Ok() : Status(statement.error());
  };
  RETURN_IF_ERROR(prepare(s.version,
                          "SELECT authority_epoch, revision, state = 'OPEN' FROM alerts "
                          "WHERE output_id = ?1"));
  RETURN_IF_ERROR(prepare(s.named,
                          "SELECT authority_epoch, published_id, revision_added FROM episode_ids "
                          "WHERE output_id = ?1 ORDER BY authority_epoch DESC LIMIT 1"));
  RETURN_IF_ERROR(prepare(s.name, "INSERT INTO episode_ids VALUES (?1, ?2, ?3, ?4)"));
  RETURN_IF_ERROR(
      prepare(s.left_open, "INSERT OR IGNORE INTO alerts_left_open VALUES (?1, ?2, ?3)"));
  RETURN_IF_ERROR(prepare(s.open_alerts,
                          "SELECT output_id, release, input_offset, started_at_us, event_time_us "
                          "FROM alerts WHERE vehicle_ref = ?1 AND rule = ?2 AND state = 'OPEN' "
                          "AND release <> ?3 AND output_id <> ?4 "
                          "ORDER BY input_offset DESC, input_index DESC"));
  return prepare(s.tenures,
                 "SELECT release, lot_from, lot_to, order_number FROM ledger WHERE partition = ?1 "
                 "AND (to_offset IS NULL OR to_offset > max(?2, from_offset)) "
                 "ORDER BY from_offset, number");
}

Result<AlertStore::Version> AlertStore::VersionOf(std::string_view output_id) {
  store::Statement& row = *statements_->version;
  ASSIGN_OR_RETURN(const bool exists, row.BindBlob(1, output_id).Step());
  if (!exists) return Version{};
  const Version version{.exists = true,
                        .is_open = row.Int(2) != 0,
                        .epoch = Unsigned(row.Int(0)),
                        .revision = Unsigned(row.Int(1))};
  row.Reset();
  return version;
}

// Whether of the output's vehicle `before` spoke from `from` on, and after it `release` alone.
Result<bool> AlertStore::SpokeUntilTheFlip(const std::string& before, Offset from,
                                           const std::string& release, const Output& output) {
  store::Statement& rows = *statements_->tenures;
  rows.BindInt(1, output.partition()).BindInt(2, Signed(from.value));
  struct Row {
    std::string release;
    std::uint32_t lot_from = 0;
    std::uint32_t lot_to = 0;
    std::int64_t order = 0;
  };
  std::vector<Row> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    found.push_back({.release = std::string(rows.Text(0)),
                     .lot_from = static_cast<std::uint32_t>(rows.Int(1)),
                     .lot_to = static_cast<std::uint32_t>(rows.Int(2)),
                     .order = rows.Int(3)});
  }
  std::vector<std::string> speakers;
  for (const Row& row : found) {
    ASSIGN_OR_RETURN(const Cohort order, OrderOf(row.order));
    const std::uint32_t lot = LotOf(order, VehicleOf(output));
    if (lot < row.lot_from || lot >= row.lot_to) continue;
    if (speakers.empty() || speakers.back() != row.release) speakers.push_back(row.release);
  }
  return speakers == std::vector<std::string>{before, release};
}

// The alert of another release, open in the store, whose episode overlaps that of `output`.
Result<std::optional<std::string>> AlertStore::FindOpen(const Authority& authority,
                                                        const Output& output, Committed& done) {
  const internal::v1::Alert& alert = output.alert();
  struct Open {
    std::string output_id;
    std::string release;
    Offset offset;
    std::int64_t started_at_us = 0;
    std::int64_t known_to_us = 0;
  };
  std::vector<Open> open;
  store::Statement& rows = *statements_->open_alerts;
  rows.BindText(1, HexEncode(alert.vehicle_ref()))
      .BindText(2, alert.rule())
      .BindText(3, authority.release)
      .BindBlob(4, alert.output_id());
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    open.push_back({.output_id = std::string(rows.Blob(0)),
                    .release = std::string(rows.Text(1)),
                    .offset = Offset{Unsigned(rows.Int(2))},
                    .started_at_us = rows.Int(3),
                    .known_to_us = rows.Int(4)});
  }
  for (const Open& one : open) {
    // Whoever opened it said nothing of its end until the flip. An episode that only ends now was
    // there at the flip as well; one that opens now must have begun while that one was known.
    bool overlaps = alert.started_at_us() <= one.known_to_us;
    if (Closes(output)) {
      ASSIGN_OR_RETURN(const bool both,
                       SpokeUntilTheFlip(one.release, one.offset, authority.release, output));
      overlaps = (overlaps || both) && one.started_at_us <= alert.ended_at_us();
    }
    if (overlaps) return std::optional(one.output_id);
    RETURN_IF_ERROR(statements_->left_open->BindBlob(1, one.output_id)
                        .BindInt(2, Signed(authority.epoch.value))
                        .BindInt(3, Signed(output.input_offset()))
                        .Run());
    done.left_open += static_cast<std::uint64_t>(database_.changes());
  }
  return std::optional<std::string>();
}

// An id has a home: its own alert, or the one it went on with the last time. It goes on there,
// unless that is not open and another release's overlapping one is.
Result<AlertStore::Name> AlertStore::NameOf(const Authority& authority, const Output& output,
                                            Committed& done) {
  const std::string& own = output.alert().output_id();
  const std::uint64_t own_revision = output.alert().revision();
  Name name{.output_id = own, .revision = own_revision};
  if (authority.epoch.value <= 1) {  // nothing was ever flipped
    ASSIGN_OR_RETURN(name.there, VersionOf(own));
    return name;
  }
  store::Statement& named = *statements_->named;
  ASSIGN_OR_RETURN(const bool found, named.BindBlob(1, own).Step());
  std::optional<std::uint64_t> added;
  if (found) {
    name.output_id = std::string(named.Blob(1));
    if (Unsigned(named.Int(0)) == authority.epoch.value) added = Unsigned(named.Int(2));
    named.Reset();
  }
  ASSIGN_OR_RETURN(name.there, VersionOf(name.output_id));
  if (added) {
    name.revision += *added;
    return name;
  }
  if (!name.there.is_open) {
    ASSIGN_OR_RETURN(const auto open, FindOpen(authority, output, done));
    if (open) {
      name.output_id = *open;
      ASSIGN_OR_RETURN(name.there, VersionOf(name.output_id));
    }
  }
  if (name.there.exists && name.there.epoch < authority.epoch.value) {
    name.revision = std::max(own_revision, name.there.revision + 1);
  }
  if (name.output_id == own && name.revision == own_revision) return name;
  if (name.output_id != own) ++done.continued;
  RETURN_IF_ERROR(statements_->name->BindBlob(1, own)
                      .BindInt(2, Signed(authority.epoch.value))
                      .BindBlob(3, name.output_id)
                      .BindInt(4, Signed(name.revision - own_revision))
                      .Run());
  return name;
}

}  // namespace telltale::publish
