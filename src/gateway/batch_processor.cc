#include "gateway/batch_processor.h"

#include <algorithm>

#include "base/checksum.h"
#include "contract/telemetry_record.h"
#include "gateway/derive.h"
#include "net/tls_identity.h"

namespace telltale::gateway {
namespace {

// The firmware's name lies in the open streams: a short word of a small alphabet, never free text
// (a place as text has a comma or a blank) and never a VIN.
constexpr std::size_t kFirmwareNameBytesMax = 32;
constexpr std::size_t kPlaceDecimals = 3;  // of a degree: about 100 m

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A number with one point and the decimals of a place; a version with two points is none.
bool IsPreciseDecimal(std::string_view number) {
  const std::size_t point = number.find('.');
  return point != std::string_view::npos && number.rfind('.') == point && point > 0 &&
         number.size() - point - 1 >= kPlaceDecimals;
}

// "52.520008_13.404954" is made of a firmware's letters.
bool IsCoordinatePair(std::string_view name) {
  std::size_t decimals = 0;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t end = at;
    while (end < name.size() && (IsDigit(name[end]) || name[end] == '.')) ++end;
    if (IsPreciseDecimal(name.substr(at, end - at))) ++decimals;
    at = std::max(end, at + 1);
  }
  return decimals >= 2;
}

bool IsFirmwareName(std::string_view name) {
  const auto is_allowed = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '+' || c == '-';
  };
  return name.size() <= kFirmwareNameBytesMax &&
         std::all_of(name.begin(), name.end(), is_allowed) && !net::IsVin(name) &&
         !IsCoordinatePair(name);
}

// Above every number in base/reasons.h that a batch can meet.
constexpr std::size_t kReasonsEnd = 60;
static_assert(static_cast<std::size_t>(Reason::kOutOfOrderNotEvaluated) < kReasonsEnd);

}  // namespace

// What one batch did, counted only once it is staged, so that a retry counts once.
struct BatchProcessor::Tally {
  std::uint64_t accepted = 0;
  std::uint64_t refused_reports = 0;
  std::uint64_t refused_batches = 0;
  std::array<std::uint64_t, kReasonsEnd> reasons{};
  void Add(Reason reason, std::uint64_t by = 1) { reasons[static_cast<std::size_t>(reason)] += by; }
};

struct BatchProcessor::Counts {
  explicit Counts(Counters& counters)
      : accepted_qos0(counters.Get("reports_accepted_qos0")),
        accepted_qos1(counters.Get("reports_accepted_qos1")),
        accepted(counters.Get("reports_accepted")),
        quarantined(counters.Get("reports_quarantined")),
        refused_batches(counters.Get("batches_quarantined")),
        payload_bytes(counters.Get("payload_bytes")) {
    const std::vector<std::string> names = StreamNames();
    for (std::size_t i = 0; i < kStreamCount; ++i) {
      records[i] = &counters.Get("records." + names[i]);
      record_bytes[i] = &counters.Get("record_bytes." + names[i]);
    }
    for (std::size_t i = 0; i < kReasonsEnd; ++i) {
      const auto reason = static_cast<Reason>(i);
      if (ReasonName(reason) != "unlisted") drops[i] = &counters.Drops("gateway", reason);
    }
  }
  Counter& accepted_qos0;
  Counter& accepted_qos1;
  Counter& accepted;
  Counter& quarantined;
  Counter& refused_batches;
  Counter& payload_bytes;
  std::array<Counter*, kStreamCount> records{};
  std::array<Counter*, kStreamCount> record_bytes{};
  std::array<Counter*, kReasonsEnd> drops{};  // by number; null where the list has a gap
};

BatchProcessor::BatchProcessor(Options options, Parts parts, ContentKey content_key)
    : options_(options),
      parts_(parts),
      content_key_(content_key),
      counts_(std::make_unique<Counts>(parts.counters)),
      tally_(std::make_unique<Tally>()),
      sealing_{Sealing{seal::Binding::Kind::kData, {}, {}},
               Sealing{seal::Binding::Kind::kUnknown, {}, {}}} {
  CHECK(options.cell_level >= 0 && options.cell_level <= kFinestCellLevel);
}

BatchProcessor::~BatchProcessor() = default;

void BatchProcessor::UseContracts(ContractsInUse contracts) {
  contracts_ = std::move(contracts);
  first_splitter_ = std::make_unique<contract::Splitter>(contracts_.first.contract);
  next_splitter_.reset();
  if (!contracts_.next) return;
  next_splitter_ = std::make_unique<contract::Splitter>(contracts_.next->contract);
}

void BatchProcessor::ChooseContract(const VehicleRef& vehicle) {
  const bool is_next = next_splitter_ != nullptr && contracts_.cohort.Contains(vehicle);
  splitter_ = is_next ? next_splitter_.get() : first_splitter_.get();
  contract_number_ = is_next ? contracts_.next->number : contracts_.first.number;
}

Result<CommitNumber> BatchProcessor::Process(const Vehicle& vehicle, ByteSpan payload,
                                             std::uint8_t qos) {
  CHECK(first_splitter_ != nullptr);
  ChooseContract(vehicle.ref);
  const PartitionId partition = vehicle.ref.PartitionOf(options_.partitions);
  for (log::BatchBuilder& builder : builders_) builder.Clear(partition);
  *tally_ = {};
  vehicle_ = vehicle;
  boot_ = {};
  firmware_.clear();
  receipt_ = parts_.clock.NowUtc();
  previous_boot_block_.clear();
  for (Sealing& sealing : sealing_) sealing.plaintext.clear();
  unknown_fields_.clear();
  failure_ = Ok();
  const Status split = splitter_->Split(
      payload, vehicle.odometer_offset_km,
      [this](const contract::BatchHead& head) { OnHead(head); },
      [this](const contract::SplitReport& report) { OnReport(report); });
  if (!split.ok()) {
    ++tally_->refused_batches;
    Quarantine(payload, 0, ContentHash(payload), splitter_->reason());
  }
  RETURN_IF_ERROR(SealEntries());
  RETURN_IF_ERROR(failure_);
  ASSIGN_OR_RETURN(const CommitNumber commit, Stage());
  Count(qos, payload.size());
  return commit;
}

void BatchProcessor::OnHead(const contract::BatchHead& head) {
  boot_ = head.boot;
  if (IsFirmwareName(head.firmware)) {
    firmware_ = head.firmware;
  } else {
    tally_->Add(Reason::kOutOfRange);
  }
  if (!head.previous_boot) return;
  PutLe(previous_boot_block_, head.previous_boot->counter);
  PutLe(previous_boot_block_, head.previous_boot->random);
  PutLe(previous_boot_block_, head.previous_last_seq);
}

void BatchProcessor::OnReport(const contract::SplitReport& report) {
  if (report.refused != Reason::kNone) {
    ++tally_->refused_reports;
    return Quarantine(report.raw, report.seq, report.content_hash, report.refused);
  }
  ++tally_->accepted;
  log::RecordHeader header;
  header.vehicle = vehicle_.ref;
  header.boot = boot_;
  header.seq = report.seq;
  header.receipt_time = receipt_;
  const Micros latest{receipt_.value + kEventAheadMaxUs};
  // Below 1970 too: differences of times must not overflow in anyone's rules.
  header.event_time = std::clamp(report.event_time, Micros{0}, latest);
  if (header.event_time != report.event_time) tally_->Add(Reason::kEventTimeClamped);
  header.content_hash = content_key_.Hide(report.content_hash);
  header.contract_number = contract_number_;
  AddOpen(report, header);
  AddSealed(report, header);
}

void BatchProcessor::AddSealed(const contract::SplitReport& report,
                               const log::RecordHeader& header) {
  if (IsOff(kPreciseOff)) {
    const bool is_empty = report.sealed.empty() && report.unknown.empty();
    if (!is_empty) tally_->Add(Reason::kChoicePreciseOff);
    return;
  }
  const std::array<std::string_view, 2> parts{report.sealed, report.unknown};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) continue;
    Sealing& sealing = sealing_[i];
    if (sealing.plaintext.empty()) sealing.header = header;
    // With the clamped time: a clock that runs ahead must not keep a position longer.
    seal::AppendEntry(sealing.plaintext, {report.seq, header.event_time, parts[i]});
  }
}

void BatchProcessor::AddOpen(const contract::SplitReport& report, const log::RecordHeader& header) {
  Derive(report);
  log::RecordHeader telemetry = header;
  payload_.clear();
  if (!previous_boot_block_.empty()) {
    telemetry.flags |= contract::kFlagPreviousBoot;
    payload_.swap(previous_boot_block_);
  }
  // Off: the record is there all the same, for arrivals are counted in it.
  const bool is_off = IsOff(kBehaviourOff);
  if (!is_off) payload_.append(report.telemetry);
  if (is_off && !report.telemetry.empty()) tally_->Add(Reason::kChoiceBehaviourOff);
  payload_.append(derived_);
  builders_[kTelemetry].Add(telemetry, firmware_, AsBytes(payload_));
  if (!report.safety.empty() && (!is_off || options_.safety_always)) {
    payload_.assign(report.safety).append(derived_);
    builders_[kSafety].Add(header, firmware_, AsBytes(payload_));
  }
  if (!IsOff(kPreciseOff)) {  // else they are dropped, and leave no trace
    tally_->Add(Reason::kFieldUnknown, report.unknown_fields.size());
    unknown_fields_.insert(unknown_fields_.end(), report.unknown_fields.begin(),
                           report.unknown_fields.end());
  }
  if (report.odometer_overflow) tally_->Add(Reason::kOdometerOverflow);
}

void BatchProcessor::Derive(const contract::SplitReport& report) {
  derived_.clear();
  if (!IsOff(kCellOff)) {
    DerivePlace(report);
  } else if (report.latitude_deg || report.longitude_deg || report.heading_deg) {
    tally_->Add(Reason::kChoiceCellOff);
  }
  contract::AppendVehicleClass(derived_, vehicle_.vehicle_class);
}

void BatchProcessor::DerivePlace(const contract::SplitReport& report) {
  if (report.latitude_deg || report.longitude_deg) {
    std::optional<std::uint64_t> cell;
    if (report.latitude_deg && report.longitude_deg) {
      cell = CellOf(*report.latitude_deg, *report.longitude_deg, options_.cell_level);
    }
    if (cell) contract::AppendCell(derived_, *cell);
    if (!cell) tally_->Add(Reason::kPositionInvalid);
  }
  if (report.heading_deg) {
    const auto octant = HeadingOctantOf(*report.heading_deg);
    if (octant) contract::AppendHeadingOctant(derived_, *octant);
    if (!octant) tally_->Add(Reason::kOutOfRange);
  }
}

void BatchProcessor::Quarantine(ByteSpan raw, std::uint64_t seq, std::uint64_t content_hash,
                                Reason reason) {
  tally_->Add(reason);
  // Refused bytes may hold a place: that the report came and why it was refused is kept, they not.
  if (IsOff(kPreciseOff) && !raw.empty()) {
    tally_->Add(Reason::kChoicePreciseOff);
    raw = {};
  }
  log::RecordHeader header;
  header.kind = log::RecordKind::kQuarantine;
  header.vehicle = vehicle_.ref;
  header.boot = boot_;
  header.seq = seq;
  header.event_time = receipt_;
  header.receipt_time = receipt_;
  header.content_hash = content_key_.Hide(content_hash);
  header.contract_number = contract_number_;
  header.reason = static_cast<std::uint16_t>(reason);
  envelope_.clear();
  const seal::Binding binding{vehicle_.ref, boot_, seq, contract_number_,
                              seal::Binding::Kind::kQuarantine};
  if (Status sealed = parts_.sealer.Seal(binding, raw, envelope_); !sealed.ok()) {
    failure_ = std::move(sealed);
    return;
  }
  builders_[kSealed].Add(header, firmware_, AsBytes(envelope_));
}

Status BatchProcessor::SealEntries() {
  for (Sealing& sealing : sealing_) {
    if (sealing.plaintext.empty()) continue;
    const ByteSpan plaintext = AsBytes(sealing.plaintext);
    sealing.header.content_hash = content_key_.Hide(ContentHash(plaintext));
    if (sealing.kind == seal::Binding::Kind::kUnknown)
      sealing.header.flags |= seal::kFlagUnknownFields;
    envelope_.clear();
    const seal::Binding binding{vehicle_.ref, boot_, sealing.header.seq, contract_number_,
                                sealing.kind};
    RETURN_IF_ERROR(parts_.sealer.Seal(binding, plaintext, envelope_));
    builders_[kSealed].Add(sealing.header, firmware_, AsBytes(envelope_));
  }
  return Ok();
}

Result<CommitNumber> BatchProcessor::Stage() {
  std::array<log::ShardWriter::Staged, kStreamCount> staged{};
  std::size_t used = 0;
  for (std::size_t stream = 0; stream < kStreamCount; ++stream) {
    if (builders_[stream].count() > 0) staged[used++] = {stream, &builders_[stream]};
  }
  if (used == 0) return CommitNumber{0};
  return parts_.writer.Append(std::span(staged.data(), used));
}

void BatchProcessor::Count(std::uint8_t qos, std::size_t payload_bytes) {
  counts_->accepted.Add(tally_->accepted);
  (qos == 0 ? counts_->accepted_qos0 : counts_->accepted_qos1).Add(tally_->accepted);
  counts_->quarantined.Add(tally_->refused_reports);
  counts_->refused_batches.Add(tally_->refused_batches);
  counts_->payload_bytes.Add(payload_bytes);
  for (std::size_t stream = 0; stream < kStreamCount; ++stream) {
    counts_->records[stream]->Add(builders_[stream].count());
    counts_->record_bytes[stream]->Add(builders_[stream].bytes());
  }
  if (parts_.unknown != nullptr) {
    parts_.unknown->Add(firmware_, unknown_fields_, receipt_, contract_number_);
  }
  for (std::size_t i = 0; i < kReasonsEnd; ++i) {
    if (tally_->reasons[i] > 0 && counts_->drops[i] != nullptr) {
      counts_->drops[i]->Add(tally_->reasons[i]);
    }
  }
}

}  // namespace telltale::gateway
