// A Pairing as bytes (docs/formats/gate-state.md).
#include <algorithm>

#include "gate/bytes_of.h"
#include "gate/pairing.h"

namespace telltale::gate {
namespace {

constexpr std::size_t kVoteBytes = 16 + 1;
constexpr std::size_t kExampleBytesMin = 4 + 4 + 8 + 4;

void EncodeRule(const std::string& name, const RuleVotes& rule, std::string& out) {
  PutBlob(out, name);
  PutLe(out, static_cast<std::uint32_t>(rule.vehicles.size()));
  // Sorted: equal states give equal files.
  std::vector<std::pair<VehicleRef, std::uint8_t>> sorted(rule.vehicles.begin(),
                                                          rule.vehicles.end());
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [vehicle, bits] : sorted) {
    PutRef(out, vehicle);
    PutLe(out, bits);
  }
  PutLe(out, static_cast<std::uint32_t>(rule.examples.size()));
  for (const PairedExample& one : rule.examples) {
    PutBlob(out, one.side);
    PutBlob(out, one.vehicle);
    PutLe(out, one.event_at_us);
    PutBlob(out, one.what);
  }
}

void DecodeRule(ByteReader& in, RuleVotes& rule) {
  for (auto left = GetCount(in, kVoteBytes); left > 0; --left) {
    const VehicleRef vehicle = GetRef(in);
    rule.vehicles[vehicle] = in.Get<std::uint8_t>();
  }
  for (auto left = GetCount(in, kExampleBytesMin); left > 0 && in.ok(); --left) {
    PairedExample one;
    one.side = GetText(in);
    one.vehicle = GetText(in);
    one.event_at_us = in.Get<std::int64_t>();
    one.what = GetText(in);
    rule.examples.push_back(std::move(one));
  }
}

}  // namespace

void Pairing::EncodePartition(const Partition& partition, std::string& out) {
  PutLe(out, partition.done.value);
  PutLe(out, partition.log_time.value);
  PutLe(out, partition.lots);
  PutLe(out, partition.config_seq.value);
  PutLe(out, static_cast<std::uint32_t>(partition.unjudged.size()));
  for (const VehicleRef& one : partition.unjudged) PutRef(out, one);
  PutLe(out, static_cast<std::uint32_t>(partition.warm.size()));
  for (const Warm& warm : partition.warm) {
    PutLe(out, warm.lots);
    PutLe(out, warm.since.value);
    PutLe(out, warm.from.value);
    PutLe(out, warm.from_log_time.value);
  }
  PutLe(out, static_cast<std::uint32_t>(partition.waiting.size()));
  for (const auto& [key, waiting] : partition.waiting) {
    PutBlob(out, key.first);
    PutRef(out, key.second);
    PutLe(out, static_cast<std::uint32_t>(waiting.size()));
    for (const Waiting& one : waiting) {
      PutLe(out, static_cast<std::uint8_t>(one.side));
      PutLe(out, static_cast<std::uint8_t>(one.is_counted ? 1 : 0));
      PutLe(out, one.input.value);
      PutLe(out, one.index);
      PutLe(out, one.event_at.value);
      PutLe(out, one.told.severity);
      PutLe(out, one.told.peak_bits);
      PutLe(out, one.told.speed_bits);
      PutLe(out, one.told.started_at_us);
      PutLe(out, one.told.cell);
      PutLe(out, one.told.heading_octant);
      PutLe(out, one.told.vehicle_class);
      PutBlob(out, one.told.unit);
    }
  }
  PutLe(out, static_cast<std::uint32_t>(partition.expiries.size()));
  for (const Expiry& one : partition.expiries) {
    PutLe(out, one.at.value);
    PutBlob(out, one.rule);
    PutRef(out, one.vehicle);
    PutLe(out, static_cast<std::uint8_t>(one.side));
    PutLe(out, one.input.value);
    PutLe(out, one.index);
  }
}

bool Pairing::DecodePartition(ByteReader& in, Partition& out) {
  const auto side_of = [](std::uint8_t side) {
    return side == 0 ? Side::kStable : Side::kCandidate;
  };
  out.done = Offset{in.Get<std::uint64_t>()};
  out.log_time = Micros{in.Get<std::int64_t>()};
  out.lots = in.Get<std::uint32_t>();
  out.config_seq = ConfigSeq{in.Get<std::uint64_t>()};
  for (auto left = GetCount(in, 16); left > 0 && in.ok(); --left) {
    out.unjudged.push_back(GetRef(in));
  }
  for (auto left = GetCount(in, 28); left > 0 && in.ok(); --left) {
    Warm warm;
    warm.lots = in.Get<std::uint32_t>();
    warm.since = Micros{in.Get<std::int64_t>()};
    warm.from = Offset{in.Get<std::uint64_t>()};
    warm.from_log_time = Micros{in.Get<std::int64_t>()};
    out.warm.push_back(warm);
  }
  for (auto left = GetCount(in, 24); left > 0 && in.ok(); --left) {
    std::string rule = GetText(in);
    const VehicleRef vehicle = GetRef(in);
    auto& waiting = out.waiting[{std::move(rule), vehicle}];
    for (auto more = GetCount(in, 66); more > 0 && in.ok(); --more) {
      Waiting one;
      one.side = side_of(in.Get<std::uint8_t>());
      one.is_counted = in.Get<std::uint8_t>() != 0;
      one.input = Offset{in.Get<std::uint64_t>()};
      one.index = in.Get<std::uint32_t>();
      one.event_at = Micros{in.Get<std::int64_t>()};
      one.told.severity = in.Get<std::uint32_t>();
      one.told.peak_bits = in.Get<std::uint64_t>();
      one.told.speed_bits = in.Get<std::uint64_t>();
      one.told.started_at_us = in.Get<std::int64_t>();
      one.told.cell = in.Get<std::uint64_t>();
      one.told.heading_octant = in.Get<std::uint32_t>();
      one.told.vehicle_class = in.Get<std::uint32_t>();
      one.told.unit = GetText(in);
      waiting.push_back(std::move(one));
    }
  }
  for (auto left = GetCount(in, 41); left > 0 && in.ok(); --left) {
    Expiry one;
    one.at = Micros{in.Get<std::int64_t>()};
    one.rule = GetText(in);
    one.vehicle = GetRef(in);
    one.side = side_of(in.Get<std::uint8_t>());
    one.input = Offset{in.Get<std::uint64_t>()};
    one.index = in.Get<std::uint32_t>();
    out.expiries.push_back(std::move(one));
  }
  return in.ok();
}

// What waits above the marks is not kept: it lies in the journals, and is read again.
void Pairing::Encode(std::string& out) const {
  PutLe(out, options_.not_before.value);
  PutLe(out, static_cast<std::uint32_t>(partitions_.size()));
  for (const auto& [id, partition] : partitions_) {
    PutLe(out, id.value);
    EncodePartition(partition, out);
  }
  PutLe(out, static_cast<std::uint32_t>(rules_.size()));
  for (const auto& [name, rule] : rules_) EncodeRule(name, rule, out);
  PutLe(out, outside_cohort_);
  PutLe(out, static_cast<std::uint32_t>(outside_vehicles_.size()));
  for (const VehicleRef& one : outside_vehicles_) PutRef(out, one);
  PutBlob(out, overflow_);
}

Result<Pairing> Pairing::Decode(ByteReader& in, PairingOptions options) {
  options.not_before = Micros{in.Get<std::int64_t>()};
  Pairing pairing(std::move(options));
  for (auto left = GetCount(in, 2); left > 0 && in.ok(); --left) {
    const PartitionId id{in.Get<std::uint16_t>()};
    Partition& partition = pairing.partitions_[id];
    if (!DecodePartition(in, partition)) break;
    for (const auto& [key, waiting] : partition.waiting) pairing.pending_ += waiting.size();
  }
  for (auto left = GetCount(in, 12); left > 0 && in.ok(); --left) {
    std::string name = GetText(in);
    RuleVotes& rule = pairing.rules_[std::move(name)];
    DecodeRule(in, rule);
    pairing.votes_ += rule.vehicles.size();
  }
  pairing.outside_cohort_ = in.Get<std::int64_t>();
  for (auto left = GetCount(in, 16); left > 0 && in.ok(); --left) {
    pairing.outside_vehicles_.push_back(GetRef(in));
  }
  pairing.overflow_ = GetText(in);
  if (!in.ok()) return Error{Code::kCorrupt, "gate state: the pairs are cut"};
  return pairing;
}

}  // namespace telltale::gate
