// The ledger's append file: batches, each durable or not there. Bytes:
// docs/formats/vault-ledger.md. Owner thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"

namespace telltale::vault {

inline constexpr std::size_t kJournalHeadBytes = 20;
inline constexpr std::size_t kJournalBatchHeadBytes = 24;
inline constexpr std::size_t kJournalBatchBytesMax = 64u << 20;

// A journal's bytes, taken apart. Pure.
struct JournalScan {
  std::vector<ByteSpan> batches;  // whole ones, in order; point into the bytes
  std::uint64_t good_bytes = 0;   // up to the end of the last of them
  bool damaged = false;           // whole batches lie behind one that is not: no torn append
  //   kCorrupt the head is not that of journal `number`, kUnsupported newer
  static Result<JournalScan> Of(ByteSpan bytes, std::uint64_t number);
};

class LedgerJournal {
 public:
  // A new empty file, durable with its name.
  static Result<std::unique_ptr<LedgerJournal>> Create(Disk& disk, const std::string& path,
                                                       std::uint64_t number);
  // Goes on behind what a scan found good.
  static Result<std::unique_ptr<LedgerJournal>> Continue(Disk& disk, const std::string& path,
                                                         std::uint64_t number,
                                                         const JournalScan& scan);

  // Durable on return. After an error nothing of it counts, though a crash may bring it back.
  //   kTooBig  over kJournalBatchBytesMax
  //   kOverloaded, kUnavailable  disk; try again
  Status Append(const std::string& payload);
  // Cuts what an append that failed may have left. Before another journal follows.
  Status Settle();

  std::uint64_t number() const { return number_; }
  std::uint64_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == kJournalHeadBytes; }

 private:
  LedgerJournal(std::unique_ptr<File> file, std::uint64_t number, std::uint64_t bytes,
                std::uint64_t batches)
      : file_(std::move(file)), number_(number), bytes_(bytes), batches_(batches) {}

  const std::unique_ptr<File> file_;
  const std::uint64_t number_;
  std::uint64_t bytes_;
  std::uint64_t batches_;
  bool tail_unknown_ = true;  // something may lie behind bytes_
};

}  // namespace telltale::vault
