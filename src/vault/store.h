// Frames on disk: encrypted from the first write, found by vehicle and hour, gone at their hour.
// Bytes: docs/formats/vault-segment.md; order of writes: the same page.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "base/mutex.h"
#include "base/random.h"
#include "vault/state.h"

namespace telltale::vault {

struct StoreOptions {
  std::string dir;  // the vault's folder
  Micros window;    // expire_at = basis + window
};

// A segment as readers need it. Immutable.
struct SegmentFile {
  SegmentHead head;
  std::string path;
};

// Where a frame lies.
struct FrameRef {
  std::shared_ptr<const SegmentFile> segment;
  std::uint64_t at = 0;
  std::uint32_t bytes = 0;
  std::uint32_t first_event_hour = 0;
  std::uint32_t last_event_hour = 0;
};

// One owner thread, except where "any thread" is said.
class Store {
 public:
  // Recovers: finishes destructions, cuts segments to their recorded lengths, removes what the
  // state does not name, builds the index from the frames' heads.
  //   kCorrupt, kUnsupported  the state cannot be trusted
  //   kUnavailable            disk
  // `disk`, `clock`, `random` and `counters` must outlive the store.
  static Result<std::unique_ptr<Store>> Open(Disk& disk, Clock& clock, Random& random,
                                             Counters& counters, StoreOptions options);
  ~Store();

  // Sets each entry's basis and stores the frame in the segments of its expiry hours; entries whose
  // hour has begun are left out and counted (kExpiredOnArrival). Durable after Commit().
  //   any error: nothing more can be stored until Rollback(); then read again from positions()
  Status Put(Frame frame);
  // Makes everything since the last Commit() durable together with `positions`, then findable.
  Status Commit(const std::vector<std::string>& positions);
  // Forgets what was put since the last Commit().
  void Rollback();
  std::uint64_t uncommitted_bytes() const { return uncommitted_bytes_; }

  // Destroys what is due: index and memory first, then keys, segments, receipt. Goes on when a step
  // fails and returns the first failure; call again.
  Status Expire();

  // Config records seen in the stream; kept with the next Commit().
  void NoteContract(std::uint32_t number, const ContractRecord& contract);
  // Any thread. kNotFound: no config record has named this number.
  Result<std::string> ContractDigest(std::uint32_t number) const;

  const std::vector<std::string>& positions() const { return state_.positions; }
  Micros window() const { return options_.window; }
  bool keys_locked() const { return keys_->locked(); }
  AuditLog& audit() { return *audit_; }

  // Any thread. The committed frames that may hold events of [from, to), hours ascending.
  std::vector<FrameRef> Find(const VehicleRef& vehicle, FrameClass frame_class, Micros from,
                             Micros to) const;

  // Reads frames one after the other; keeps the last segment open. One thread each.
  class FrameReader {
   public:
    explicit FrameReader(const Store& store) : store_(store) {}
    //   kNotFound     its hour was destroyed meanwhile
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
  using WriterKey = std::pair<Hour, FrameClass>;
  using ByVehicle = std::unordered_map<VehicleRef, std::vector<FrameRef>, VehicleRefHash>;
  struct HourIndex {
    std::map<FrameClass, ByVehicle> by_class;
  };

  Store(Disk& disk, Clock& clock, Random& random, Counters& counters, StoreOptions options);
  // store_recover.cc
  Status Recover();
  Status LoadState();
  Status AdoptFolder(const std::string& folder, Hour hour);
  Status AdoptSegment(const SegmentRecord& record);
  void ScanFrames(const File& file, const std::shared_ptr<const SegmentFile>& segment,
                  const SegmentRecord& record);
  // store.cc
  Result<Writer*> WriterOf(Hour hour, FrameClass frame_class);
  Status PutPart(Hour hour, Frame part);
  Status WriteOut(Writer& writer);
  Status SaveState(State next);
  void Publish();
  void AddToIndex(const FrameHead& head, FrameRef ref) REQUIRES(index_mutex_);
  Status SyncSegmentFolder(Hour hour);
  // store_expire.cc
  Result<std::vector<Hour>> DueHours(Hour through) const;
  void Forget(Hour hour);
  Status RemoveSegments(Hour hour);
  Status GiveReceipts(const std::vector<Hour>& gone);

  std::string SegmentsFolder() const { return options_.dir + "/segments"; }
  std::string HourFolder(Hour hour) const;
  std::string SegmentPath(Hour hour, std::uint64_t number) const;
  std::string StatePath() const { return options_.dir + "/state"; }

  Disk& disk_;
  Clock& clock_;
  Random& random_;
  Counters& counters_;
  const StoreOptions options_;
  State state_;  // as on disk
  std::unique_ptr<HourKeys> keys_;
  std::unique_ptr<AuditLog> audit_;
  std::map<WriterKey, std::unique_ptr<Writer>> writers_;
  std::uint64_t next_segment_ = 0;  // state_.next_segment plus what is not committed
  std::uint64_t uncommitted_bytes_ = 0;
  Hour all_gone_through_{-1};  // Expire() has nothing to do up to here

  mutable Mutex index_mutex_;
  std::map<Hour, HourIndex> index_ GUARDED_BY(index_mutex_);
  std::map<std::uint32_t, ContractRecord> contracts_ GUARDED_BY(index_mutex_);
};

}  // namespace telltale::vault
