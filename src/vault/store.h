// Frames on disk: encrypted from the first write, found by vehicle and hour, gone at their hour.
// Bytes: docs/formats/vault-segment.md, docs/formats/vault-db.md; order of writes: the same pages.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "base/random.h"
#include "vault/catalog.h"
#include "vault/clock_guard.h"
#include "vault/keys/key_tree.h"
#include "vault/ledger/intake_account.h"
#include "vault/ledger/presence_ledger.h"
#include "vault/retention.h"
#include "vault/segment_index.h"

namespace telltale::vault {

struct StoreOptions {
  std::string dir;  // the vault's folder
  Windows windows;
  std::uint16_t partitions = kPartitionsDefault;
  const store::DiskVfs* vfs = nullptr;  // null: the operating system's disk
  // Of the key provider, for receipts.
  std::string provider = "file";
  std::string proof = "not provable against a disk image";
};

// A segment as readers need it. Immutable.
struct SegmentFile {
  SegmentHead head;
  std::string path;
};

// Where a frame lies.
struct FrameRef {
  std::shared_ptr<const SegmentFile> segment;
  FrameSpan span;
};

// The vehicle as a hold's second parent key goes by it: so the vehicle's own key may be destroyed
// while what is held stays.
VehicleRef HeldVehicle(std::uint64_t hold, const VehicleRef& vehicle);

// One owner thread, except where "any thread" is said.
class Store {
 public:
  // Recovers: finishes destructions, cuts segments to their recorded lengths, indexes what was
  // open, takes over a vault of format 1. All references must outlive the store.
  //   kCorrupt, kUnsupported  the catalogue cannot be trusted
  //   kUnavailable            disk
  static Result<std::unique_ptr<Store>> Open(Disk& disk, Clock& clock, Random& random,
                                             Counters& counters, KeyTree& keys,
                                             PresenceLedger& ledger, StoreOptions options);
  ~Store();

  // Sets each entry's basis and stores the frame in the segments of its basis hours, and once more
  // where it is held. Left out and counted: entries whose hour is over (kExpiredOnArrival), of a
  // class without a window (kWindowZero), of an erased vehicle (kErased). Durable after Commit().
  // What became of the whole: kept when one entry is.
  //   any error: nothing more can be stored until Rollback(); then read again from positions()
  Result<Outcome> Put(Frame frame);
  // Makes everything since the last Commit() durable together with `positions`, then findable.
  // `account` is kept beside them (ledger/intake_account.h).
  Status Commit(const std::vector<std::string>& positions, std::string_view account = {});
  // Forgets what was put since the last Commit().
  void Rollback();
  std::uint64_t uncommitted_bytes() const { return uncommitted_bytes_; }

  // Destroys what is due: index and memory first, then keys, segments, receipt. Goes on when a step
  // fails and returns the first failure; call again.
  Status Expire();
  // Whether an hour is due: commit before it is destroyed, so that no frame of it comes after.
  bool has_due() const;
  // Finishes segments that nothing was written to for a while: index behind the frames.
  Status CloseQuiet();
  // A bounded piece of what holds and erasures left to do. True: there may be more. With nothing
  // uncommitted.
  Result<bool> Work();

  bool has_work() const { return has_work_; }

  // Copies what is stored of its scope, then whatever comes, under keys of its own. Its number.
  Result<std::uint64_t> PlaceHold(Hold hold);
  //   kNotFound  no such hold, or lifted
  Status LiftHold(std::uint64_t number);
  const std::vector<Hold>& holds() const { return holds_; }  // in force

  struct ErasureState {
    bool keys_destroyed = false;
    bool files_done = false;
    bool is_held = false;  // copies under a hold remain
    Micros asked_at;
  };
  // Destroys the vehicle's key at once and has its frames taken out of the files by Work(). Safe to
  // repeat: says how far it is. With nothing uncommitted.
  Result<ErasureState> EraseVehicle(const std::string& job, const VehicleRef& vehicle);

  // The wall clock is right as it is now (ClockGuard::Confirm). Durable when it returns; on an
  // error it is not confirmed.
  Status ConfirmClock();

  // Config records seen in the stream; kept with the next Commit().
  void NoteContract(std::uint32_t number, const ContractRecord& contract);
  // Any thread. kNotFound: no config record has named this number.
  Result<std::string> ContractDigest(std::uint32_t number) const;

  const std::vector<std::string>& positions() const { return positions_; }
  const std::string& account() const { return account_; }
  const Windows& windows() const { return options_.windows; }
  bool keys_locked() const { return keys_.locked(); }
  AuditLog& audit() { return *audit_; }
  ClockGuard& guard() { return *guard_; }
  const ClockGuard& guard() const { return *guard_; }
  KeyTree& keys() const { return keys_; }
  Catalog& catalog() { return *catalog_; }
  std::uint64_t next_segment() const { return committed_next_segment_; }
  std::string PathOf(const SegmentRecord& record) const;

  // Any thread. The committed frames that may hold events of [from, to), hours ascending; with
  // `hold` those that it keeps, else what is not held: of an erased vehicle nothing. An index that
  // is damaged is gone round.
  //   kUnavailable  disk
  Result<std::vector<FrameRef>> Find(const VehicleRef& vehicle, FrameClass frame_class, Micros from,
                                     Micros to,
                                     std::optional<std::uint64_t> hold = std::nullopt) const;
  // Any thread.
  bool IsErased(const VehicleRef& vehicle) const;
  // Any thread. Whether a reader may still see an entry of this basis: the exact edge.
  bool IsReadable(const SegmentHead& head, Micros basis) const;

  // Reads frames one after the other; keeps the last segment open. One thread each.
  class FrameReader {
   public:
    explicit FrameReader(const Store& store) : store_(store) {}
    //   kNotFound     a parent key was destroyed meanwhile, or its vehicle erased
    //   kCorrupt      it does not open
    //   kUnavailable  disk
    Result<Frame> Read(const FrameRef& ref);

   private:
    const Store& store_;
    std::shared_ptr<const SegmentFile> segment_;
    std::unique_ptr<File> file_;
    std::unique_ptr<FrameCipher> cipher_;
  };

 private:
  struct Writer;
  struct WriterKey {
    HourKeyId id;
    PartitionId partition;
    friend auto operator<=>(const WriterKey&, const WriterKey&) = default;
  };
  using ByVehicle = std::unordered_map<VehicleRef, std::vector<FrameSpan>, VehicleRefHash>;
  struct LiveSegment {
    std::shared_ptr<const SegmentFile> file;
    SegmentRecord record;  // as in the catalogue
    ByVehicle spans;       // while it has no index
  };
  using Place = std::pair<RetentionClass, PartitionId>;

  Store(Disk& disk, Clock& clock, Random& random, Counters& counters, KeyTree& keys,
        PresenceLedger& ledger, StoreOptions options);

  // store_recover.cc
  Status Recover();
  Status OpenCatalog();
  Status LoadCatalog();
  Status ImportFormat1(const std::string& path);
  Status ApplyWindows();
  Status AdoptSegments();
  Status AdoptSegment(const SegmentRecord& record);
  Status NoteFormat1();
  Status EndOrphans(const std::vector<SegmentRecord>& without_key);
  Status ClearFolders();
  Status ClearFolder(const std::string& folder);
  ByVehicle ScanFrames(const File& file, SegmentRecord& record);

  // store.cc
  Result<Writer*> WriterOf(const HourKeyId& id, Hour dies_at, std::uint32_t window_hours,
                           PartitionId partition);
  Status PutPart(const HourKeyId& id, Hour dies_at, std::uint32_t window_hours,
                 const VehicleRef& key_vehicle, Frame part);
  Status PutHeld(const Hold& hold, const HourKeyId& from, const Frame& frame);
  std::optional<Reason> WhyNot(RetentionClass retention_class, Hour hour, Hour begun) const;
  Status WriteOut(Writer& writer);
  Status CommitCatalog(const std::vector<std::string>& positions, std::string_view account);
  void Publish();
  void AddLive(LiveSegment live) REQUIRES(index_mutex_);
  void DropLive(std::uint64_t number) REQUIRES(index_mutex_);
  Status CloseSegments(const std::vector<std::uint64_t>& numbers);
  Result<std::uint64_t> WriteIndex(const LiveSegment& live);

  // store_find.cc
  Result<std::vector<FrameSpan>> SpansOf(const LiveSegment& live, const VehicleRef& vehicle) const;
  Result<std::vector<FrameSpan>> AllSpans(const LiveSegment& live) const;
  std::vector<LiveSegment> Candidates(const VehicleRef& vehicle, FrameClass frame_class,
                                      std::int64_t first, std::int64_t last,
                                      std::optional<std::uint64_t> hold) const;
  PartitionId PartitionOf(const VehicleRef& vehicle) const {
    return vehicle.PartitionOf(options_.partitions);
  }

  // store_expire.cc
  Status EndHours(const std::vector<HourKeyId>& ids, const std::vector<VehicleRef>& vehicles,
                  std::optional<Hour> through);
  std::vector<SegmentRecord> Forget(const std::set<HourKeyId>& ids);
  Status RecordEnds(const std::vector<SegmentRecord>& segments, const std::vector<HourKeyId>& ids,
                    std::optional<Hour> through);
  Status RemoveFile(const SegmentRecord& record);
  Status GiveReceipts();

  // store_erase.cc
  Result<bool> CopyHeld();
  Status CopyVehicle(const Hold& hold, const VehicleRef& vehicle);
  Result<bool> RewriteOne();
  Status RewriteSegment(const LiveSegment& old,
                        const std::unordered_set<VehicleRef, VehicleRefHash>& erased);
  Status ReplaceSegment(const SegmentRecord& old, SegmentRecord record, const SegmentHead& head,
                        std::string content, std::vector<FrameSpan> kept);
  Status DestroyVehicle(const VehicleRef& vehicle);
  Status FinishLifted();
  Status ForgetWhomItHeld(std::vector<Hold> lifted);
  Status FinishErasures(const std::vector<ErasureJob>& erasures);

  std::string SegmentsFolder() const { return options_.dir + "/segments"; }
  std::string FolderOf(const SegmentRecord& record) const;

  Disk& disk_;
  Clock& clock_;
  Random& random_;
  Counters& counters_;
  KeyTree& keys_;
  PresenceLedger& ledger_;
  const StoreOptions options_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<ClockGuard> guard_;

  std::vector<std::string> positions_;
  std::string account_;
  std::map<WriterKey, std::unique_ptr<Writer>> writers_;
  std::uint64_t committed_next_segment_ = 0;
  std::uint64_t next_segment_ = 0;  // plus what is not committed
  std::uint64_t uncommitted_bytes_ = 0;
  Hour destroyed_through_{-1};  // nothing that dies at this hour or before is ever stored again
  std::set<HourKeyId> ended_;   // and none of these, whatever the window is now
  std::vector<SegmentRecord> unrecorded_;  // ended, and the catalogue could not be told yet
  std::set<HourKeyId> unrecorded_ids_;
  bool receipts_due_ = true;
  mutable Hour looked_through_{-1};  // no key dies up to here
  std::vector<Hold> holds_;
  bool has_work_ = true;                 // a hold to copy, an erasure to finish
  std::uint64_t rewritten_through_ = 0;  // segments below were looked through for erasures
  std::map<std::pair<std::uint64_t, HourKeyId>, OrdinalSet> held_;  // since the last commit

  mutable Mutex index_mutex_;
  std::map<std::uint64_t, LiveSegment> live_ GUARDED_BY(index_mutex_);
  std::map<Place, std::set<std::uint64_t>> by_place_ GUARDED_BY(index_mutex_);
  std::map<std::uint32_t, ContractRecord> contracts_ GUARDED_BY(index_mutex_);
  bool contracts_changed_ GUARDED_BY(index_mutex_) = false;
  // SHA-256 of the references.
  std::unordered_set<std::string> erased_ GUARDED_BY(index_mutex_);
};

}  // namespace telltale::vault
