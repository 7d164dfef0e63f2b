#include "safety/snapshot.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::safety {
namespace {

constexpr std::string_view kMagic = "TELLSNAP";
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kCountsVersion1 = 10;
constexpr std::size_t kVehicleBytesMin = 16 + 8 + 4 + 1;

Error Broken(const char* what) { return Error{Code::kCorrupt, std::string("snapshot: ") + what}; }

void EncodeEpisode(const ActiveRule& active, std::string& out) {
  const Episode& e = active.episode;
  const Surroundings& s = e.surroundings;
  PutLe(out, active.rule);
  PutLe(out, static_cast<std::uint8_t>(e.phase));
  PutLe(out, e.boot.counter);
  PutLe(out, e.boot.random);
  PutLe(out, e.first_seq);
  PutLe(out, e.started_at.value);
  PutLe(out, e.last_at.value);
  PutLe(out, e.peak);
  PutLe(out, static_cast<std::uint8_t>((s.cell ? 1 : 0) | (s.heading_octant ? 2 : 0) |
                                       (s.vehicle_class ? 4 : 0) | (s.speed_kmh ? 8 : 0)));
  PutLe(out, s.cell.value_or(0));
  PutLe(out, s.heading_octant.value_or(0));
  PutLe(out, s.vehicle_class.value_or(0));
  PutLe(out, s.speed_kmh.value_or(0));
}

template <typename T>
bool GetKnown(ByteReader& in, bool known, std::optional<T>& out) {
  const T value = in.Get<T>();
  if (known) {
    out = value;
    return true;
  }
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits == 0;
}

bool DecodeEpisode(ByteReader& in, std::uint16_t rules, ActiveRule& out) {
  Episode& e = out.episode;
  Surroundings& s = e.surroundings;
  out.rule = in.Get<std::uint8_t>();
  const auto phase = in.Get<std::uint8_t>();
  e.phase = static_cast<Phase>(phase);
  e.boot.counter = in.Get<std::uint32_t>();
  e.boot.random = in.Get<std::uint64_t>();
  e.first_seq = in.Get<std::uint64_t>();
  e.started_at = Micros{in.Get<std::int64_t>()};
  e.last_at = Micros{in.Get<std::int64_t>()};
  e.peak = in.Get<double>();
  const auto known = in.Get<std::uint8_t>();
  if (phase < 1 || phase > 2 || out.rule >= rules || known > 15) return false;
  if (e.last_at < e.started_at || !(e.peak == e.peak)) return false;
  return GetKnown(in, (known & 1) != 0, s.cell) &&
         GetKnown(in, (known & 2) != 0, s.heading_octant) &&
         GetKnown(in, (known & 4) != 0, s.vehicle_class) &&
         GetKnown(in, (known & 8) != 0, s.speed_kmh) && in.ok();
}

void EncodeVehicle(const VehicleRef& ref, const VehicleState& vehicle, std::string& out) {
  out.append(AsText(ref.bytes));
  PutLe(out, vehicle.newest_event.value);
  vehicle.sequence.Encode(out);
  PutLe(out, static_cast<std::uint8_t>(vehicle.active.size()));
  for (const ActiveRule& active : vehicle.active) EncodeEpisode(active, out);
}

bool DecodeVehicle(ByteReader& in, std::uint16_t rules, VehicleState& out) {
  out.newest_event = Micros{in.Get<std::int64_t>()};
  if (!sequence::VehicleSequence::Decode(in, out.sequence)) return false;
  const auto size = in.Get<std::uint8_t>();
  if (!in.ok() || size > rules) return false;
  for (std::uint8_t n = 0; n < size; ++n) {
    ActiveRule active;
    if (!DecodeEpisode(in, rules, active)) return false;
    if (n > 0 && active.rule <= out.active.back().rule) return false;
    out.active.push_back(active);
  }
  return true;
}

void EncodeRefs(const std::vector<VehicleRef>& refs, std::string& out) {
  PutLe(out, static_cast<std::uint32_t>(refs.size()));
  for (const VehicleRef& ref : refs) out.append(AsText(ref.bytes));
}

bool DecodeRef(ByteReader& in, VehicleRef& out) {
  const ByteSpan bytes = in.Take(out.bytes.size());
  if (!in.ok()) return false;
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return true;
}

bool DecodeRefs(ByteReader& in, std::vector<VehicleRef>& out) {
  const auto size = in.Get<std::uint32_t>();
  if (!in.ok() || size > in.remaining() / sizeof(VehicleRef::bytes)) return false;
  out.resize(size);
  return std::all_of(out.begin(), out.end(), [&](VehicleRef& ref) { return DecodeRef(in, ref); });
}

void EncodeLots(const Lots& lots, std::string& out) {
  PutLe(out, lots.count);
  PutLe(out, lots.since.value);
  PutBlob(out, lots.order.salt);
  EncodeRefs(lots.order.always, out);
  EncodeRefs(lots.order.never, out);
}

bool DecodeLots(ByteReader& in, Lots& out) {
  out.count = in.Get<std::uint32_t>();
  out.since = Micros{in.Get<std::int64_t>()};
  out.order.salt = AsText(in.TakeBlob());
  return in.ok() && out.count <= kLots && DecodeRefs(in, out.order.always) &&
         DecodeRefs(in, out.order.never);
}

void EncodePartition(PartitionId id, const PartitionState& state, std::string& out) {
  PutLe(out, id.value);
  PutLe(out, state.log_time.value);
  PutLe(out, state.evicted_hour);
  PutLe(out, state.config_seq.value);
  PutLe(out, state.contract_number);
  EncodeLots(state.lots, out);
  PutLe(out, static_cast<std::uint16_t>(kCounts));
  for (const std::uint64_t count : state.counts) PutLe(out, count);
  PutLe(out, static_cast<std::uint32_t>(state.vehicles.size()));
  // Sorted: equal states give equal files, whatever order the map has.
  std::vector<const std::pair<const VehicleRef, VehicleState>*> sorted;
  sorted.reserve(state.vehicles.size());
  for (const auto& entry : state.vehicles) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  for (const auto* entry : sorted) EncodeVehicle(entry->first, entry->second, out);
}

// Version 1 knows no lots: its writer computed everybody, for so long that nobody has to wait.
bool DecodePartition(ByteReader& in, std::uint32_t version, std::uint16_t rules,
                     PartitionState& out) {
  out.log_time = Micros{in.Get<std::int64_t>()};
  out.evicted_hour = in.Get<std::int64_t>();
  out.config_seq = ConfigSeq{in.Get<std::uint64_t>()};
  out.contract_number = in.Get<std::uint32_t>();
  out.lots.since = Micros{0};
  if (version > 1 && !DecodeLots(in, out.lots)) return false;
  const std::size_t counts = version > 1 ? kCounts : kCountsVersion1;
  if (in.Get<std::uint16_t>() != counts) return false;
  for (std::size_t n = 0; n < counts; ++n) out.counts[n] = in.Get<std::uint64_t>();
  const auto size = in.Get<std::uint32_t>();
  if (!in.ok() || size > in.remaining() / kVehicleBytesMin) return false;
  out.vehicles.reserve(size);
  VehicleRef before;
  for (std::uint32_t n = 0; n < size; ++n) {
    VehicleRef ref;
    if (!DecodeRef(in, ref)) return false;
    if (n > 0 && !(before < ref)) return false;
    if (!DecodeVehicle(in, rules, out.vehicles[ref])) return false;
    before = ref;
  }
  return true;
}

std::string EncodeBody(const SnapshotHead& head, const log::Position& position,
                       const std::map<PartitionId, PartitionState>& partitions) {
  std::string out;
  PutBlob(out, head.release);
  PutLe(out, head.shard);
  PutLe(out, head.shards);
  PutLe(out, head.partitions);
  PutLe(out, head.rules);
  PutBlob(out, position.Encode());
  PutBlob(out, "");  // ledger of configs: reserved
  PutLe(out, static_cast<std::uint16_t>(partitions.size()));
  for (const auto& [id, state] : partitions) EncodePartition(id, state, out);
  return out;
}

}  // namespace

std::string EncodeSnapshotBody(const Snapshot& snapshot) {
  return EncodeBody(snapshot.head, snapshot.position, snapshot.partitions);
}

std::string EncodeSnapshot(const SnapshotHead& head, const log::Position& position,
                           const std::map<PartitionId, PartitionState>& partitions) {
  const std::string body = EncodeBody(head, position, partitions);
  std::string out;
  out.reserve(kHeaderBytes + body.size() + kCrcBytes);
  out.append(kMagic);
  PutLe(out, static_cast<std::uint16_t>(VersionOf(Format::kSnapshot).written));
  PutLe(out, static_cast<std::uint16_t>(VersionOf(Format::kSnapshot).min_reader));
  PutLe(out, std::uint32_t{0});
  PutLe(out, static_cast<std::uint64_t>(body.size()));
  out.append(body);
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<Snapshot> DecodeSnapshotBody(ByteSpan body, std::uint32_t version) {
  ByteReader in(body);
  Snapshot out;
  out.head.release = AsText(in.TakeBlob());
  out.head.shard = in.Get<std::uint16_t>();
  out.head.shards = in.Get<std::uint16_t>();
  out.head.partitions = in.Get<std::uint16_t>();
  out.head.rules = in.Get<std::uint16_t>();
  const ByteSpan position = in.TakeBlob();
  in.TakeBlob();
  const auto size = in.Get<std::uint16_t>();
  if (!in.ok() || size > out.head.partitions || out.head.rules > kRulesMax ||
      out.head.shard >= out.head.shards) {
    return Broken("its head is cut or impossible");
  }
  ASSIGN_OR_RETURN(out.position, log::Position::Decode(position));
  if (out.position.next.size() != out.head.partitions)
    return Broken("its position is of another log");
  for (std::uint16_t n = 0; n < size; ++n) {
    const PartitionId id{in.Get<std::uint16_t>()};
    if (!in.ok() || id.value >= out.head.partitions ||
        (n > 0 && id <= out.partitions.rbegin()->first) ||
        log::ShardOf(id, out.head.shards).value != out.head.shard ||
        !DecodePartition(in, version, out.head.rules, out.partitions[id])) {
      return Broken("a partition is cut or impossible");
    }
  }
  if (in.remaining() != 0) return Broken("bytes are left over");
  return out;
}

Result<Snapshot> DecodeSnapshot(ByteSpan file, const SnapshotHead& expected) {
  ByteReader in(file);
  const ByteSpan magic = in.Take(kMagic.size());
  const auto version = in.Get<std::uint16_t>();
  const auto min_reader = in.Get<std::uint16_t>();
  in.Get<std::uint32_t>();
  const auto length = in.Get<std::uint64_t>();
  if (!in.ok() || AsText(magic) != kMagic) return Broken("not a snapshot");
  RETURN_IF_ERROR(CheckReadable(Format::kSnapshot, "snapshot", version, min_reader));
  if (in.remaining() < kCrcBytes || length != in.remaining() - kCrcBytes) {
    return Broken("length does not fit");
  }
  const ByteSpan body = in.Take(static_cast<std::size_t>(length));
  if (in.Get<std::uint32_t>() != Crc32c(file.first(file.size() - kCrcBytes))) {
    return Broken("check fails");
  }
  ASSIGN_OR_RETURN(Snapshot snapshot, DecodeSnapshotBody(body, version));
  if (snapshot.head != expected) {
    return Error{Code::kInvalid, "snapshot: of another release, shard or layout"};
  }
  return snapshot;
}

}  // namespace telltale::safety
