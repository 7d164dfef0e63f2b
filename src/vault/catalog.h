// What the vault knows of its files: segments, hours, holds, erasures, and how far it read, in one
// SQLite database, so that a frame is neither lost nor doubled. Tables: docs/formats/vault-db.md.
// No coordinate is in it. Owner thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlite.h"
#include "vault/audit.h"
#include "vault/clock_guard.h"
#include "vault/keys/key_tree.h"
#include "vault/ledger/reconcile.h"
#include "vault/segment.h"

namespace telltale::vault {

struct SegmentRecord {
  std::uint64_t number = 0;
  KeyScheme scheme = KeyScheme::kHourAndVehicle;
  RetentionClass retention_class = RetentionClass::kPosition;
  FrameClass frame_class = FrameClass::kData;  // scheme 1
  Hour hour;                                   // as in the segment's head
  PartitionId partition;
  std::uint32_t window_hours = 0;
  std::uint64_t bytes = 0;  // head and frames; what is behind is the index or was not committed
  std::uint64_t frames = 0;
  std::uint64_t index_bytes = 0;  // 0 = open: found by memory, or by its frames' heads
  std::uint32_t first_event_hour = 0;
  std::uint32_t last_event_hour = 0;

  // Scheme 1 has one key an hour for all classes.
  HourKeyId key() const {
    return {scheme == KeyScheme::kHour ? RetentionClass::kLegacy : retention_class, hour};
  }
};

enum class SegmentEnd { kDestroyed = 2, kReplaced = 3 };  // as stored; 1 = live

// The end of one hour of one class. Written before its key is destroyed.
struct HourEnd {
  HourKeyId id;
  Micros due_at;
  std::uint64_t segments = 0;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
};

struct ContractRecord {
  std::uint64_t config_seq = 0;
  std::string digest;  // hex SHA-256 of the descriptor set
};

// Frames that must not expire: of these vehicles, with event times of [from, to).
struct Hold {
  std::uint64_t number = 0;
  std::string basis;
  std::string case_id;
  std::string request;  // of the request book; two approvers stand there
  std::vector<VehicleRef> vehicles;
  Micros from;
  Micros to;
  Micros review_at;
  Micros placed_at;
  bool is_copied = false;  // what was stored before it is held
  bool is_lifted = false;  // its key is, or is being, destroyed
};

// A vehicle whose key is destroyed and whose frames are being taken out of the files.
struct ErasureJob {
  std::string job;
  VehicleRef vehicle;
  Micros asked_at;
  std::uint64_t before_segment = 0;  // only segments below this number can hold it
  bool files_done = false;
};

class Catalog {
 public:
  // `vfs` null: the operating system's disk. Errors of store::Database::Open.
  static Result<std::unique_ptr<Catalog>> Open(const std::string& path, const store::DiskVfs* vfs);

  // What follows becomes durable together at Commit().
  Result<store::Transaction> Begin() { return database_.Begin(); }

  // Small named values; empty when never put.
  Result<std::string> Value(std::string_view name);
  Status PutValue(std::string_view name, std::string_view bytes);
  Result<std::uint64_t> Number(std::string_view name);
  Status PutNumber(std::string_view name, std::uint64_t number);

  Result<std::vector<SegmentRecord>> LiveSegments();
  Status PutSegment(const SegmentRecord& record);
  Status EndSegment(std::uint64_t number, SegmentEnd end, Micros at);
  // Whether a row says so; false when there is none.
  Result<bool> HasEndedSegment(std::uint64_t number);
  // Numbers that are not live any more, as ranges of one end and one receipt. Numbers before
  // `first_segment`, of format 1, count as replaced.
  Result<std::vector<GoneSegments>> GoneRanges();

  Status PutHourEnd(const HourEnd& end);
  Result<std::vector<HourEnd>> HourEndsWithoutReceipt();
  Status PutReceipt(const HourKeyId& id, Micros gone_at, std::uint64_t audit_entry);
  Result<std::vector<HourKeyId>> EndedHours();

  Result<std::map<std::uint32_t, ContractRecord>> Contracts();
  Status PutContract(std::uint32_t number, const ContractRecord& contract);

  Result<std::vector<Hold>> Holds(bool lifted_too = false);
  Status PutHold(const Hold& hold);

  Result<std::vector<ErasureJob>> OpenErasures();
  Result<std::optional<ErasureJob>> FindErasure(const std::string& job);
  // The vehicle's reference goes when its files are done.
  Status PutErasure(const ErasureJob& erasure);
  // By SHA-256 of the reference, so that the list names nobody.
  Status PutErased(const std::string& tag);
  Result<std::vector<std::string>> ErasedTags();
  // Takes what was deleted out of the write-ahead log too.
  Status Truncate();

  Result<AuditHead> audit_head();
  Status PutAuditHead(const AuditHead& head);
  Result<std::optional<ClockMark>> clock_mark();
  Status PutClockMark(const ClockMark& mark);

 private:
  explicit Catalog(store::Database database) : database_(std::move(database)) {}
  Result<store::Statement*> Cached(const char* sql);

  store::Database database_;
  std::map<const char*, store::Statement> statements_;
};

}  // namespace telltale::vault
