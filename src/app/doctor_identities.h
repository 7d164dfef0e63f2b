// Reconciles what one shard's streams say of the same reports, by (vehicle, boot, seq). Reads
// nothing: the doctor shows it records, stream by stream in the order sealed, telemetry, safety.
//
// A car's batch is up to three records' worth of one commit, written in three files. A crash before
// the acknowledgement may leave only some of them. The car then sends the batch again, so in the
// end every identity is in each stream it belongs to, and what was left is a repeat. An identity
// that is still missing somewhere is an orphan once its car was heard again in that boot: a car
// sends what was not acknowledged before it sends anything newer.
//
// Whether a report had sealed content is told by what was derived from it (cell, heading octant);
// its batch's sealed record has the same vehicle, boot and receipt time.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "app/doctor_report.h"
#include "log/record.h"
#include "sequence/sequence.h"

namespace telltale::app {

// True when the open part of a report shows that it had sealed content.
bool HadSealedContent(const log::RecordHeader& header, ByteSpan telemetry_payload);

class Identities {
 public:
  // Log time before which a stream's records of a partition may have expired.
  using Horizon = std::map<PartitionId, Micros>;
  struct Options {
    Horizon telemetry_from;
    Horizon sealed_from;
    // By partition: telemetry below it counts in taken(). Empty: none does.
    std::vector<Offset> taken_below;
  };
  // Which streams were seen to their end.
  struct Whole {
    bool telemetry = true;  // false: orphans and gaps cannot be told
    bool sealed = true;     // false: whether a sealed record is missing cannot be told
  };
  Identities(Options options, DoctorReport& report);

  void SeeSealed(const log::RecordView& record);
  void SeeTelemetry(const log::RecordView& record);
  void SeeSafety(const log::RecordView& record);
  // Reports of telemetry, each once, that lie below options.taken_below.
  std::uint64_t taken() const { return taken_; }
  // Adds the findings. Once, after all was seen.
  void Judge(Whole whole);

 private:
  struct Key {
    VehicleRef vehicle;
    BootId boot;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Arrival {
    Micros receipt;
    std::uint64_t seq;
    friend auto operator<=>(const Arrival&, const Arrival&) = default;
  };
  enum Open : std::size_t { kTelemetry, kSafety, kOpenCount };
  struct OpenStream {
    sequence::BootSequence sequence;
    SeqRange repeats;
    SeqRange conflicts;
  };
  struct Boot {
    PartitionId partition;
    std::array<OpenStream, kOpenCount> open;
    sequence::IntervalSet
        elsewhere;                // numbers that came, but not to telemetry: quarantined, orphans
    std::vector<Arrival> sealed;  // first report of each sealed record
    bool is_sealed_sorted = false;
    sequence::IntervalSet covered;   // telemetry whose batch has its sealed record
    std::vector<Arrival> uncovered;  // telemetry that should have one and has not
    std::vector<Arrival> safety_alone;
    Micros newest_telemetry;
  };

  Boot& BootOf(const log::RecordView& record);
  bool See(OpenStream& stream, const log::RecordHeader& header);  // true: it is new
  void JudgeOrphans(const Key& key, const Boot& boot, FindingKind kind,
                    const std::vector<Arrival>& orphans);
  void JudgeOpen(const Key& key, const Boot& boot);
  void JudgeMissing(const Key& key, const Boot& boot);
  void AddRange(FindingKind kind, const Key& key, SeqRange range, std::string where);

  const Options options_;
  DoctorReport& report_;
  std::map<Key, Boot> boots_;
  std::uint64_t taken_ = 0;
  std::pair<const Key, Boot>* last_ = nullptr;  // records of a boot come in rows
};

}  // namespace telltale::app
