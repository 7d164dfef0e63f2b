// Erasing one vehicle from the alert store, and showing what is there of it.
#include <algorithm>
#include <array>

#include "publish/alert_store.h"

namespace telltale::publish {
namespace {

constexpr const char* kFind =
    "SELECT number FROM alert_changes WHERE number > ?1 AND instr(data, ?2) > 0 ORDER BY number";

// Ids are made of the reference among others.
constexpr std::array kForgetEpisodes = {
    "DELETE FROM episode_ids WHERE published_id IN "
    "(SELECT output_id FROM alerts WHERE vehicle_ref = ?1)",
    "DELETE FROM alerts_left_open WHERE output_id IN "
    "(SELECT output_id FROM alerts WHERE vehicle_ref = ?1)"};

// The numbers after `after` whose line names the vehicle.
Result<std::vector<std::int64_t>> FindChanges(store::Database& database, std::int64_t after,
                                              const std::string& ref_hex) {
  ASSIGN_OR_RETURN(store::Statement rows, database.Prepare(kFind));
  rows.BindInt(1, after).BindText(2, ref_hex);
  std::vector<std::int64_t> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return found;
    found.push_back(rows.Int(0));
  }
}

Result<std::int64_t> CountOf(store::Database& database, const char* sql,
                             const std::string& ref_hex) {
  ASSIGN_OR_RETURN(store::Statement count, database.Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, count.BindText(1, ref_hex).Step());
  return row ? count.Int(0) : 0;
}

}  // namespace

Result<VehicleErased> AlertStore::EraseVehicle(const VehicleRef& vehicle) {
  const std::string ref_hex = vehicle.ToHex();
  // The long look over all lines without the lock; only what came meanwhile is looked at under it.
  ASSIGN_OR_RETURN(const std::uint64_t looked_to, NewestChange());
  ASSIGN_OR_RETURN(std::vector<std::int64_t> numbers, FindChanges(database_, 0, ref_hex));
  VehicleErased erased;
  {
    ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
    const std::int64_t seen =
        std::max(static_cast<std::int64_t>(looked_to), numbers.empty() ? 0 : numbers.back());
    ASSIGN_OR_RETURN(const auto later, FindChanges(database_, seen, ref_hex));
    numbers.insert(numbers.end(), later.begin(), later.end());
    ASSIGN_OR_RETURN(store::Statement remove,
                     database_.Prepare("DELETE FROM alert_changes WHERE number = ?1"));
    for (const std::int64_t number : numbers) RETURN_IF_ERROR(remove.BindInt(1, number).Run());
    erased.changes = numbers.size();
    for (const char* const sql : kForgetEpisodes) {
      ASSIGN_OR_RETURN(store::Statement forget, database_.Prepare(sql));
      RETURN_IF_ERROR(forget.BindText(1, ref_hex).Run());
    }
    ASSIGN_OR_RETURN(store::Statement alerts,
                     database_.Prepare("DELETE FROM alerts WHERE vehicle_ref = ?1"));
    RETURN_IF_ERROR(alerts.BindText(1, ref_hex).Run());
    erased.alerts = static_cast<std::uint64_t>(database_.changes());
    RETURN_IF_ERROR(transaction.Commit());
  }
  RETURN_IF_ERROR(database_.EmptyWriteAheadLog());
  return erased;
}

Result<VehicleErased> AlertStore::CountVehicle(const VehicleRef& vehicle) {
  const std::string ref_hex = vehicle.ToHex();
  VehicleErased counted;
  ASSIGN_OR_RETURN(
      const std::int64_t alerts,
      CountOf(database_, "SELECT count(*) FROM alerts WHERE vehicle_ref = ?1", ref_hex));
  ASSIGN_OR_RETURN(
      const std::int64_t changes,
      CountOf(database_, "SELECT count(*) FROM alert_changes WHERE instr(data, ?1) > 0", ref_hex));
  counted.alerts = static_cast<std::uint64_t>(alerts);
  counted.changes = static_cast<std::uint64_t>(changes);
  return counted;
}

Result<std::vector<std::string>> AlertStore::AlertsOf(const VehicleRef& vehicle) {
  ASSIGN_OR_RETURN(store::Statement rows,
                   database_.Prepare("SELECT c.data FROM alerts a JOIN alert_changes c ON "
                                     "c.number = a.change_number WHERE a.vehicle_ref = ?1 "
                                     "ORDER BY a.change_number"));
  rows.BindText(1, vehicle.ToHex());
  std::vector<std::string> lines;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return lines;
    lines.emplace_back(rows.Text(0));
  }
}

}  // namespace telltale::publish
