// registry/ - vehicles, their references, and changes.
//   in      resolve, import, lookup and subscribe requests on run/registry/registry.sock
//   out     vehicle rows to gateway/ (pushed map) and to `telltale vehicles`
//   owns    data/registry/registry.db (docs/formats/registry-db.md); the only place of a VIN
//   thread  a Registry belongs to one thread at a time; the server guards it with its lock
//   not here: certificates (net/), what a class means (base/vehicle_class.h)
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/erasure_list.h"
#include "base/ids.h"
#include "registry/choice.h"
#include "registry/references.h"
#include "registry/vehicle_file.h"
#include "store/sqlite.h"

namespace telltale::registry {

struct Vehicle {
  VehicleEntry entry;
  VehicleRef vehicle_ref;
  double odometer_offset_km = 0;
  Choice choice;  // a new owner begins with the environment's defaults
};

class Registry {
 public:
  // Opens or creates `path`. `references`, `clock` and `vfs` must outlive this object; without
  // `vfs` the file lies on the operating system's disk.
  // Errors as store::Database::Open.
  static Result<Registry> Open(const std::string& path, ReferenceSource& references, Clock& clock,
                               const store::DiskVfs* vfs = nullptr);

  // The vehicle with this VIN, in its highest ownership epoch. An unknown one is added with class
  // `unknown` and is durable when this returns.
  //   kInvalid  not a VIN (IsVin)
  struct Resolved {
    Vehicle vehicle;
    bool added = false;
  };
  Result<Resolved> Resolve(std::string_view vin);

  // Adds or updates, all or nothing, durable when it returns. A higher ownership epoch than the
  // registered one makes a new row with a new reference.
  //   kInvalid  an entry breaks a rule, or its ownership epoch is lower than the registered one;
  //             names the number of the entry, from 1, not its VIN
  struct Imported {
    std::uint32_t added = 0;
    std::uint32_t updated = 0;
    std::uint32_t unchanged = 0;
    std::vector<Vehicle> changed;  // as they are now
  };
  Result<Imported> Import(std::span<const VehicleEntry> entries);

  // kNotFound when there is none. By VIN: the highest ownership epoch; by reference: any epoch.
  Result<Vehicle> FindByVin(std::string_view vin);
  Result<Vehicle> FindByVin(std::string_view vin, std::uint32_t ownership_epoch);  // this epoch
  Result<Vehicle> FindByRef(const VehicleRef& ref);

  // Removes every row that names `ref`, in whichever table, from the files too (erase.cc). Safe to
  // repeat. When an earlier owner's row of the same VIN is left, a successor is made at once, one
  // epoch above the erased one and of class `unknown`: the car must not fall back to a reference of
  // before. Otherwise the VIN is forgotten, and its next connection begins at epoch 1 with a new
  // reference.
  //   kUnavailable  also: the rows are gone, but somebody reads what the log still holds; again
  struct Erased {
    std::uint32_t rows = 0;
    std::string vin;  // of the row; "" = there was none
    bool was_in_force = false;
  };
  Result<Erased> Erase(const VehicleRef& ref);
  // References in `list` are not given again, which only a seed could do. It must outlive this.
  void AvoidErased(ErasureList& list) { erased_ = &list; }
  // What was chosen for a vehicle, with its offsets. Nothing ever chosen: number 0.
  Result<ChoiceState> ShowChoice(const VehicleRef& ref);
  // Durable and in the log of changes, with time and `uid`, when it returns. A wish that changes
  // nothing leaves the number as it is.
  //   kNotFound  no such vehicle
  Result<ChoiceState> SetChoice(const VehicleRef& ref, const ChoiceWish& wish, std::uint32_t uid);
  // Notes from where choices are obeyed; durable when it returns. What is noted of a vehicle and
  // number stays as it was said first.
  Status RecordTaken(std::span<const ChoiceInForce> taken);

  // Vehicles in force, in order of creation, from just after `after_id` (0 = from the start).
  struct Page {
    std::vector<Vehicle> vehicles;
    std::int64_t last_id = 0;  // where the next page starts
    bool complete = false;     // nothing after this page
  };
  Result<Page> List(std::int64_t after_id, std::uint32_t limit);

 private:
  Registry(store::Database database, ReferenceSource& references, Clock& clock)
      : database_(std::move(database)), references_(&references), clock_(&clock) {}
  Result<Vehicle> Insert(const VehicleEntry& entry, const char* change);
  Status Update(const Vehicle& vehicle);
  Status LogChange(const Vehicle& vehicle, const char* change);
  Result<Reference> DrawUnused(const VehicleEntry& entry);
  Result<std::uint32_t> DeleteRows(const VehicleRef& ref);
  Status MakeSuccessor(const VehicleEntry& erased);
  Status ImportOne(const VehicleEntry& entry, Imported& imported);
  Result<store::Statement*> Cached(const char* sql);

  store::Database database_;
  std::vector<std::pair<const char*, store::Statement>> statements_;  // by address of the SQL
  ReferenceSource* references_;
  Clock* clock_;
  ErasureList* erased_ = nullptr;
};

// Four columns from `first` on: number, precise, cell, behaviour.
Choice ChoiceInRow(const store::Statement& row, int first);

}  // namespace telltale::registry
