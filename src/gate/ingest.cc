#include "gate/ingest.h"

#include <algorithm>
#include <utility>

#include "gate/bytes_of.h"

namespace telltale::gate {
namespace {

constexpr const char* kStream = "telemetry";

void EncodeReport(const InputReport& report, std::string& out) {
  PutRef(out, report.vehicle);
  PutLe(out, report.boot.counter);
  PutLe(out, report.boot.random);
  PutLe(out, report.seq);
  PutLe(out, report.event_at.value);
  PutLe(out, report.log_time.value);
  PutLe(out, report.partition.value);
  PutBlob(out, report.firmware);
  PutLe(out, report.speed_kmh.value_or(-1));
  PutLe(out, report.vehicle_class.value_or(UINT32_MAX));
}

InputReport DecodeReport(ByteReader& in) {
  InputReport report;
  report.vehicle = GetRef(in);
  report.boot.counter = in.Get<std::uint32_t>();
  report.boot.random = in.Get<std::uint64_t>();
  report.seq = in.Get<std::uint64_t>();
  report.event_at = Micros{in.Get<std::int64_t>()};
  report.log_time = Micros{in.Get<std::int64_t>()};
  report.partition = PartitionId{in.Get<std::uint16_t>()};
  report.firmware = GetText(in);
  const auto speed_kmh = in.Get<double>();
  if (speed_kmh >= 0) report.speed_kmh = speed_kmh;
  const auto vehicle_class = in.Get<std::uint32_t>();
  if (vehicle_class != UINT32_MAX) report.vehicle_class = vehicle_class;
  return report;
}

}  // namespace

Ingest::Ingest(log::Streams& streams, std::uint16_t shards, std::uint16_t partitions,
               ConfigSeq began)
    : streams_(streams), partitions_(partitions), began_(began), shards_(shards) {}

bool Ingest::Read(const Pairing& pairing, const ErasureList& erased, std::size_t records_max) {
  bool more = false;
  for (std::uint16_t shard = 0; shard < shards_.size(); ++shard) {
    if (!shards_[shard].is_stopped) {
      more |= ReadShard(ShardId{shard}, pairing, erased, records_max);
    }
  }
  return more;
}

void Ingest::Stop(Shard& shard, const Error& error) {
  if (error.code == Code::kUnavailable || error.code == Code::kNotFound) return;
  shard.is_stopped = true;
  stopped_ = error.ToString();
}

Result<log::Position> Ingest::PlaceOfBeginning() const {
  ASSIGN_OR_RETURN(const log::LogShape shape, streams_.Describe());
  const auto stream = std::find(shape.streams.begin(), shape.streams.end(), kStream);
  if (stream == shape.streams.end()) return Error{Code::kNotFound, "no stream telemetry"};
  const auto index = static_cast<log::StreamIndex>(stream - shape.streams.begin());
  ASSIGN_OR_RETURN(const auto ledger, streams_.Ledger());
  log::Position place;
  place.next.resize(partitions_);
  std::vector<bool> found(partitions_);
  for (const auto& entry : ledger) {
    const std::uint16_t p = entry.partition.value;
    if (entry.stream != index || entry.config_seq != began_ || p >= partitions_ || found[p]) {
      continue;
    }
    place.next[p] = entry.offset;
    found[p] = true;
  }
  if (std::find(found.begin(), found.end(), false) != found.end()) {
    return Error{Code::kNotFound, "the rollout's config is not in every partition yet"};
  }
  return place;
}

Status Ingest::Open(ShardId id) {
  Shard& shard = shards_[id.value];
  if (!shard.begins) {
    ASSIGN_OR_RETURN(log::Position place, PlaceOfBeginning());
    for (std::uint16_t p = 0; p < partitions_; ++p) {
      if (p % shards_.size() != id.value) place.next[p] = Offset{};
    }
    shard.begins = std::move(place);
  }
  ASSIGN_OR_RETURN(shard.reader, streams_.OpenReader(kStream, id, *shard.begins));
  return Ok();
}

bool Ingest::TakeHeld(Shard& shard, const Pairing& pairing, const ErasureList& erased) {
  if (!shard.held) return true;
  const auto compared_to = pairing.LogTime(shard.held->partition);
  if (!compared_to || shard.held->log_time > *compared_to) return false;
  shard.log_time = std::max(shard.log_time, shard.held->log_time);
  if (!erased.Contains(shard.held->vehicle)) {
    tally_.Take(*shard.held, [&pairing](PartitionId partition, const VehicleRef& vehicle) {
      return pairing.WarmSince(partition, vehicle);
    });
  }
  shard.held.reset();
  return true;
}

bool Ingest::ReadShard(ShardId id, const Pairing& pairing, const ErasureList& erased,
                       std::size_t records_max) {
  Shard& shard = shards_[id.value];
  if (!shard.reader) {
    if (const Status opened = Open(id); !opened.ok()) {
      Stop(shard, opened.error());
      return false;
    }
  }
  for (std::size_t n = 0; n < records_max; ++n) {
    if (!TakeHeld(shard, pairing, erased)) return false;
    const auto record = shard.reader->Next();
    if (!record.ok()) {
      Stop(shard, record.error());
      return false;
    }
    if (*record == nullptr) return false;
    if ((*record)->header.kind != log::RecordKind::kData) {
      shard.log_time = std::max(shard.log_time, (*record)->log_time);
      continue;
    }
    shard.held = ReportOf(**record);
    if (!shard.held) ++unreadable_;
  }
  return true;
}

std::optional<Micros> Ingest::log_time() const {
  Micros slowest{INT64_MAX};
  for (const Shard& shard : shards_) slowest = std::min(slowest, shard.log_time);
  if (shards_.empty() || slowest == Micros{INT64_MIN}) return std::nullopt;
  return slowest;
}

void Ingest::Forget(const ErasureList& erased) {
  tally_.Forget(erased);
  for (Shard& shard : shards_) {
    if (shard.held && erased.Contains(shard.held->vehicle)) shard.held.reset();
  }
}

void Ingest::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint16_t>(shards_.size()));
  for (const Shard& shard : shards_) {
    const log::Position* place = shard.begins ? &*shard.begins : nullptr;
    if (shard.reader) place = &shard.reader->position();
    PutLe(out, static_cast<std::uint8_t>(place == nullptr ? 0 : 1));
    if (place != nullptr) PutBlob(out, place->Encode());
    PutLe(out, static_cast<std::uint8_t>(shard.held ? 1 : 0));
    if (shard.held) EncodeReport(*shard.held, out);
    PutLe(out, shard.log_time.value);
  }
  PutLe(out, unreadable_);
  tally_.Encode(out);
}

Status Ingest::Restore(ByteReader& in) {
  if (in.Get<std::uint16_t>() != shards_.size()) {
    return Error{Code::kCorrupt, "gate state: of a log with other shards"};
  }
  std::vector<Shard> read(shards_.size());
  for (Shard& shard : read) {
    if (in.Get<std::uint8_t>() != 0) {
      ASSIGN_OR_RETURN(log::Position place, log::Position::Decode(in.TakeBlob()));
      if (place.next.size() != partitions_) {
        return Error{Code::kCorrupt, "gate state: of a log with other partitions"};
      }
      shard.begins = std::move(place);
    }
    if (in.Get<std::uint8_t>() != 0) shard.held = DecodeReport(in);
    shard.log_time = Micros{in.Get<std::int64_t>()};
  }
  const auto unreadable = in.Get<std::uint64_t>();
  ASSIGN_OR_RETURN(ExposureTally tally, ExposureTally::Decode(in));
  shards_ = std::move(read);
  unreadable_ = unreadable;
  tally_ = std::move(tally);
  return Ok();
}

}  // namespace telltale::gate
