// Erasing one vehicle from the registry.
//
// The log of changes refuses to forget, by triggers; erasing is the one exception. Inside the
// transaction the triggers of the tables it touches are taken away and made again as they were, so
// a crash or failure leaves them in force.
#include <algorithm>

#include "registry/registry.h"

namespace telltale::registry {
namespace {

constexpr int kDrawsMax = 16;
// Above every ownership epoch that a person gives.
constexpr std::uint32_t kRedraw = 1u << 24;

struct Trigger {
  std::string name;
  std::string sql;
};

Result<std::vector<std::string>> TablesWithRef(store::Database& database) {
  ASSIGN_OR_RETURN(store::Statement rows,
                   database.Prepare("SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) "
                                    "c WHERE t.type = 'table' AND c.name = 'vehicle_ref'"));
  std::vector<std::string> tables;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return tables;
    tables.emplace_back(rows.Text(0));
  }
}

Result<std::vector<Trigger>> TriggersOf(store::Database& database, const std::string& table) {
  ASSIGN_OR_RETURN(store::Statement rows,
                   database.Prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' "
                                    "AND tbl_name = ?1"));
  rows.BindText(1, table);
  std::vector<Trigger> triggers;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return triggers;
    triggers.push_back({std::string(rows.Text(0)), std::string(rows.Text(1))});
  }
}

// Names come from our own migrations.
Result<std::uint32_t> DeleteFrom(store::Database& database, const std::string& table,
                                 const VehicleRef& ref) {
  ASSIGN_OR_RETURN(const std::vector<Trigger> triggers, TriggersOf(database, table));
  for (const Trigger& trigger : triggers) {
    RETURN_IF_ERROR(database.Execute("DROP TRIGGER " + trigger.name));
  }
  std::uint32_t deleted = 0;
  {
    ASSIGN_OR_RETURN(store::Statement remove,
                     database.Prepare("DELETE FROM " + table + " WHERE vehicle_ref = ?1"));
    RETURN_IF_ERROR(remove.BindBlob(1, AsText(ref.bytes)).Run());
    deleted = static_cast<std::uint32_t>(database.changes());
  }
  for (const Trigger& trigger : triggers) RETURN_IF_ERROR(database.Execute(trigger.sql));
  return deleted;
}

}  // namespace

// A seed draws the same reference for the same VIN and epoch: one that was erased is not given
// again.
Result<Reference> Registry::DrawUnused(const VehicleEntry& entry) {
  if (erased_ != nullptr) {
    ASSIGN_OR_RETURN([[maybe_unused]] const bool grown, erased_->Refresh());
  }
  for (std::uint32_t draw = 0; draw < kDrawsMax; ++draw) {
    const Reference drawn = references_->Draw(entry.vin, entry.ownership_epoch + draw * kRedraw);
    if (erased_ == nullptr || !erased_->Contains(drawn.vehicle_ref)) return drawn;
  }
  return Error{Code::kUnavailable, "every reference that the seed gives this vehicle was erased"};
}

Result<std::uint32_t> Registry::DeleteRows(const VehicleRef& ref) {
  ASSIGN_OR_RETURN(const std::vector<std::string> tables, TablesWithRef(database_));
  std::uint32_t deleted = 0;
  for (const std::string& table : tables) {
    ASSIGN_OR_RETURN(const std::uint32_t rows, DeleteFrom(database_, table, ref));
    deleted += rows;
  }
  return deleted;
}

Status Registry::MakeSuccessor(const VehicleEntry& erased) {
  const Result<Vehicle> left = FindByVin(erased.vin);
  if (!left.ok()) return left.error().code == Code::kNotFound ? Ok() : Status(left.error());
  if (left->entry.ownership_epoch > erased.ownership_epoch) return Ok();
  VehicleEntry successor;
  successor.vin = erased.vin;
  successor.ownership_epoch = erased.ownership_epoch + 1;
  ASSIGN_OR_RETURN([[maybe_unused]] const Vehicle made, Insert(successor, "added_unknown"));
  return Ok();
}

Result<Registry::Erased> Registry::Erase(const VehicleRef& ref) {
  Erased erased;
  {
    ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
    const Result<Vehicle> vehicle = FindByRef(ref);
    if (!vehicle.ok() && vehicle.error().code != Code::kNotFound) return vehicle.error();
    if (vehicle.ok()) {
      ASSIGN_OR_RETURN(const Vehicle in_force, FindByVin(vehicle->entry.vin));
      erased.vin = vehicle->entry.vin;
      erased.was_in_force = in_force.vehicle_ref == ref;
    }
    ASSIGN_OR_RETURN(erased.rows, DeleteRows(ref));
    if (vehicle.ok()) RETURN_IF_ERROR(MakeSuccessor(vehicle->entry));
    RETURN_IF_ERROR(transaction.Commit());
  }
  RETURN_IF_ERROR(database_.EmptyWriteAheadLog());
  return erased;
}

}  // namespace telltale::registry
