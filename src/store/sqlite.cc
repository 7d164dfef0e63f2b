#include "store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <vector>

#include "store/disk_vfs.h"

namespace telltale::store {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;

Code CodeOf(int extended) {
  switch (extended & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Code::kOverloaded;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
      return Code::kUnavailable;
    case SQLITE_TOOBIG:
      return Code::kTooBig;
    case SQLITE_CONSTRAINT:
      return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? Code::kExists
                 : Code::kInvalid;
    default:
      return Code::kInvalid;
  }
}

Error FailureOf(sqlite3* connection, int code) {
  const int extended = connection != nullptr ? sqlite3_extended_errcode(connection) : code;
  const char* words = connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  return Error{CodeOf((extended & 0xff) == (code & 0xff) ? extended : code),
               fmt::format("sqlite: {}", words)};
}

// A new file gets its permissions before SQLite opens it, and its name survives a power cut.
Status CreateFile(Disk& disk, const std::string& path, std::uint32_t permissions) {
  if (disk.Exists(path)) return Ok();
  const auto created = disk.Open(path, OpenMode::kCreateOrOpen, permissions);
  if (!created.ok()) return created.error();
  return disk.SyncFolder(ParentFolder(path));
}

// The same bytes to the same places, then to the disk.
Status WriteAgain(Disk& disk, const std::string& path) {
  auto file = disk.Open(path, OpenMode::kReadWrite);
  if (!file.ok() && file.error().code == Code::kNotFound) return Ok();
  RETURN_IF_ERROR(file.ok() ? Ok() : Status(file.error()));
  std::vector<std::uint8_t> piece(kPieceBytes);
  for (std::uint64_t at = 0;;) {
    ASSIGN_OR_RETURN(const std::size_t got, (*file)->ReadAt(at, piece));
    if (got == 0) break;
    RETURN_IF_ERROR((*file)->WriteAt(at, ByteSpan(piece).first(got)));
    at += got;
  }
  RETURN_IF_ERROR((*file)->Sync());
  return disk.SyncFolder(ParentFolder(path));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::Remember(int code) {
  // A parameter number that the SQL does not have is a mistake in our own source.
  CHECK(code != SQLITE_RANGE && code != SQLITE_MISUSE);
  if (code != SQLITE_OK && bind_failure_ == SQLITE_OK) bind_failure_ = code;
}

Statement& Statement::BindInt(int parameter, std::int64_t value) {
  Remember(sqlite3_bind_int64(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::BindReal(int parameter, double value) {
  Remember(sqlite3_bind_double(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::BindText(int parameter, std::string_view value) {
  Remember(sqlite3_bind_text64(statement_.get(), parameter, value.empty() ? "" : value.data(),
                               value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBlob(int parameter, std::string_view bytes) {
  // A null pointer would bind NULL: an empty blob is a value.
  Remember(sqlite3_bind_blob64(statement_.get(), parameter, bytes.empty() ? "" : bytes.data(),
                               bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull(int parameter) {
  Remember(sqlite3_bind_null(statement_.get(), parameter));
  return *this;
}

Result<bool> Statement::Step() {
  if (bind_failure_ != SQLITE_OK) {
    const int failure = bind_failure_;
    Reset();
    return Error{CodeOf(failure), fmt::format("sqlite: {}", sqlite3_errstr(failure))};
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    Reset();
    return false;
  }
  const Error failure = FailureOf(sqlite3_db_handle(statement_.get()), code);
  Reset();
  return failure;
}

Status Statement::Run() {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return Ok();
  }
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());  // repeats the code of the last step, which was reported then
  sqlite3_clear_bindings(statement_.get());
  bind_failure_ = SQLITE_OK;
}

std::int64_t Statement::Int(int column) const {
  CHECK(column >= 0 && column < sqlite3_data_count(statement_.get()));
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::Real(int column) const {
  CHECK(column >= 0 && column < sqlite3_data_count(statement_.get()));
  return sqlite3_column_double(statement_.get(), column);
}

std::string_view Statement::Text(int column) const {
  CHECK(column >= 0 && column < sqlite3_data_count(statement_.get()));
  const auto* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::Blob(int column) const {
  CHECK(column >= 0 && column < sqlite3_data_count(statement_.get()));
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::IsNull(int column) const {
  CHECK(column >= 0 && column < sqlite3_data_count(statement_.get()));
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // A failed statement may have ended the transaction already; then there is nothing to undo.
  sqlite3* const connection = database_->connection_.get();
  if (sqlite3_get_autocommit(connection) == 0) {
    sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Status Transaction::Commit() {
  CHECK(database_ != nullptr);
  sqlite3* const connection = database_->connection_.get();
  const int code = sqlite3_exec(connection, "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) {
    database_ = nullptr;
    return Ok();
  }
  Error failure = FailureOf(connection, code);
  // The write-ahead frames may have reached the disk before the sync failed.
  if ((code & 0xff) == SQLITE_IOERR) failure.code = Code::kOutcomeUnknown;
  return failure;
}

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Result<Database> Database::Open(const std::string& path, const OpenOptions& options) {
  const bool in_memory = path == ":memory:";
  PosixDisk posix;
  Disk& disk = options.vfs != nullptr ? options.vfs->disk() : posix;
  if (!in_memory && options.read_only && !disk.Exists(path)) {
    return Error{Code::kNotFound, fmt::format("there is no database at {}", path)};
  }
  if (!in_memory && !options.read_only) {
    if (const Status created = CreateFile(disk, path, options.permissions); !created.ok()) {
      return Annotate(created.error(), path);
    }
  }
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3* raw = nullptr;
  const char* const vfs = options.vfs != nullptr ? options.vfs->name().c_str() : nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, vfs);
  Database database(raw);
  if (code != SQLITE_OK) return Annotate(FailureOf(raw, code), path);
  // SQLite falls back to reading alone and stays so, also when the disk can be written again.
  if (!options.read_only && sqlite3_db_readonly(raw, "main") == 1) {
    return Error{Code::kUnavailable,
                 fmt::format("{} can only be read: the file system is read-only, or the file is "
                             "another user's",
                             path)};
  }
  Status ready = database.SetUp(options);
  if (ready.ok() && !in_memory && !options.read_only) ready = database.HardenJournal(disk, path);
  if (ready.ok() && !options.read_only) ready = database.Migrate(options);
  if (!ready.ok()) return Annotate(ready.error(), path);
  return database;
}

Status Database::SetUp(const OpenOptions& options) {
  sqlite3_busy_timeout(connection_.get(), options.busy_timeout_ms);
  RETURN_IF_ERROR(Execute("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF"));
  // Before anything is written: a file of another kind stays as it was.
  RETURN_IF_ERROR(CheckKind(options));
  if (options.read_only) return Ok();
  RETURN_IF_ERROR(Execute("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL"));
  return options.overwrite_deleted ? Execute("PRAGMA secure_delete = ON") : Ok();
}

Status Database::EmptyWriteAheadLog() {
  ASSIGN_OR_RETURN(Statement checkpoint, Prepare("PRAGMA wal_checkpoint(TRUNCATE)"));
  ASSIGN_OR_RETURN(const bool row, checkpoint.Step());
  const bool is_busy = !row || checkpoint.Int(0) != 0;
  if (!is_busy) return Ok();
  return Error{Code::kUnavailable,
               "what was removed is gone from the database, but somebody reads its write-ahead "
               "log, which still holds it; try again"};
}

// A process that was killed, or whose sync failed, may have left commits in the journal that the
// kernel shows and the disk does not have; a sync alone would not write them. Nobody is to be
// answered from them before they are durable.
Status Database::HardenJournal(Disk& disk, const std::string& path) {
  // The lock keeps others from writing to the journal meanwhile.
  auto transaction = Begin();
  if (transaction.ok()) return WriteAgain(disk, path + "-wal");
  // Who holds it has done this, when it opened.
  if ((sqlite3_errcode(connection_.get()) & 0xff) == SQLITE_BUSY) return Ok();
  return transaction.error();
}

Status Database::CheckKind(const OpenOptions& options) {
  ASSIGN_OR_RETURN(const std::int64_t version, Pragma("user_version"));
  const auto newest = static_cast<std::int64_t>(options.migrations.size());
  if (version > newest || (options.read_only && version < newest)) {
    return Error{Code::kUnsupported,
                 fmt::format("the database has schema version {}, this program knows {}; use the "
                             "program that wrote it",
                             version, newest)};
  }
  ASSIGN_OR_RETURN(const std::int64_t kind, Pragma("application_id"));
  ASSIGN_OR_RETURN(Statement tables, Prepare("SELECT count(*) FROM sqlite_schema"));
  ASSIGN_OR_RETURN(const bool counted, tables.Step());
  const bool is_new = version == 0 && kind == 0 && counted && tables.Int(0) == 0;
  if (options.application_id != 0 && kind != options.application_id && !is_new) {
    return Error{Code::kCorrupt, "this is a database of another kind"};
  }
  return Ok();
}

Status Database::Migrate(const OpenOptions& options) {
  ASSIGN_OR_RETURN(const std::int64_t before, Pragma("user_version"));
  if (before == static_cast<std::int64_t>(options.migrations.size())) return Ok();
  ASSIGN_OR_RETURN(Transaction transaction, Begin());
  // Again under the lock: another process may have migrated meanwhile.
  ASSIGN_OR_RETURN(const std::int64_t version, Pragma("user_version"));
  for (auto i = static_cast<std::size_t>(version); i < options.migrations.size(); ++i) {
    if (const Status applied = Execute(options.migrations[i]); !applied.ok()) {
      return Annotate(applied.error(), fmt::format("migrating to version {}", i + 1));
    }
  }
  RETURN_IF_ERROR(Execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                      options.application_id, options.migrations.size())));
  return transaction.Commit();
}

Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return FailureOf(connection_.get(), code);
  return Ok();
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement(raw);
  if (code != SQLITE_OK) return FailureOf(connection_.get(), code);
  CHECK(raw != nullptr);  // empty SQL
  return statement;
}

Result<Transaction> Database::Begin() {
  RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
  return Transaction(*this);
}

std::int64_t Database::changes() const { return sqlite3_changes64(connection_.get()); }

std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(connection_.get());
}

Result<std::int64_t> Database::Pragma(const char* name) {
  ASSIGN_OR_RETURN(Statement statement, Prepare(fmt::format("PRAGMA {}", name)));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : 0;
}

}  // namespace telltale::store
