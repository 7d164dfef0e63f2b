#include "app/doctor_stores.h"

#include <fmt/format.h>

#include <array>

namespace telltale::app {
namespace {

constexpr std::uint64_t kDatabaseBytesMax = 256u << 20;
constexpr int kCopiesMax = 5;
constexpr std::int32_t kRegistryKind = 0x74740001;  // docs/formats/registry-db.md
constexpr std::int32_t kAlertsKind = 0x54544131;    // docs/formats/alerts-db.md
constexpr const char* kCopyPath = "/copy/it.db";
constexpr std::size_t kWalHeadBytes = 32;

struct Files {
  std::string database;
  std::string wal;
  std::string journal;
};

// Empty where there is none.
Result<std::string> ReadIfThere(Disk& disk, const std::string& path) {
  Result<std::string> content = ReadWholeFile(disk, path, kDatabaseBytesMax);
  if (!content.ok() && content.error().code == Code::kNotFound) return std::string();
  return content;
}

// What is moved from the log into the database while that is read is in the log that is read after
// it, unless the log was begun anew meanwhile.
bool GoesOn(std::string_view before, std::string_view after) {
  return after.size() >= before.size() &&
         before.substr(0, kWalHeadBytes) == after.substr(0, std::min(before.size(), kWalHeadBytes));
}

Result<Files> ReadAtOneMoment(Disk& disk, const std::string& path) {
  for (int i = 0; i < kCopiesMax; ++i) {
    ASSIGN_OR_RETURN(const std::string wal, ReadIfThere(disk, path + "-wal"));
    ASSIGN_OR_RETURN(const std::string journal, ReadIfThere(disk, path + "-journal"));
    Files files;
    ASSIGN_OR_RETURN(files.database, ReadWholeFile(disk, path, kDatabaseBytesMax));
    ASSIGN_OR_RETURN(files.wal, ReadIfThere(disk, path + "-wal"));
    ASSIGN_OR_RETURN(files.journal, ReadIfThere(disk, path + "-journal"));
    // With neither beside it before, a second look tells whether it was written meanwhile.
    ASSIGN_OR_RETURN(const std::string again, ReadWholeFile(disk, path, kDatabaseBytesMax));
    const bool is_still = again == files.database || !files.wal.empty();
    if (is_still && GoesOn(wal, files.wal) && journal == files.journal) return files;
  }
  return Error{Code::kOverloaded, "it was written all the time while it was read"};
}

}  // namespace

Result<std::unique_ptr<DatabaseCopy>> DatabaseCopy::Of(Disk& disk, const std::string& path,
                                                       const Kind& kind) {
  ASSIGN_OR_RETURN(const Files files, ReadAtOneMoment(disk, path));
  std::unique_ptr<DatabaseCopy> copy(new DatabaseCopy());
  RETURN_IF_ERROR(copy->memory_.MakeFolders("/copy"));
  for (const auto& [suffix, content] :
       {std::pair("", &files.database), std::pair("-wal", &files.wal),
        std::pair("-journal", &files.journal)}) {
    if (content->empty() && *suffix != '\0') continue;
    ASSIGN_OR_RETURN(const auto file,
                     copy->memory_.Open(std::string(kCopyPath) + suffix, OpenMode::kCreate));
    RETURN_IF_ERROR(file->WriteAt(0, AsBytes(*content)));
  }
  // Steps that do nothing: an older schema is none the worse for being checked.
  const std::vector<const char*> steps(kind.newest_schema, "");
  ASSIGN_OR_RETURN(store::Database opened,
                   store::Database::Open(kCopyPath, {.application_id = kind.application_id,
                                                     .migrations = steps,
                                                     .vfs = &copy->vfs_}));
  copy->database_.emplace(std::move(opened));
  return copy;
}

Result<std::vector<std::string>> DatabaseCopy::Problems() {
  ASSIGN_OR_RETURN(store::Statement check, Prepare("PRAGMA integrity_check(10)"));
  std::vector<std::string> problems;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, check.Step());
    if (!more) break;
    if (check.Text(0) != "ok") problems.emplace_back(check.Text(0));
  }
  return problems;
}

Result<std::int64_t> DatabaseCopy::One(std::string_view sql) {
  ASSIGN_OR_RETURN(store::Statement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool has_row, statement.Step());
  return has_row ? statement.Int(0) : 0;
}

void StoreCheck::AddError(const std::string& where, const Error& error) {
  if (error.code == Code::kNotFound) return;  // not made yet
  if (error.code == Code::kOverloaded) return report_.Add(FindingKind::kMovedOn, {where, {}, {}});
  if (error.code == Code::kTooBig) {
    return report_.Add(FindingKind::kTooBig, {where, error.message, {}});
  }
  report_.Add(KindOf(error), {where, error.message, {}});
}

// Null when it cannot be checked further; then the report says why.
std::unique_ptr<DatabaseCopy> StoreCheck::Copy(const std::string& path, Format format,
                                               std::int32_t kind) {
  auto copy = DatabaseCopy::Of(disk_, path, {kind, VersionOf(format).reads});
  if (!copy.ok()) return AddError(path, copy.error()), nullptr;
  report_.Count("databases", 1);
  const auto problems = (*copy)->Problems();
  if (!problems.ok()) return AddError(path, problems.error()), nullptr;
  for (const std::string& problem : *problems) {
    report_.Add(FindingKind::kFileBroken, {path, problem, {}});
  }
  return problems->empty() ? std::move(copy).value() : nullptr;
}

void StoreCheck::CheckRegistry(const std::set<VehicleRef>& in_log) {
  const std::string path = paths_.registry() + "/registry.db";
  const auto registry = Copy(path, Format::kRegistryDb, kRegistryKind);
  if (registry == nullptr) return;
  const Status compared = CompareVehicles(*registry, in_log);
  if (!compared.ok()) AddError(path, compared.error());
}

Status StoreCheck::CompareVehicles(DatabaseCopy& registry, const std::set<VehicleRef>& in_log) {
  ASSIGN_OR_RETURN(store::Statement each, registry.Prepare("SELECT vehicle_ref FROM vehicles"));
  std::set<VehicleRef> registered;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, each.Step());
    if (!more) break;
    VehicleRef ref;
    const std::string_view bytes = each.Blob(0);
    if (bytes.size() != ref.bytes.size()) {
      return Error{Code::kCorrupt, "a vehicle's reference has not 16 bytes"};
    }
    std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
    registered.insert(ref);
  }
  report_.Count("registered vehicles", registered.size());
  for (const VehicleRef& ref : in_log) {
    if (registered.contains(ref)) continue;
    report_.Add(FindingKind::kUnknownVehicle, {"log", "vehicle " + ref.ToHex(), {}});
  }
  registered_ = std::move(registered);
  return Ok();
}

void StoreCheck::CheckAlerts() {
  const std::string path = paths_.publish() + "/alerts.db";
  const auto alerts = Copy(path, Format::kAlertsDb, kAlertsKind);
  if (alerts == nullptr) return;
  for (const Status& compared : {CompareAlerts(*alerts), FindOrphans(*alerts)}) {
    if (!compared.ok()) AddError(path, compared.error());
  }
}

// Places in it against the log's ends, taken after the copy.
Status StoreCheck::CompareAlerts(DatabaseCopy& alerts) {
  const std::string path = paths_.publish() + "/alerts.db";
  ASSIGN_OR_RETURN(const std::vector<Offset> ends, log_.EndsNow(*log_.IndexOf("safety")));
  constexpr std::array kPlaces = {
      std::pair("SELECT partition, next_offset FROM positions", "published up to offset"),
      std::pair("SELECT input_partition, max(input_offset) + 1 FROM alerts GROUP BY 1",
                "alerts of inputs up to offset")};
  for (const auto& [sql, what] : kPlaces) {
    ASSIGN_OR_RETURN(store::Statement each, alerts.Prepare(sql));
    while (true) {
      ASSIGN_OR_RETURN(const bool more, each.Step());
      if (!more) break;
      const auto partition = static_cast<std::uint64_t>(each.Int(0));
      const auto offset = static_cast<std::uint64_t>(each.Int(1));
      const std::uint64_t end = partition < ends.size() ? ends[partition].value : 0;
      if (offset <= end) continue;
      report_.Add(
          FindingKind::kAlertBeyondEnd,
          {path,
           fmt::format("partition {}: {} {}, the log ends at {}", partition, what, offset, end),
           {}});
    }
  }
  return Ok();
}

Status StoreCheck::FindOrphans(DatabaseCopy& alerts) {
  const std::string path = paths_.publish() + "/alerts.db";
  ASSIGN_OR_RETURN(const std::int64_t count, alerts.One("SELECT count(*) FROM alerts"));
  ASSIGN_OR_RETURN(const std::int64_t changes, alerts.One("SELECT count(*) FROM alert_changes"));
  report_.Count("alerts", static_cast<std::uint64_t>(count));
  report_.Count("alert changes", static_cast<std::uint64_t>(changes));
  constexpr std::array kOrphans = {
      std::pair("SELECT count(*) FROM alerts WHERE NOT EXISTS (SELECT 1 FROM alert_changes c WHERE "
                "c.number = change_number AND c.output_id = alerts.output_id)",
                "alerts whose newest change is not there"),
      std::pair("SELECT count(*) FROM alert_changes WHERE output_id NOT IN (SELECT output_id FROM "
                "alerts)",
                "changes of alerts that are not there")};
  for (const auto& [sql, what] : kOrphans) {
    ASSIGN_OR_RETURN(const std::int64_t found, alerts.One(sql));
    if (found == 0) continue;
    report_.Add(FindingKind::kOrphanAlert, {path, fmt::format("{} {}", found, what), {}});
  }
  if (!registered_) return Ok();
  ASSIGN_OR_RETURN(store::Statement each,
                   alerts.Prepare("SELECT DISTINCT vehicle_ref FROM alerts"));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, each.Step());
    if (!more) return Ok();
    const std::string text(each.Text(0));
    if (const auto ref = VehicleRef::FromHex(text); ref.ok() && registered_->contains(*ref)) {
      continue;
    }
    report_.Add(FindingKind::kUnknownVehicle, {path, "vehicle " + text, {}});
  }
}

}  // namespace telltale::app
