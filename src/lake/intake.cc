#include "lake/intake.h"

#include <algorithm>

#include "base/cell.h"
#include "base/limits.h"
#include "contract/contract.h"
#include "contract/telemetry_record.h"
#include "lake/iceberg.h"
#include "lake/wire.h"

namespace telltale::lake {
namespace {

// The cell of the payload; a broken rest is the row builder's to count.
std::uint64_t CellOf(ByteSpan fields) {
  std::uint64_t cell = 0;
  WireReader reader(fields);
  WireField field;
  while (reader.Next(field)) {
    if (field.number == contract::kFieldCell && field.type == WireType::kFixed64) {
      cell = field.value;
    }
  }
  return cell;
}

}  // namespace

Result<TelemetryPayload> ParseTelemetryPayload(const log::RecordView& record) {
  TelemetryPayload payload;
  const auto fields = contract::OpenFieldsOf(record.header.flags, record.payload);
  if (!fields) {
    return Error{Code::kCorrupt, "a telemetry record is shorter than its previous-boot block"};
  }
  payload.fields = *fields;
  if (fields->size() == record.payload.size()) return payload;
  ByteReader in(record.payload.first(contract::kPreviousBootBytes));
  BootId previous;
  previous.counter = in.Get<std::uint32_t>();
  previous.random = in.Get<std::uint64_t>();
  payload.previous_boot = previous;
  payload.previous_last_seq = in.Get<std::uint64_t>();
  return payload;
}

Intake::Intake(std::uint16_t partitions, Counters& counters)
    : partitions_(partitions),
      duplicates_(counters.Drops("lake", Reason::kDuplicate)),
      conflicts_(counters.Drops("lake", Reason::kSeqConflict)),
      erased_(counters.Drops("lake", Reason::kErased)),
      past_horizon_(counters.Drops("lake", Reason::kPastHorizon)),
      clamped_(counters.Drops("lake", Reason::kEventTimeClamped)),
      bad_cell_(counters.Drops("lake", Reason::kPositionInvalid)),
      late_(counters.Get("lake.late_total")),
      implausible_gaps_(counters.Get("lake.implausible_gaps_total")) {}

ArrivalDelta& Intake::DeltaOf(const log::RecordView& record, VehicleRef vehicle, BootId boot,
                              Micros hour) {
  ArrivalDelta& delta = arrivals_[ArrivalKey{vehicle, boot, hour}];
  delta.partition = record.partition;
  delta.offset = record.offset;
  delta.receipt_time = std::max(delta.receipt_time, record.header.receipt_time);
  delta.log_time = record.log_time;
  return delta;
}

void Intake::Apply(const log::RecordView& record, VehicleRef vehicle, BootId boot,
                   const std::vector<MissingDelta>& deltas) {
  for (const MissingDelta& change : deltas) {
    DeltaOf(record, vehicle, boot, change.hour).missing += change.missing;
  }
}

std::uint64_t Intake::CheckedCell(std::uint64_t cell) {
  if (cell == 0) return 0;
  if (IsCoarseEnough(cell)) return cell;
  bad_cell_.Add();  // finer than the door may send: never written
  return 0;
}

void Intake::Evict(Vehicle& vehicle, Micros log_time) {
  vehicle.sequence.Evict(log_time);
  std::erase_if(vehicle.gaps, [&](const auto& entry) {
    return entry.second.last_seen().value < log_time.value - kIdentityHorizonUs;
  });
}

void Intake::CloseEarlierBoots(const log::RecordView& record, Vehicle& vehicle, BootId boot) {
  for (auto& [earlier, gaps] : vehicle.gaps) {
    if (earlier.counter >= boot.counter) break;  // the map is in order of the counter
    if (gaps.is_closed()) continue;
    deltas_.clear();
    gaps.Close(deltas_);
    Apply(record, record.header.vehicle, earlier, deltas_);
  }
}

void Intake::SeePreviousBoot(const log::RecordView& record, const TelemetryPayload& payload,
                             Vehicle& vehicle, Micros hour) {
  const BootId previous = *payload.previous_boot;
  if (previous.counter >= record.header.boot.counter) return;  // says nothing we could believe
  BootGaps& gaps = vehicle.gaps[previous];
  const std::uint64_t implausible = gaps.implausible();
  gaps.ExpectThrough(payload.previous_last_seq, hour, record.log_time);
  implausible_gaps_.Add(gaps.implausible() - implausible);
  deltas_.clear();
  gaps.Close(deltas_);
  Apply(record, record.header.vehicle, previous, deltas_);
}

void Intake::SeeNew(const log::RecordView& record, Vehicle& vehicle, Micros hour) {
  const BootId boot = record.header.boot;
  const bool is_new_boot = !vehicle.gaps.contains(boot);
  BootGaps& gaps = vehicle.gaps[boot];
  const std::uint64_t implausible = gaps.implausible();
  deltas_.clear();
  const bool is_open = gaps.See(record.header.seq, hour, record.log_time, deltas_);
  implausible_gaps_.Add(gaps.implausible() - implausible);
  if (is_new_boot && vehicle.gaps.rbegin()->first.counter > boot.counter) gaps.Close(deltas_);
  if (gaps.is_closed()) gaps.Book(record.log_time, deltas_);
  Apply(record, record.header.vehicle, boot, deltas_);
  if (is_open && !gaps.is_closed()) {
    partitions_[record.partition.value].timers.push_back(
        {record.log_time, record.header.vehicle, boot});
  }
  if (is_new_boot) CloseEarlierBoots(record, vehicle, boot);
}

std::optional<Intake::Accepted> Intake::See(const log::RecordView& record,
                                            const TelemetryPayload& payload) {
  const log::RecordHeader& header = record.header;
  // A vehicle with state is none that was erased: Erase() took it.
  if (is_erased_ && !vehicles_.contains(header.vehicle) && is_erased_(header.vehicle)) {
    erased_.Add();
    return std::nullopt;
  }
  Accepted accepted;
  accepted.event_time = header.event_time;
  if (accepted.event_time < Micros{0}) {
    accepted.event_time = Micros{0};
    clamped_.Add();
  }
  const Micros hour = HourOf(accepted.event_time);
  Vehicle& vehicle = vehicles_[header.vehicle];
  vehicle.partition = record.partition;
  Evict(vehicle, record.log_time);
  if (payload.previous_boot) SeePreviousBoot(record, payload, vehicle, hour);

  const auto verdict =
      vehicle.sequence.See(header.boot, header.seq, header.content_hash, record.log_time);
  if (verdict != sequence::Verdict::kNew) {
    (verdict == sequence::Verdict::kDuplicate ? duplicates_ : conflicts_).Add();
    ++DeltaOf(record, header.vehicle, header.boot, hour).duplicate;
    return std::nullopt;
  }
  SeeNew(record, vehicle, hour);
  accepted.is_late = header.receipt_time.value - accepted.event_time.value > kLatenessUs;
  accepted.is_past_horizon = record.log_time.value - accepted.event_time.value > kIdentityHorizonUs;
  if (accepted.is_late) late_.Add();
  if (accepted.is_past_horizon) past_horizon_.Add();
  ArrivalDelta& delta = DeltaOf(record, header.vehicle, header.boot, hour);
  ++delta.received;
  delta.late += accepted.is_late ? 1 : 0;

  // A little inside the horizon: quarters are forgotten with their vehicle, by log time.
  const bool is_forgotten =
      record.log_time.value - accepted.event_time.value > kIdentityHorizonUs - kQuarterUs;
  accepted.cell =
      vehicle.held.Apply({accepted.event_time, CheckedCell(CellOf(payload.fields)), is_forgotten});
  return accepted;
}

void Intake::SeeLogTime(const log::RecordView& record) {
  Partition& partition = partitions_[record.partition.value];
  partition.log_time = std::max(partition.log_time, record.log_time);
  while (!partition.timers.empty() &&
         record.log_time.value - partition.timers.front().noticed.value > kLatenessUs) {
    const Timer timer = partition.timers.front();
    partition.timers.pop_front();
    const auto vehicle = vehicles_.find(timer.vehicle);
    if (vehicle == vehicles_.end()) continue;
    const auto gaps = vehicle->second.gaps.find(timer.boot);
    if (gaps == vehicle->second.gaps.end()) continue;
    deltas_.clear();
    gaps->second.Book(record.log_time, deltas_);
    Apply(record, timer.vehicle, timer.boot, deltas_);
  }
}

std::size_t Intake::Erase(IsErased is_erased) {
  is_erased_ = std::move(is_erased);
  std::erase_if(arrivals_, [&](const auto& entry) { return is_erased_(entry.first.vehicle); });
  return std::erase_if(vehicles_, [&](const auto& entry) { return is_erased_(entry.first); });
}

ArrivalDeltas Intake::TakeArrivals() {
  ArrivalDeltas taken;
  taken.swap(arrivals_);
  std::erase_if(taken, [](const auto& entry) {
    const ArrivalDelta& d = entry.second;
    return d.received == 0 && d.missing == 0 && d.late == 0 && d.duplicate == 0;
  });
  return taken;
}

void Intake::Forget() {
  for (auto at = vehicles_.begin(); at != vehicles_.end();) {
    Vehicle& vehicle = at->second;
    Evict(vehicle, partitions_[vehicle.partition.value].log_time);
    at = vehicle.sequence.boots().empty() ? vehicles_.erase(at) : std::next(at);
  }
}

void Intake::Encode(std::string& out) const {
  PutLe(out, partitions());
  for (const Partition& partition : partitions_) {
    PutLe(out, partition.log_time.value);
    PutLe(out, partition.config.config_seq);
    PutLe(out, partition.config.contract_number);
    PutBlob(out, partition.config.contract_digest);
    PutBlob(out, partition.config.release);
    PutBlob(out, partition.config.environment);
  }
  std::vector<const std::pair<const VehicleRef, Vehicle>*> ordered;
  ordered.reserve(vehicles_.size());
  for (const auto& entry : vehicles_) ordered.push_back(&entry);
  std::sort(ordered.begin(), ordered.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  PutLe(out, static_cast<std::uint64_t>(ordered.size()));
  for (const auto* entry : ordered) {
    out.append(reinterpret_cast<const char*>(entry->first.bytes.data()), 16);
    PutLe(out, entry->second.partition.value);
    entry->second.sequence.Encode(out);
    entry->second.held.Encode(out);
    PutLe(out, static_cast<std::uint32_t>(entry->second.gaps.size()));
    for (const auto& [boot, gaps] : entry->second.gaps) {
      PutLe(out, boot.counter);
      PutLe(out, boot.random);
      gaps.Encode(out);
    }
  }
}

bool Intake::DecodeVehicle(ByteReader& in) {
  VehicleRef ref;
  const ByteSpan raw = in.Take(16);
  if (!in.ok()) return false;
  std::copy(raw.begin(), raw.end(), ref.bytes.begin());
  const auto [place, is_new] = vehicles_.try_emplace(ref);
  if (!is_new) return false;
  Vehicle& vehicle = place->second;
  vehicle.partition = PartitionId{in.Get<std::uint16_t>()};
  if (!in.ok() || vehicle.partition.value >= partitions_.size()) return false;
  if (!sequence::VehicleSequence::Decode(in, vehicle.sequence)) return false;
  if (!HeldCells::Decode(in, vehicle.held)) return false;
  const auto boots = in.Get<std::uint32_t>();
  for (std::uint32_t i = 0; in.ok() && i < boots; ++i) {
    BootId boot;
    boot.counter = in.Get<std::uint32_t>();
    boot.random = in.Get<std::uint64_t>();
    if (!BootGaps::Decode(in, vehicle.gaps[boot])) return false;
  }
  return in.ok();
}

void Intake::RestoreTimers() {
  for (const auto& [ref, vehicle] : vehicles_) {
    for (const auto& [boot, gaps] : vehicle.gaps) {
      for (const BootGaps::Gap& gap : gaps.gaps()) {
        if (gap.is_booked) continue;
        partitions_[vehicle.partition.value].timers.push_back({gap.noticed, ref, boot});
      }
    }
  }
  for (Partition& partition : partitions_) {
    std::sort(partition.timers.begin(), partition.timers.end(), [](const Timer& a, const Timer& b) {
      return std::tie(a.noticed, a.vehicle, a.boot) < std::tie(b.noticed, b.vehicle, b.boot);
    });
  }
}

Status Intake::Decode(ByteReader& in) {
  const Error corrupt{Code::kCorrupt, "the lake's state file is not what this program writes"};
  const auto count = in.Get<std::uint16_t>();
  if (!in.ok()) return corrupt;
  if (count != partitions_.size()) {
    return Error{Code::kInvalid, "the lake's state is of a log with " + std::to_string(count) +
                                     " partitions, the configuration says " +
                                     std::to_string(partitions_.size())};
  }
  for (Partition& partition : partitions_) {
    partition.log_time = Micros{in.Get<std::int64_t>()};
    partition.config.config_seq = in.Get<std::uint64_t>();
    partition.config.contract_number = in.Get<std::uint32_t>();
    partition.config.contract_digest = AsText(in.TakeBlob());
    partition.config.release = AsText(in.TakeBlob());
    partition.config.environment = AsText(in.TakeBlob());
  }
  const auto vehicles = in.Get<std::uint64_t>();
  for (std::uint64_t i = 0; in.ok() && i < vehicles; ++i) {
    if (!DecodeVehicle(in)) return corrupt;
  }
  if (!in.ok() || in.remaining() != 0) return corrupt;
  RestoreTimers();
  return Ok();
}

}  // namespace telltale::lake
