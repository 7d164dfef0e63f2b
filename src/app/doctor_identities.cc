#include "app/doctor_identities.h"

#include <fmt/format.h>

#include <algorithm>

#include "contract/telemetry_record.h"
#include "contract/wire.h"
#include "gateway/streams.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

// What the gateway derives from sealed fields (docs/formats/telemetry-record.md).
constexpr std::uint32_t kCellField = 10'001;
constexpr std::uint32_t kHeadingOctantField = 10'002;

void Extend(SeqRange& range, std::uint64_t seq) {
  range.first = range.count == 0 ? seq : std::min(range.first, seq);
  range.last = std::max(range.last, seq);
  ++range.count;
}

}  // namespace

bool HadSealedContent(const log::RecordHeader& header, ByteSpan payload) {
  const auto fields = contract::OpenFieldsOf(header.flags, payload);
  if (!fields) return false;
  contract::WireCursor cursor(*fields);
  std::uint32_t number = 0;
  contract::WireType type{};
  while (!cursor.done() && cursor.ReadTag(number, type)) {
    if (number == kCellField || number == kHeadingOctantField) return true;
    if (!cursor.Skip(type)) return false;
  }
  return false;
}

Identities::Identities(Options options, DoctorReport& report)
    : options_(std::move(options)), report_(report) {}

Identities::Boot& Identities::BootOf(const log::RecordView& record) {
  const Key key{record.header.vehicle, record.header.boot};
  if (last_ == nullptr || last_->first != key) {
    last_ = &*boots_.try_emplace(key).first;
    last_->second.partition = record.partition;
  }
  return last_->second;
}

bool Identities::See(OpenStream& stream, const log::RecordHeader& header) {
  switch (stream.sequence.See(header.seq, header.content_hash)) {
    case sequence::Verdict::kNew:
      return true;
    case sequence::Verdict::kDuplicate:
      Extend(stream.repeats, header.seq);
      return false;
    case sequence::Verdict::kSeqConflict:
      Extend(stream.conflicts, header.seq);
      return false;
  }
  return false;
}

void Identities::SeeSealed(const log::RecordView& record) {
  const log::RecordHeader& header = record.header;
  if (header.kind == log::RecordKind::kQuarantine) {
    BootOf(record).elsewhere.Insert(header.seq);
  } else if (header.kind == log::RecordKind::kData &&
             seal::KindOfData(header.flags) == seal::Binding::Kind::kData) {
    // Nothing derived in the open record tells whether a report had fields nobody knows.
    BootOf(record).sealed.push_back({header.receipt_time, header.seq});
  }
}

void Identities::SeeTelemetry(const log::RecordView& record) {
  const log::RecordHeader& header = record.header;
  if (header.kind != log::RecordKind::kData) return;
  Boot& boot = BootOf(record);
  const bool is_new = See(boot.open[kTelemetry], header);
  const std::size_t partition = record.partition.value;
  if (is_new && partition < options_.taken_below.size() &&
      record.offset < options_.taken_below[partition]) {
    ++taken_;
  }
  boot.newest_telemetry = std::max(boot.newest_telemetry, header.receipt_time);
  if (!HadSealedContent(header, record.payload)) return;
  if (!boot.is_sealed_sorted) std::sort(boot.sealed.begin(), boot.sealed.end());
  boot.is_sealed_sorted = true;
  const auto of_batch =
      std::lower_bound(boot.sealed.begin(), boot.sealed.end(), Arrival{header.receipt_time, 0});
  if (of_batch != boot.sealed.end() && of_batch->receipt == header.receipt_time) {
    boot.covered.Insert(header.seq);
    return;
  }
  const auto from = options_.sealed_from.find(record.partition);
  const bool may_have_expired =
      from != options_.sealed_from.end() && header.receipt_time <= from->second;
  if (!may_have_expired) boot.uncovered.push_back({header.receipt_time, header.seq});
}

void Identities::SeeSafety(const log::RecordView& record) {
  const log::RecordHeader& header = record.header;
  if (header.kind != log::RecordKind::kData) return;
  Boot& boot = BootOf(record);
  (void)See(boot.open[kSafety], header);
  if (boot.open[kTelemetry].sequence.seen().Contains(header.seq)) return;
  boot.safety_alone.push_back({header.receipt_time, header.seq});
}

void Identities::Judge(Whole whole) {
  for (auto& [key, boot] : boots_) {
    JudgeOpen(key, boot);
    if (!whole.telemetry) continue;
    const auto from = options_.telemetry_from.find(boot.partition);
    const auto may_have_expired = [&](const Arrival& one) {
      return from != options_.telemetry_from.end() && one.receipt <= from->second;
    };
    std::erase_if(boot.safety_alone, may_have_expired);
    JudgeOrphans(key, boot, FindingKind::kOrphanSafety, boot.safety_alone);
    std::erase_if(boot.sealed, [&](const Arrival& one) {
      return may_have_expired(one) || boot.open[kTelemetry].sequence.seen().Contains(one.seq);
    });
    JudgeOrphans(key, boot, FindingKind::kOrphanSealed, boot.sealed);
    if (whole.sealed) {
      std::erase_if(boot.uncovered,
                    [&](const Arrival& one) { return boot.covered.Contains(one.seq); });
      JudgeOrphans(key, boot, FindingKind::kOrphanTelemetry, boot.uncovered);
    }
    for (const Arrival& one : boot.safety_alone) boot.elsewhere.Insert(one.seq);
    for (const Arrival& one : boot.sealed) boot.elsewhere.Insert(one.seq);
    JudgeMissing(key, boot);
  }
}

void Identities::JudgeOrphans(const Key& key, const Boot& boot, FindingKind kind,
                              const std::vector<Arrival>& orphans) {
  SeqRange left_behind;
  SeqRange pending;
  sequence::IntervalSet told;  // a repeat of an orphan is the same orphan
  for (const Arrival& one : orphans) {
    if (told.Insert(one.seq)) {
      Extend(boot.newest_telemetry > one.receipt ? left_behind : pending, one.seq);
    }
  }
  const std::string where = fmt::format("partition {}", boot.partition.value);
  AddRange(kind, key, left_behind, where);
  AddRange(FindingKind::kResendPending, key, pending, where);
}

void Identities::JudgeOpen(const Key& key, const Boot& boot) {
  constexpr std::array<std::string_view, kOpenCount> kNames = {"telemetry", "safety"};
  for (std::size_t i = 0; i < kOpenCount; ++i) {
    const std::string where =
        fmt::format("stream {} partition {}", kNames[i], boot.partition.value);
    AddRange(FindingKind::kSeqConflict, key, boot.open[i].conflicts, where);
    AddRange(FindingKind::kRepeat, key, boot.open[i].repeats, where);
  }
}

void Identities::JudgeMissing(const Key& key, const Boot& boot) {
  const auto& runs = boot.open[kTelemetry].sequence.seen().intervals();
  if (runs.empty()) return;
  // Where records have expired nobody knows what lay before the first that is kept.
  const bool from_zero = !options_.telemetry_from.contains(boot.partition);
  SeqRange missing;
  std::uint64_t expected = from_zero ? 0 : runs.front().first;
  for (const sequence::IntervalSet::Interval& run : runs) {
    std::uint64_t gap = run.first - expected;
    for (const sequence::IntervalSet::Interval& other : boot.elsewhere.intervals()) {
      const std::uint64_t first = std::max(other.first, expected);
      const std::uint64_t last = std::min(other.last, run.first - 1);
      if (run.first > expected && first <= last) gap -= last - first + 1;
    }
    if (gap > 0) {
      if (missing.count == 0) missing.first = expected;
      missing.last = run.first - 1;
      missing.count += gap;
    }
    expected = run.last + 1;
  }
  AddRange(FindingKind::kMissing, key, missing, fmt::format("partition {}", boot.partition.value));
}

void Identities::AddRange(FindingKind kind, const Key& key, SeqRange range, std::string where) {
  if (range.count == 0) return;
  range.vehicle = key.vehicle;
  range.boot = key.boot;
  report_.Add(kind, {std::move(where), {}, range});
}

}  // namespace telltale::app
