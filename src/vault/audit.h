// The append-only, hash-chained record of who asked the vault for what, and of what it destroyed.
// Bytes: docs/formats/audit-log.md. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/disk.h"
#include "base/mutex.h"

namespace telltale::vault {

// Count and last hash: what the state keeps, and what an auditor copies elsewhere.
struct AuditHead {
  std::uint64_t entries = 0;
  std::string hash = std::string(64, '0');  // hex
};

struct AuditCheck {
  AuditHead head;
  std::string problem;  // empty = every line is what was written, in order
};

// One field of an entry: the value is JSON text already (AuditText, std::to_string).
using AuditFields = std::vector<std::pair<std::string, std::string>>;
std::string AuditText(std::string_view text);  // quoted and escaped; invalid UTF-8 replaced

class AuditLog {
 public:
  // Opens or makes <folder>/audit.log, cuts a torn last line and checks the chain, also against
  // `recorded` (from the state). A chain that fails does not fail Open(): it closes the log, so
  // that storing and destroying go on and every query is refused.
  //   kUnavailable  the folder or file cannot be reached at all
  static Result<std::unique_ptr<AuditLog>> Open(Disk& disk, Clock& clock, std::string folder,
                                                const AuditHead& recorded);

  // Appends and syncs; the entry's number. The file must be exactly as this process left it.
  //   kUnavailable, kOverloaded  not written: what it would have recorded must not happen
  //   kCorrupt                   the chain failed, or the file was replaced, cut or extended
  Result<std::uint64_t> Append(const std::string& event, const AuditFields& fields);

  AuditHead head() const;
  std::string problem() const;  // why the log is closed, or empty

  // Calls `line` for each entry from number `from` on, at most `limit`, and checks the whole chain.
  Result<AuditCheck> List(std::uint64_t from, std::uint64_t limit,
                          const std::function<void(std::string_view)>& line) const;

 private:
  AuditLog(Disk& disk, Clock& clock, std::string path)
      : disk_(disk), clock_(clock), path_(std::move(path)) {}
  Status Recover(const AuditHead& recorded);
  Status CheckUntouched(File& file) REQUIRES(mutex_);
  Status RemoveFailedLine(File& file) REQUIRES(mutex_);

  Disk& disk_;
  Clock& clock_;
  const std::string path_;
  mutable Mutex mutex_;
  AuditHead head_ GUARDED_BY(mutex_);
  std::uint64_t size_ GUARDED_BY(mutex_) = 0;
  std::string last_line_ GUARDED_BY(mutex_);
  // A line that was not written whole and could not be taken back: its beginning may be there.
  std::string failed_line_ GUARDED_BY(mutex_);
  std::string problem_ GUARDED_BY(mutex_);
};

// The chain check alone, over the text of a log (also of a copy): pure.
class AuditChain {
 public:
  // One line without its newline. False when it breaks the chain: problem() says where and how.
  bool Add(std::string_view line);
  const AuditHead& head() const { return head_; }
  const std::string& problem() const { return problem_; }

 private:
  bool Broken(const std::string& what);
  AuditHead head_;
  std::string problem_;
};

}  // namespace telltale::vault
