#include "registry/registry.h"

#include <fmt/format.h>

#include <algorithm>

namespace telltale::registry {
namespace {

constexpr std::int32_t kApplicationId = 0x74740001;

const char* const kMigrations[] = {
    R"(CREATE TABLE vehicles (
         vehicle_id INTEGER PRIMARY KEY,
         vin TEXT NOT NULL,
         ownership_epoch INTEGER NOT NULL CHECK (ownership_epoch >= 1),
         vehicle_ref BLOB NOT NULL UNIQUE CHECK (length(vehicle_ref) = 16),
         model TEXT NOT NULL,
         vehicle_class INTEGER NOT NULL CHECK (vehicle_class BETWEEN 0 AND 5),
         fuel TEXT NOT NULL,
         odometer_offset_km REAL NOT NULL CHECK (odometer_offset_km BETWEEN 0 AND 1000000),
         added_at_us INTEGER NOT NULL,
         UNIQUE (vin, ownership_epoch)) STRICT;
       CREATE TABLE vehicle_changes (
         change_id INTEGER PRIMARY KEY AUTOINCREMENT,
         changed_at_us INTEGER NOT NULL,
         change TEXT NOT NULL CHECK (change IN ('added', 'added_unknown', 'updated', 'new_owner')),
         vehicle_ref BLOB NOT NULL CHECK (length(vehicle_ref) = 16),
         ownership_epoch INTEGER NOT NULL,
         model TEXT NOT NULL,
         vehicle_class INTEGER NOT NULL,
         fuel TEXT NOT NULL) STRICT;
       CREATE TRIGGER vehicle_changes_no_update BEFORE UPDATE ON vehicle_changes
         BEGIN SELECT RAISE(ABORT, 'vehicle_changes is append-only'); END;
       CREATE TRIGGER vehicle_changes_no_delete BEFORE DELETE ON vehicle_changes
         BEGIN SELECT RAISE(ABORT, 'vehicle_changes is append-only'); END;)",
    // 2: what was chosen for a vehicle. NULL is the environment's default.
    R"(CREATE TABLE vehicle_choices (
         vehicle_ref BLOB PRIMARY KEY CHECK (length(vehicle_ref) = 16),
         choice_number INTEGER NOT NULL,
         precise INTEGER CHECK (precise IN (0, 1)),
         cell INTEGER CHECK (cell IN (0, 1)),
         behaviour INTEGER CHECK (behaviour IN (0, 1))) STRICT, WITHOUT ROWID;
       CREATE TABLE choice_changes (
         choice_number INTEGER PRIMARY KEY AUTOINCREMENT,
         changed_at_us INTEGER NOT NULL,
         changed_by_uid INTEGER NOT NULL,
         vehicle_ref BLOB NOT NULL CHECK (length(vehicle_ref) = 16),
         precise INTEGER CHECK (precise IN (0, 1)),
         cell INTEGER CHECK (cell IN (0, 1)),
         behaviour INTEGER CHECK (behaviour IN (0, 1))) STRICT;
       CREATE TABLE choice_in_force (
         vehicle_ref BLOB NOT NULL CHECK (length(vehicle_ref) = 16),
         choice_number INTEGER NOT NULL,
         taken_at_us INTEGER NOT NULL,
         log_partition INTEGER NOT NULL,
         safety_offset INTEGER NOT NULL,
         telemetry_offset INTEGER NOT NULL,
         sealed_offset INTEGER NOT NULL,
         PRIMARY KEY (vehicle_ref, choice_number)) STRICT, WITHOUT ROWID;
       CREATE TRIGGER choice_changes_no_update BEFORE UPDATE ON choice_changes
         BEGIN SELECT RAISE(ABORT, 'choice_changes is append-only'); END;
       CREATE TRIGGER choice_changes_no_delete BEFORE DELETE ON choice_changes
         BEGIN SELECT RAISE(ABORT, 'choice_changes is append-only'); END;
       CREATE TRIGGER choice_in_force_no_update BEFORE UPDATE ON choice_in_force
         BEGIN SELECT RAISE(ABORT, 'choice_in_force is append-only'); END;
       CREATE TRIGGER choice_in_force_no_delete BEFORE DELETE ON choice_in_force
         BEGIN SELECT RAISE(ABORT, 'choice_in_force is append-only'); END;)",
};

#define VEHICLE_COLUMNS                                                                       \
  "v.vehicle_id, v.vin, v.ownership_epoch, v.vehicle_ref, v.model, v.vehicle_class, v.fuel, " \
  "v.odometer_offset_km, ifnull(c.choice_number, 0), c.precise, c.cell, c.behaviour, "        \
  "EXISTS (SELECT 1 FROM choice_in_force AS f WHERE f.vehicle_ref = c.vehicle_ref AND "       \
  "f.choice_number = c.choice_number) FROM vehicles AS v LEFT JOIN vehicle_choices AS c ON "  \
  "c.vehicle_ref = v.vehicle_ref "

constexpr const char* kByVin =
    "SELECT " VEHICLE_COLUMNS "WHERE v.vin = ? ORDER BY v.ownership_epoch DESC LIMIT 1";
constexpr const char* kByVinAndEpoch =
    "SELECT " VEHICLE_COLUMNS "WHERE v.vin = ? AND v.ownership_epoch = ?";
constexpr const char* kByRef = "SELECT " VEHICLE_COLUMNS "WHERE v.vehicle_ref = ?";
constexpr const char* kPage =
    "SELECT " VEHICLE_COLUMNS
    "WHERE v.vehicle_id > ? AND NOT EXISTS (SELECT 1 FROM vehicles AS n WHERE n.vin = v.vin AND "
    "n.ownership_epoch > v.ownership_epoch) ORDER BY v.vehicle_id LIMIT ?";
constexpr const char* kInsert =
    "INSERT INTO vehicles (vin, ownership_epoch, vehicle_ref, model, vehicle_class, fuel, "
    "odometer_offset_km, added_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kUpdate =
    "UPDATE vehicles SET model = ?, vehicle_class = ?, fuel = ? WHERE vehicle_ref = ?";
constexpr const char* kChange =
    "INSERT INTO vehicle_changes (changed_at_us, change, vehicle_ref, ownership_epoch, model, "
    "vehicle_class, fuel) VALUES (?, ?, ?, ?, ?, ?, ?)";

Result<Vehicle> Row(const store::Statement& row) {
  Vehicle vehicle;
  vehicle.entry.vin = row.Text(1);
  vehicle.entry.ownership_epoch = static_cast<std::uint32_t>(row.Int(2));
  const std::string_view ref = row.Blob(3);
  if (ref.size() != vehicle.vehicle_ref.bytes.size()) {
    return Error{Code::kCorrupt, "registry.db holds a reference that is not 16 bytes"};
  }
  std::copy(ref.begin(), ref.end(), vehicle.vehicle_ref.bytes.begin());
  vehicle.entry.model = row.Text(4);
  vehicle.entry.vehicle_class = static_cast<VehicleClass>(row.Int(5));
  vehicle.entry.fuel = row.Text(6);
  vehicle.odometer_offset_km = row.Real(7);
  vehicle.choice = ChoiceInRow(row, 8);
  vehicle.choice.in_force = row.Int(12) != 0;
  return vehicle;
}

std::string_view BytesOf(const VehicleRef& ref) { return AsText(ref.bytes); }

bool SameDescription(const VehicleEntry& a, const VehicleEntry& b) {
  return a.model == b.model && a.vehicle_class == b.vehicle_class && a.fuel == b.fuel;
}

Status CheckEntry(const VehicleEntry& entry) {
  if (!IsVin(entry.vin)) return Error{Code::kInvalid, "the VIN has characters not allowed"};
  if (!IsModel(entry.model)) return Error{Code::kInvalid, "the model has characters not allowed"};
  if (!IsFuel(entry.fuel)) return Error{Code::kInvalid, "the fuel is not in the list"};
  if (static_cast<std::size_t>(entry.vehicle_class) >= kVehicleClassNames.size()) {
    return Error{Code::kInvalid, "the class is not in the list"};
  }
  if (entry.ownership_epoch == 0) return Error{Code::kInvalid, "ownership epochs start at 1"};
  return Ok();
}

}  // namespace

Result<Registry> Registry::Open(const std::string& path, ReferenceSource& references, Clock& clock,
                                const store::DiskVfs* vfs) {
  store::OpenOptions options;
  options.vfs = vfs;
  options.application_id = kApplicationId;
  options.migrations = kMigrations;
  // What is removed is overwritten: an erased vehicle leaves no bytes in free pages.
  options.overwrite_deleted = true;
  ASSIGN_OR_RETURN(store::Database database, store::Database::Open(path, options));
  return Registry(std::move(database), references, clock);
}

Result<store::Statement*> Registry::Cached(const char* sql) {
  for (auto& [text, statement] : statements_) {
    if (text == sql) return &statement;
  }
  ASSIGN_OR_RETURN(store::Statement prepared, database_.Prepare(sql));
  statements_.reserve(16);  // pointers handed out stay good: there are fewer statements than this
  CHECK(statements_.size() < statements_.capacity());
  statements_.emplace_back(sql, std::move(prepared));
  return &statements_.back().second;
}

Result<Vehicle> Registry::FindByVin(std::string_view vin) {
  ASSIGN_OR_RETURN(store::Statement * find, Cached(kByVin));
  find->BindText(1, vin);
  ASSIGN_OR_RETURN(const bool found, find->Step());
  if (!found) return Error{Code::kNotFound, "no vehicle with this VIN"};
  Result<Vehicle> vehicle = Row(*find);
  find->Reset();
  return vehicle;
}

Result<Vehicle> Registry::FindByVin(std::string_view vin, std::uint32_t ownership_epoch) {
  ASSIGN_OR_RETURN(store::Statement * find, Cached(kByVinAndEpoch));
  find->BindText(1, vin).BindInt(2, ownership_epoch);
  ASSIGN_OR_RETURN(const bool found, find->Step());
  if (!found) return Error{Code::kNotFound, "no vehicle with this VIN in this ownership epoch"};
  Result<Vehicle> vehicle = Row(*find);
  find->Reset();
  return vehicle;
}

Result<Vehicle> Registry::FindByRef(const VehicleRef& ref) {
  ASSIGN_OR_RETURN(store::Statement * find, Cached(kByRef));
  find->BindBlob(1, BytesOf(ref));
  ASSIGN_OR_RETURN(const bool found, find->Step());
  if (!found) return Error{Code::kNotFound, "no vehicle with this reference"};
  Result<Vehicle> vehicle = Row(*find);
  find->Reset();
  return vehicle;
}

Result<Registry::Page> Registry::List(std::int64_t after_id, std::uint32_t limit) {
  ASSIGN_OR_RETURN(store::Statement * list, Cached(kPage));
  list->BindInt(1, after_id).BindInt(2, limit);
  Page page;
  page.last_id = after_id;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, list->Step());
    if (!found) break;
    Result<Vehicle> vehicle = Row(*list);
    if (!vehicle.ok()) {
      list->Reset();
      return vehicle.error();
    }
    page.last_id = list->Int(0);
    page.vehicles.push_back(std::move(vehicle).value());
  }
  page.complete = page.vehicles.size() < limit;
  return page;
}

Result<Registry::Resolved> Registry::Resolve(std::string_view vin) {
  if (!IsVin(vin)) return Error{Code::kInvalid, "a VIN is 17 of A-H J-N P R-Z 0-9"};
  Result<Vehicle> known = FindByVin(vin);
  if (known.ok()) return Resolved{std::move(known).value(), false};
  if (known.error().code != Code::kNotFound) return known.error();

  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  VehicleEntry entry;
  entry.vin = vin;
  ASSIGN_OR_RETURN(Vehicle vehicle, Insert(entry, "added_unknown"));
  RETURN_IF_ERROR(transaction.Commit());
  return Resolved{std::move(vehicle), true};
}

Result<Registry::Imported> Registry::Import(std::span<const VehicleEntry> entries) {
  ASSIGN_OR_RETURN(store::Transaction transaction, database_.Begin());
  Imported imported;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (const Status one = ImportOne(entries[i], imported); !one.ok()) {
      return Annotate(one.error(), fmt::format("vehicle {} of the import", i + 1));
    }
  }
  RETURN_IF_ERROR(transaction.Commit());
  return imported;
}

Status Registry::ImportOne(const VehicleEntry& entry, Imported& imported) {
  RETURN_IF_ERROR(CheckEntry(entry));
  Result<Vehicle> known = FindByVin(entry.vin);
  if (!known.ok() && known.error().code != Code::kNotFound) return known.error();
  if (!known.ok() || known->entry.ownership_epoch < entry.ownership_epoch) {
    ASSIGN_OR_RETURN(Vehicle vehicle, Insert(entry, known.ok() ? "new_owner" : "added"));
    ++(known.ok() ? imported.updated : imported.added);
    imported.changed.push_back(std::move(vehicle));
    return Ok();
  }
  if (known->entry.ownership_epoch > entry.ownership_epoch) {
    return Error{Code::kInvalid,
                 fmt::format("ownership_epoch {} is lower than the registered {}; it only rises",
                             entry.ownership_epoch, known->entry.ownership_epoch)};
  }
  if (SameDescription(known->entry, entry)) {
    ++imported.unchanged;
    return Ok();
  }
  known->entry = entry;
  RETURN_IF_ERROR(Update(*known));
  ++imported.updated;
  imported.changed.push_back(std::move(known).value());
  return Ok();
}

Result<Vehicle> Registry::Insert(const VehicleEntry& entry, const char* change) {
  ASSIGN_OR_RETURN(const Reference drawn, DrawUnused(entry));
  Vehicle vehicle{entry, drawn.vehicle_ref, drawn.odometer_offset_km, {}};
  ASSIGN_OR_RETURN(store::Statement * insert, Cached(kInsert));
  insert->BindText(1, entry.vin).BindInt(2, entry.ownership_epoch);
  insert->BindBlob(3, BytesOf(vehicle.vehicle_ref)).BindText(4, entry.model);
  insert->BindInt(5, static_cast<std::int64_t>(entry.vehicle_class)).BindText(6, entry.fuel);
  insert->BindReal(7, vehicle.odometer_offset_km).BindInt(8, clock_->NowUtc().value);
  RETURN_IF_ERROR(insert->Run());
  RETURN_IF_ERROR(LogChange(vehicle, change));
  return vehicle;
}

Status Registry::Update(const Vehicle& vehicle) {
  ASSIGN_OR_RETURN(store::Statement * update, Cached(kUpdate));
  update->BindText(1, vehicle.entry.model);
  update->BindInt(2, static_cast<std::int64_t>(vehicle.entry.vehicle_class));
  update->BindText(3, vehicle.entry.fuel).BindBlob(4, BytesOf(vehicle.vehicle_ref));
  RETURN_IF_ERROR(update->Run());
  return LogChange(vehicle, "updated");
}

Status Registry::LogChange(const Vehicle& vehicle, const char* change) {
  ASSIGN_OR_RETURN(store::Statement * log, Cached(kChange));
  log->BindInt(1, clock_->NowUtc().value).BindText(2, change);
  log->BindBlob(3, BytesOf(vehicle.vehicle_ref)).BindInt(4, vehicle.entry.ownership_epoch);
  log->BindText(5, vehicle.entry.model);
  log->BindInt(6, static_cast<std::int64_t>(vehicle.entry.vehicle_class));
  log->BindText(7, vehicle.entry.fuel);
  return log->Run();
}

}  // namespace telltale::registry
