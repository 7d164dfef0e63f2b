#include "vault/catalog.h"

namespace telltale::vault {
namespace {

constexpr std::int32_t kApplicationId = 0x74740003;

const char* const kMigrations[] = {
    R"(CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
       CREATE TABLE segments (
         number INTEGER PRIMARY KEY,
         scheme INTEGER NOT NULL,
         class INTEGER NOT NULL,
         frame_class INTEGER NOT NULL,
         hour INTEGER NOT NULL,
         partition INTEGER NOT NULL,
         window_hours INTEGER NOT NULL,
         bytes INTEGER NOT NULL,
         frames INTEGER NOT NULL,
         index_bytes INTEGER NOT NULL,
         first_event_hour INTEGER NOT NULL,
         last_event_hour INTEGER NOT NULL,
         state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
         ended_at_us INTEGER) STRICT;
       CREATE INDEX segments_live ON segments (number) WHERE state = 1;
       CREATE TABLE hours_ended (
         class INTEGER NOT NULL,
         hour INTEGER NOT NULL,
         due_at_us INTEGER NOT NULL,
         segments INTEGER NOT NULL,
         frames INTEGER NOT NULL,
         bytes INTEGER NOT NULL,
         gone_at_us INTEGER,
         audit_entry INTEGER,
         PRIMARY KEY (class, hour)) STRICT, WITHOUT ROWID;
       CREATE TABLE contracts (
         number INTEGER PRIMARY KEY,
         config_seq INTEGER NOT NULL,
         digest TEXT NOT NULL) STRICT;
       CREATE TABLE holds (
         number INTEGER PRIMARY KEY,
         basis TEXT NOT NULL,
         case_id TEXT NOT NULL,
         request TEXT NOT NULL,
         from_us INTEGER NOT NULL,
         to_us INTEGER NOT NULL,
         review_at_us INTEGER NOT NULL,
         placed_at_us INTEGER NOT NULL,
         copied INTEGER NOT NULL,
         lifted INTEGER NOT NULL) STRICT;
       CREATE TABLE hold_vehicles (
         hold INTEGER NOT NULL REFERENCES holds (number),
         vehicle_ref BLOB NOT NULL CHECK (length(vehicle_ref) = 16),
         PRIMARY KEY (hold, vehicle_ref)) STRICT, WITHOUT ROWID;
       CREATE TABLE erasures (
         job TEXT PRIMARY KEY,
         vehicle_ref BLOB,
         asked_at_us INTEGER NOT NULL,
         before_segment INTEGER NOT NULL,
         files_done INTEGER NOT NULL) STRICT, WITHOUT ROWID;
       CREATE TABLE erased (
         tag BLOB PRIMARY KEY CHECK (length(tag) = 32)) STRICT, WITHOUT ROWID;)",
};

constexpr const char* kValue = "SELECT value FROM meta WHERE name = ?";
constexpr const char* kPutValue =
    "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
constexpr const char* kLive =
    "SELECT number, scheme, class, frame_class, hour, partition, window_hours, bytes, frames, "
    "index_bytes, first_event_hour, last_event_hour FROM segments WHERE state = 1 ORDER BY number";
constexpr const char* kPutSegment =
    "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, NULL)";
constexpr const char* kEndSegment =
    "UPDATE segments SET state = ?, ended_at_us = ? WHERE number = ? AND state = 1";
constexpr const char* kGone =
    "SELECT s.number, s.state, coalesce(h.audit_entry, 0) FROM segments AS s LEFT JOIN hours_ended "
    "AS h ON h.class = iif(s.scheme = 1, 0, s.class) AND h.hour = s.hour WHERE s.state <> 1 ORDER "
    "BY s.number";
constexpr const char* kPutEnd =
    "INSERT OR IGNORE INTO hours_ended (class, hour, due_at_us, segments, frames, bytes) VALUES "
    "(?, ?, ?, ?, ?, ?)";
constexpr const char* kEnds =
    "SELECT class, hour, due_at_us, segments, frames, bytes FROM hours_ended WHERE audit_entry IS "
    "NULL ORDER BY class, hour";
constexpr const char* kReceipt =
    "UPDATE hours_ended SET gone_at_us = ?, audit_entry = ? WHERE class = ? AND hour = ?";
constexpr const char* kEndedHours = "SELECT class, hour FROM hours_ended";
constexpr const char* kHasEnded = "SELECT 1 FROM segments WHERE number = ? AND state <> 1";
constexpr const char* kContracts = "SELECT number, config_seq, digest FROM contracts";
constexpr const char* kPutContract = "INSERT OR REPLACE INTO contracts VALUES (?, ?, ?)";
constexpr const char* kHolds =
    "SELECT number, basis, case_id, request, from_us, to_us, review_at_us, placed_at_us, copied, "
    "lifted FROM holds WHERE lifted <= ? ORDER BY number";
constexpr const char* kHoldVehicles =
    "SELECT vehicle_ref FROM hold_vehicles WHERE hold = ? ORDER BY vehicle_ref";
constexpr const char* kPutHold =
    "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kForgetHoldVehicles = "DELETE FROM hold_vehicles WHERE hold = ?";
constexpr const char* kPutHoldVehicle = "INSERT OR IGNORE INTO hold_vehicles VALUES (?, ?)";
constexpr const char* kOpenErasures =
    "SELECT job, vehicle_ref, asked_at_us, before_segment, files_done FROM erasures WHERE "
    "files_done = 0 ORDER BY asked_at_us";
constexpr const char* kFindErasure =
    "SELECT job, vehicle_ref, asked_at_us, before_segment, files_done FROM erasures WHERE job = ?";
constexpr const char* kPutErasure = "INSERT OR REPLACE INTO erasures VALUES (?, ?, ?, ?, ?)";
constexpr const char* kPutErased = "INSERT OR IGNORE INTO erased VALUES (?)";
constexpr const char* kErased = "SELECT tag FROM erased";

VehicleRef RefOf(std::string_view bytes) {
  VehicleRef ref;
  if (bytes.size() == ref.bytes.size()) std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
  return ref;
}

ErasureJob ErasureOf(const store::Statement& row) {
  return {std::string(row.Text(0)), RefOf(row.IsNull(1) ? "" : row.Blob(1)), Micros{row.Int(2)},
          static_cast<std::uint64_t>(row.Int(3)), row.Int(4) != 0};
}

std::int64_t ToInt(RetentionClass value) { return static_cast<std::int64_t>(value); }

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::Open(const std::string& path, const store::DiskVfs* vfs) {
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(path, {.application_id = kApplicationId,
                                                .migrations = kMigrations,
                                                .permissions = 0600,
                                                .overwrite_deleted = true,  // references
                                                .vfs = vfs}));
  return std::unique_ptr<Catalog>(new Catalog(std::move(database)));
}

Result<store::Statement*> Catalog::Cached(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    found->second.Reset();
    return &found->second;
  }
  ASSIGN_OR_RETURN(store::Statement statement, database_.Prepare(sql));
  return &statements_.emplace(sql, std::move(statement)).first->second;
}

Result<std::string> Catalog::Value(std::string_view name) {
  ASSIGN_OR_RETURN(store::Statement* const row, Cached(kValue));
  ASSIGN_OR_RETURN(const bool found, row->BindText(1, name).Step());
  std::string value = found ? std::string(row->Blob(0)) : "";
  row->Reset();
  return value;
}

Status Catalog::PutValue(std::string_view name, std::string_view bytes) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutValue));
  return put->BindText(1, name).BindBlob(2, bytes).Run();
}

Result<std::uint64_t> Catalog::Number(std::string_view name) {
  ASSIGN_OR_RETURN(const std::string bytes, Value(name));
  if (bytes.empty()) return std::uint64_t{0};
  if (bytes.size() != 8) return Error{Code::kCorrupt, "vault.db holds a number of another size"};
  return GetLe<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

Status Catalog::PutNumber(std::string_view name, std::uint64_t number) {
  std::string bytes;
  PutLe(bytes, number);
  return PutValue(name, bytes);
}

Result<std::vector<SegmentRecord>> Catalog::LiveSegments() {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kLive));
  std::vector<SegmentRecord> records;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return records;
    SegmentRecord record;
    record.number = static_cast<std::uint64_t>(rows->Int(0));
    record.scheme = static_cast<KeyScheme>(rows->Int(1));
    record.retention_class = static_cast<RetentionClass>(rows->Int(2));
    record.frame_class = static_cast<FrameClass>(rows->Int(3));
    record.hour = Hour{rows->Int(4)};
    record.partition = PartitionId{static_cast<std::uint16_t>(rows->Int(5))};
    record.window_hours = static_cast<std::uint32_t>(rows->Int(6));
    record.bytes = static_cast<std::uint64_t>(rows->Int(7));
    record.frames = static_cast<std::uint64_t>(rows->Int(8));
    record.index_bytes = static_cast<std::uint64_t>(rows->Int(9));
    record.first_event_hour = static_cast<std::uint32_t>(rows->Int(10));
    record.last_event_hour = static_cast<std::uint32_t>(rows->Int(11));
    records.push_back(record);
  }
}

Status Catalog::PutSegment(const SegmentRecord& record) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutSegment));
  return put->BindInt(1, static_cast<std::int64_t>(record.number))
      .BindInt(2, static_cast<std::int64_t>(record.scheme))
      .BindInt(3, ToInt(record.retention_class))
      .BindInt(4, static_cast<std::int64_t>(record.frame_class))
      .BindInt(5, record.hour.value)
      .BindInt(6, record.partition.value)
      .BindInt(7, record.window_hours)
      .BindInt(8, static_cast<std::int64_t>(record.bytes))
      .BindInt(9, static_cast<std::int64_t>(record.frames))
      .BindInt(10, static_cast<std::int64_t>(record.index_bytes))
      .BindInt(11, record.first_event_hour)
      .BindInt(12, record.last_event_hour)
      .Run();
}

Status Catalog::EndSegment(std::uint64_t number, SegmentEnd end, Micros at) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kEndSegment));
  return put->BindInt(1, static_cast<std::int64_t>(end))
      .BindInt(2, at.value)
      .BindInt(3, static_cast<std::int64_t>(number))
      .Run();
}

Result<std::vector<GoneSegments>> Catalog::GoneRanges() {
  std::vector<GoneSegments> gone;
  ASSIGN_OR_RETURN(const std::uint64_t first, Number("first_segment"));
  const auto add = [&](std::uint64_t number, Gone why, std::uint64_t receipt) {
    if (!gone.empty() && gone.back().to == number && gone.back().why == why &&
        gone.back().audit_entry == receipt) {
      ++gone.back().to;
    } else {
      gone.push_back({number, number + 1, why, receipt});
    }
  };
  if (first > 0) gone.push_back({0, first, Gone::kReplaced, 0});
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kGone));
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return gone;
    const auto number = static_cast<std::uint64_t>(rows->Int(0));
    if (number < first) continue;
    const bool destroyed = rows->Int(1) == static_cast<std::int64_t>(SegmentEnd::kDestroyed);
    add(number, destroyed ? Gone::kDestroyed : Gone::kReplaced,
        destroyed ? static_cast<std::uint64_t>(rows->Int(2)) : 0);
  }
}

Status Catalog::PutHourEnd(const HourEnd& end) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutEnd));
  return put->BindInt(1, ToInt(end.id.retention_class))
      .BindInt(2, end.id.hour.value)
      .BindInt(3, end.due_at.value)
      .BindInt(4, static_cast<std::int64_t>(end.segments))
      .BindInt(5, static_cast<std::int64_t>(end.frames))
      .BindInt(6, static_cast<std::int64_t>(end.bytes))
      .Run();
}

Result<std::vector<HourEnd>> Catalog::HourEndsWithoutReceipt() {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kEnds));
  std::vector<HourEnd> ends;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return ends;
    ends.push_back({{static_cast<RetentionClass>(rows->Int(0)), Hour{rows->Int(1)}},
                    Micros{rows->Int(2)},
                    static_cast<std::uint64_t>(rows->Int(3)),
                    static_cast<std::uint64_t>(rows->Int(4)),
                    static_cast<std::uint64_t>(rows->Int(5))});
  }
}

Status Catalog::PutReceipt(const HourKeyId& id, Micros gone_at, std::uint64_t audit_entry) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kReceipt));
  return put->BindInt(1, gone_at.value)
      .BindInt(2, static_cast<std::int64_t>(audit_entry))
      .BindInt(3, ToInt(id.retention_class))
      .BindInt(4, id.hour.value)
      .Run();
}

Result<std::vector<HourKeyId>> Catalog::EndedHours() {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kEndedHours));
  std::vector<HourKeyId> ids;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return ids;
    ids.push_back({static_cast<RetentionClass>(rows->Int(0)), Hour{rows->Int(1)}});
  }
}

Result<bool> Catalog::HasEndedSegment(std::uint64_t number) {
  ASSIGN_OR_RETURN(store::Statement* const row, Cached(kHasEnded));
  ASSIGN_OR_RETURN(const bool found, row->BindInt(1, static_cast<std::int64_t>(number)).Step());
  row->Reset();
  return found;
}

Result<std::map<std::uint32_t, ContractRecord>> Catalog::Contracts() {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kContracts));
  std::map<std::uint32_t, ContractRecord> contracts;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return contracts;
    contracts[static_cast<std::uint32_t>(rows->Int(0))] = {static_cast<std::uint64_t>(rows->Int(1)),
                                                           std::string(rows->Text(2))};
  }
}

Status Catalog::PutContract(std::uint32_t number, const ContractRecord& contract) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutContract));
  return put->BindInt(1, number)
      .BindInt(2, static_cast<std::int64_t>(contract.config_seq))
      .BindText(3, contract.digest)
      .Run();
}

Result<std::vector<Hold>> Catalog::Holds(bool lifted_too) {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kHolds));
  rows->BindInt(1, lifted_too ? 1 : 0);
  std::vector<Hold> holds;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) break;
    Hold hold;
    hold.number = static_cast<std::uint64_t>(rows->Int(0));
    hold.basis = rows->Text(1);
    hold.case_id = rows->Text(2);
    hold.request = rows->Text(3);
    hold.from = Micros{rows->Int(4)};
    hold.to = Micros{rows->Int(5)};
    hold.review_at = Micros{rows->Int(6)};
    hold.placed_at = Micros{rows->Int(7)};
    hold.is_copied = rows->Int(8) != 0;
    hold.is_lifted = rows->Int(9) != 0;
    holds.push_back(std::move(hold));
  }
  for (Hold& hold : holds) {
    ASSIGN_OR_RETURN(store::Statement* const vehicles, Cached(kHoldVehicles));
    vehicles->BindInt(1, static_cast<std::int64_t>(hold.number));
    while (true) {
      ASSIGN_OR_RETURN(const bool more, vehicles->Step());
      if (!more) break;
      hold.vehicles.push_back(RefOf(vehicles->Blob(0)));
    }
  }
  return holds;
}

Status Catalog::PutHold(const Hold& hold) {
  const auto number = static_cast<std::int64_t>(hold.number);
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutHold));
  RETURN_IF_ERROR(put->BindInt(1, number)
                      .BindText(2, hold.basis)
                      .BindText(3, hold.case_id)
                      .BindText(4, hold.request)
                      .BindInt(5, hold.from.value)
                      .BindInt(6, hold.to.value)
                      .BindInt(7, hold.review_at.value)
                      .BindInt(8, hold.placed_at.value)
                      .BindInt(9, hold.is_copied ? 1 : 0)
                      .BindInt(10, hold.is_lifted ? 1 : 0)
                      .Run());
  ASSIGN_OR_RETURN(store::Statement* const forget, Cached(kForgetHoldVehicles));
  RETURN_IF_ERROR(forget->BindInt(1, number).Run());
  for (const VehicleRef& vehicle : hold.vehicles) {
    ASSIGN_OR_RETURN(store::Statement* const one, Cached(kPutHoldVehicle));
    RETURN_IF_ERROR(one->BindInt(1, number).BindBlob(2, AsText(vehicle.bytes)).Run());
  }
  return Ok();
}

Result<std::vector<ErasureJob>> Catalog::OpenErasures() {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kOpenErasures));
  std::vector<ErasureJob> erasures;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return erasures;
    erasures.push_back(ErasureOf(*rows));
  }
}

Result<std::optional<ErasureJob>> Catalog::FindErasure(const std::string& job) {
  ASSIGN_OR_RETURN(store::Statement* const row, Cached(kFindErasure));
  ASSIGN_OR_RETURN(const bool found, row->BindText(1, job).Step());
  std::optional<ErasureJob> erasure;
  if (found) erasure = ErasureOf(*row);
  row->Reset();
  return erasure;
}

Status Catalog::PutErasure(const ErasureJob& erasure) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutErasure));
  put->BindText(1, erasure.job);
  if (erasure.files_done) {
    put->BindNull(2);
  } else {
    put->BindBlob(2, AsText(erasure.vehicle.bytes));
  }
  return put->BindInt(3, erasure.asked_at.value)
      .BindInt(4, static_cast<std::int64_t>(erasure.before_segment))
      .BindInt(5, erasure.files_done ? 1 : 0)
      .Run();
}

Status Catalog::PutErased(const std::string& tag) {
  ASSIGN_OR_RETURN(store::Statement* const put, Cached(kPutErased));
  return put->BindBlob(1, tag).Run();
}

Result<std::vector<std::string>> Catalog::ErasedTags() {
  ASSIGN_OR_RETURN(store::Statement* const rows, Cached(kErased));
  std::vector<std::string> tags;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return tags;
    tags.emplace_back(rows->Blob(0));
  }
}

Status Catalog::Truncate() { return database_.EmptyWriteAheadLog(); }

Result<AuditHead> Catalog::audit_head() {
  ASSIGN_OR_RETURN(const std::string hash, Value("audit_hash"));
  AuditHead head;
  if (hash.empty()) return head;
  ASSIGN_OR_RETURN(head.entries, Number("audit_entries"));
  head.hash = hash;
  return head;
}

Status Catalog::PutAuditHead(const AuditHead& head) {
  RETURN_IF_ERROR(PutNumber("audit_entries", head.entries));
  return PutValue("audit_hash", head.hash);
}

Result<std::optional<ClockMark>> Catalog::clock_mark() {
  ASSIGN_OR_RETURN(const std::string bytes, Value("clock"));
  std::optional<ClockMark> mark;
  if (bytes.empty()) return mark;
  ByteReader reader(AsBytes(bytes));
  mark.emplace();
  mark->utc = Micros{reader.Get<std::int64_t>()};
  mark->since_boot = Micros{reader.Get<std::int64_t>()};
  mark->latest = Micros{reader.Get<std::int64_t>()};
  mark->boot = AsText(reader.TakeBlob());
  if (!reader.ok()) return Error{Code::kCorrupt, "vault.db holds a clock that is cut"};
  return mark;
}

Status Catalog::PutClockMark(const ClockMark& mark) {
  std::string bytes;
  PutLe(bytes, mark.utc.value);
  PutLe(bytes, mark.since_boot.value);
  PutLe(bytes, mark.latest.value);
  PutBlob(bytes, mark.boot);
  return PutValue("clock", bytes);
}

}  // namespace telltale::vault
