#include "safety/state.h"

#include <algorithm>

#include "base/limits.h"
#include "contract/config_wire.h"
#include "safety/decide.h"

namespace telltale::safety {
namespace {

constexpr std::int64_t kHourUs = 3'600 * 1'000'000ll;

void EvictOldBoots(PartitionState& state) {
  const std::int64_t hour = state.log_time.value / kHourUs;
  if (hour <= state.evicted_hour) return;
  state.evicted_hour = hour;
  for (auto at = state.vehicles.begin(); at != state.vehicles.end();) {
    at->second.sequence.Evict(state.log_time);
    at = at->second.sequence.boots().empty() ? state.vehicles.erase(at) : std::next(at);
  }
}

void TakeConfig(const Engine& engine, const internal::v1::ConfigRecord& config, Micros log_time,
                PartitionState& state) {
  state.config_seq = ConfigSeq{config.config_seq()};
  state.contract_number = config.contract_number();
  state.lots = LotsAfter(state.lots, config, engine.release, log_time);
  if (state.lots.all()) return;
  std::erase_if(state.vehicles,
                [&](const auto& vehicle) { return !state.lots.Has(vehicle.first); });
}

Status ApplyConfig(const Engine& engine, const log::RecordView& record, PartitionState& state) {
  // The log's owner has checked the signature before it appended this.
  const auto config = contract::ParseConfig(record.payload);
  if (!config.ok()) return Error{Code::kUnsupported, "a config record cannot be read"};
  if (config->config_seq() <= state.config_seq.value) return Ok();
  TakeConfig(engine, *config, std::max(state.log_time, record.log_time), state);
  return Ok();
}

void RunRules(const Engine& engine, const Report& report, VehicleState& vehicle,
              PartitionState& state, std::vector<Output>& out) {
  for (std::size_t n = 0; n < engine.set.rules.size(); ++n) {
    const auto rule = static_cast<std::uint8_t>(n);
    const auto at = std::find_if(vehicle.active.begin(), vehicle.active.end(),
                                 [rule](const ActiveRule& a) { return a.rule >= rule; });
    const bool active = at != vehicle.active.end() && at->rule == rule;
    if (!active && StaysIdle(report, engine.set.rules[n])) continue;
    const Decision decision = Decide(active ? at->episode : Episode{}, report, engine.set.rules[n]);
    for (std::uint8_t c = 0; c < decision.count; ++c) {
      const auto index = static_cast<std::uint32_t>(out.size());
      out.push_back({.index = index, .rule = rule, .change = decision.changes[c]});
      ++state.count(decision.changes[c].closed ? Count::kClosed : Count::kOpened);
    }
    if (decision.next.phase == Phase::kIdle) {
      if (active) vehicle.active.erase(at);
    } else if (active) {
      at->episode = decision.next;
    } else {
      vehicle.active.insert(at, {.rule = rule, .episode = decision.next});
    }
  }
}

void ApplyData(const Engine& engine, const log::RecordView& record, PartitionState& state,
               std::vector<Output>& out) {
  const log::RecordHeader& header = record.header;
  ++state.count(Count::kRecords);
  auto known = state.vehicles.find(header.vehicle);
  if (known == state.vehicles.end()) {
    if (!state.lots.Has(header.vehicle)) {
      ++state.count(Count::kOutsideLots);
      return;
    }
    known = state.vehicles.try_emplace(header.vehicle).first;
  }
  VehicleState& vehicle = known->second;
  switch (vehicle.sequence.See(header.boot, header.seq, header.content_hash, state.log_time)) {
    case sequence::Verdict::kDuplicate:
      ++state.count(Count::kDuplicate);
      return;
    case sequence::Verdict::kSeqConflict:
      ++state.count(Count::kSeqConflict);
      return;
    case sequence::Verdict::kNew:
      ++state.count(Count::kNew);
      break;
  }
  if (header.event_time.value < state.log_time.value - kIdentityHorizonUs) {
    ++state.count(Count::kPastHorizon);
  }
  if (header.event_time < vehicle.newest_event) {
    ++state.count(Count::kOutOfOrder);
    return;
  }
  vehicle.newest_event = header.event_time;

  Values values;
  const Scanner::Outcome outcome = engine.scanner.Scan(record.payload, values);
  state.count(Count::kOutOfRange) += outcome.out_of_range;
  if (!outcome.whole) ++state.count(Count::kMalformed);
  RunRules(
      engine,
      {.boot = header.boot, .seq = header.seq, .event_time = header.event_time, .values = &values},
      vehicle, state, out);
}

}  // namespace

void BeginUnder(const Engine& engine, const internal::v1::ConfigRecord& config, Micros log_time,
                PartitionState& state) {
  TakeConfig(engine, config, log_time, state);
}

Status Apply(const Engine& engine, const log::RecordView& record, PartitionState& state,
             std::vector<Output>& out) {
  out.clear();
  switch (record.header.kind) {
    case log::RecordKind::kData:
    case log::RecordKind::kTick:
      break;
    case log::RecordKind::kConfig:
      RETURN_IF_ERROR(ApplyConfig(engine, record, state));
      break;
    default:
      return Error{Code::kUnsupported,
                   "control record of unknown kind " +
                       std::to_string(static_cast<unsigned>(record.header.kind)) +
                       "; this partition needs a newer worker"};
  }
  state.log_time = std::max(state.log_time, record.log_time);
  if (state.lots.since == kNotBegun) state.lots.since = state.log_time;
  EvictOldBoots(state);
  if (record.header.kind == log::RecordKind::kData) ApplyData(engine, record, state, out);
  return Ok();
}

}  // namespace telltale::safety
