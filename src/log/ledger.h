// The ledger's file: docs/formats/ledger.md. Any thread.
#pragma once

#include "base/mutex.h"
#include "log/log.h"

namespace telltale::log {

// Entries as they stand in the file's blocks, and in Kafka's ledger topic.
void PutLedgerEntries(std::string& out, std::span<const Log::LedgerEntry> entries);
// Adds what `reader` holds to `out`; reader.ok() says whether it was whole.
void TakeLedgerEntries(ByteReader& reader, std::vector<Log::LedgerEntry>& out);

// Looks at the file of a log that another process may own: nothing is changed, and a block that is
// being written is left out. Errors as LedgerFile::Open.
Result<std::vector<Log::LedgerEntry>> ReadLedgerFile(Disk& disk, const std::string& dir,
                                                     const LogShape& shape);

class LedgerFile {
 public:
  // Creates it or cuts a torn tail. Bounds for what entries may name come from `shape`.
  //   kCorrupt, kUnsupported, kUnavailable
  static Result<std::unique_ptr<LedgerFile>> Open(Disk& disk, const std::string& dir,
                                                  const LogShape& shape);

  // Durable when it returns. After another failure than these the file is read-only: kUnavailable.
  //   kInvalid     an entry names a stream or partition the log does not have
  //   kOverloaded  the disk is full: nothing was recorded; retry
  Status Append(std::span<const Log::LedgerEntry> entries);
  std::vector<Log::LedgerEntry> entries() const;

 private:
  LedgerFile(std::unique_ptr<File> file, LogShape shape)
      : shape_(std::move(shape)), file_(std::move(file)) {}

  const LogShape shape_;
  mutable Mutex mutex_;
  std::unique_ptr<File> file_ GUARDED_BY(mutex_);
  std::uint64_t end_ GUARDED_BY(mutex_) = 0;
  bool failed_ GUARDED_BY(mutex_) = false;
  std::vector<Log::LedgerEntry> entries_ GUARDED_BY(mutex_);
};

}  // namespace telltale::log
