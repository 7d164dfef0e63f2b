// store/ - SQLite behind one door: the only place that includes sqlite3.h.
//   in      SQL and typed values from registry/, publish/, control/
//   out     rows, and every failure as a Result
//   owns    the connection; the file belongs to the module that opened it
//   thread  a Database and its Statements belong to one thread: open one connection per thread
//   not here: schemas (each module brings its own migrations)
//
// Every connection runs WAL with synchronous=FULL: when Commit() has returned, a power cut does not
// undo it; what Open() finds of a process before is made durable first. Error kinds of every call:
//   kOverloaded   disk or memory full: nothing of the transaction is kept
//   kUnavailable  locked for longer than busy_timeout_ms, or the disk failed
//   kCorrupt      not a database, or its bytes fail SQLite's checks
//   kExists       a UNIQUE or PRIMARY KEY value is there already
//   kInvalid      another constraint, or SQL that this database does not understand
//   kTooBig       a value over SQLite's limit
// Messages carry SQLite's words, which name tables and columns but never a bound value.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/disk.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace telltale::store {

class DiskVfs;

// One prepared statement; must not be used after its Database is gone. Parameters and columns are
// numbered as SQLite does: parameters from 1, columns from 0. A wrong number is our bug (CHECK).
class Statement {
 public:
  // A failure to bind (value too large, no memory) is kept and reported by the next Step or Run.
  // Text and blobs are copied.
  Statement& BindInt(int parameter, std::int64_t value);
  Statement& BindReal(int parameter, double value);
  Statement& BindText(int parameter, std::string_view value);
  Statement& BindBlob(int parameter, std::string_view bytes);
  Statement& BindNull(int parameter);

  // True: a row is there to read. False: done; the statement is reset and may be bound again.
  Result<bool> Step();
  // Steps to the end, ignoring rows, and resets.
  Status Run();
  // Back to the start; bound values are forgotten.
  void Reset();

  // Of the current row; views are valid until the next Step or Reset.
  std::int64_t Int(int column) const;
  double Real(int column) const;
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void Remember(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_failure_ = 0;
};

class Database;

// Rolls back unless committed. Must not outlive its Database.
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // Durable when it returns ok. After a failure the transaction is rolled back.
  //   kOutcomeUnknown  the disk failed during the commit: look before retrying
  Status Commit();

 private:
  friend class Database;
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

struct OpenOptions {
  // Kind of database, kept as SQLite's application_id; 0 = do not care.
  std::int32_t application_id = 0;
  // migrations[i] is SQL that takes the schema from version i to i + 1. Append, never change.
  std::span<const char* const> migrations;
  int busy_timeout_ms = 5000;
  std::uint32_t permissions = 0640;  // of a new file
  bool read_only = false;            // never creates, never migrates
  bool overwrite_deleted = false;    // what is replaced or removed leaves no bytes in free pages
  const DiskVfs* vfs = nullptr;      // where the file lies; null = the operating system's disk
};

class Database {
 public:
  // Opens or creates `path` (":memory:" in tests) and brings its schema up to date.
  //   kNotFound     read_only and there is no such file
  //   kUnsupported  written by a newer version; read_only: also by an older one
  //   kCorrupt      also: a database of another kind
  //   kUnavailable  also: without read_only and the file can only be read
  static Result<Database> Open(const std::string& path, const OpenOptions& options);

  // One or more statements without parameters.
  Status Execute(const std::string& sql);
  Result<Statement> Prepare(std::string_view sql);
  // Takes the write lock at once (BEGIN IMMEDIATE), so that what follows cannot find it taken.
  Result<Transaction> Begin();

  // What the write-ahead log holds goes into the database, and the log to nothing: the way to have
  // no bytes left of rows that were overwritten (OpenOptions::overwrite_deleted).
  //   kUnavailable  also: somebody reads what the log still holds; again
  Status EmptyWriteAheadLog();

  std::int64_t changes() const;         // rows touched by the last INSERT, UPDATE or DELETE
  std::int64_t last_insert_id() const;  // of this connection

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}
  Status SetUp(const OpenOptions& options);  // pragmas, kind
  Status HardenJournal(Disk& disk, const std::string& path);
  Status CheckKind(const OpenOptions& options);
  Status Migrate(const OpenOptions& options);
  Result<std::int64_t> Pragma(const char* name);

  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace telltale::store
