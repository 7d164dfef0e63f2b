// The databases: the registry and the alert store. Each is copied into memory, as it is at one
// moment, and the copy is checked: SQLite would make files beside one that it opens in place, even
// to read it, and they would belong to whoever runs the doctor.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "app/doctor_log.h"
#include "app/doctor_report.h"
#include "base/config.h"
#include "base/format_version.h"
#include "base/sim_disk.h"
#include "store/disk_vfs.h"
#include "store/sqlite.h"

namespace telltale::app {

// A database in memory. One thread.
class DatabaseCopy {
 public:
  //   kNotFound     there is none
  //   kTooBig       over 256 MiB
  //   kOverloaded   it was written all the time while it was copied: look again
  //   kUnsupported  a newer schema; kCorrupt  a broken file or one of another kind
  struct Kind {
    std::int32_t application_id = 0;
    std::uint32_t newest_schema = 0;
  };
  static Result<std::unique_ptr<DatabaseCopy>> Of(Disk& disk, const std::string& path,
                                                  const Kind& kind);

  // What PRAGMA integrity_check finds, at most ten lines; empty = whole.
  Result<std::vector<std::string>> Problems();
  // The number that `sql` gives in its one row; 0 where it gives none.
  Result<std::int64_t> One(std::string_view sql);
  Result<store::Statement> Prepare(std::string_view sql) { return database_->Prepare(sql); }

 private:
  DatabaseCopy() = default;
  SimDisk memory_;
  store::DiskVfs vfs_{memory_};
  std::optional<store::Database> database_;
};

class StoreCheck {
 public:
  StoreCheck(Disk& disk, const Paths& paths, const LogView& log, DoctorReport& report)
      : disk_(disk), paths_(paths), log_(log), report_(report) {}

  // `in_log`: every vehicle that the log has reports of.
  void CheckRegistry(const std::set<VehicleRef>& in_log);
  void CheckAlerts();

 private:
  std::unique_ptr<DatabaseCopy> Copy(const std::string& path, Format format, std::int32_t kind);
  Status CompareVehicles(DatabaseCopy& registry, const std::set<VehicleRef>& in_log);
  Status CompareAlerts(DatabaseCopy& alerts);
  Status FindOrphans(DatabaseCopy& alerts);
  void AddError(const std::string& where, const Error& error);

  Disk& disk_;
  const Paths& paths_;
  const LogView& log_;
  DoctorReport& report_;
  std::optional<std::set<VehicleRef>> registered_;
};

}  // namespace telltale::app
