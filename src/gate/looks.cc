#include "gate/looks.h"

#include <algorithm>

#include "gate/bytes_of.h"

namespace telltale::gate {
namespace {

constexpr double kMib = 1 << 20;
constexpr std::size_t kMetricsMax = 3;

}  // namespace

void Looks::Look(const LookInput& input) {
  if (began_at_ && input.now - *began_at_ >= kBlock) CloseBlock();
  if (!began_at_) began_at_ = input.now;
  LookAtMarks(input);
  LookAtCosts(input);
}

// Late is a partition in which what was durable kLatencySlo ago is not marked.
void Looks::LookAtMarks(const LookInput& input) {
  const auto partitions = static_cast<std::uint16_t>(input.sights.safety_ends.size());
  for (std::uint16_t p = 0; p < partitions; ++p) {
    const PartitionId partition{p};
    auto& ends = ends_[partition];
    if (ends.empty() || ends.back().end < input.sights.safety_ends[p]) {
      ends.push_back({.at = input.now, .end = input.sights.safety_ends[p]});
    }
    while (ends.size() > 1 && ends[1].at <= input.now - kLatencySlo) ends.pop_front();
    if (ends.front().at > input.now - kLatencySlo) continue;
    for (const Side side : {Side::kStable, Side::kCandidate}) {
      const auto mark = input.comparison.NewestMark(partition, side);
      SideBlock& block = block_[static_cast<std::size_t>(side)];
      ++block.looks;
      if (!mark || mark->below < ends.front().end) ++block.late;
    }
  }
}

void Looks::LookAtCosts(const LookInput& input) {
  for (std::size_t side = 0; side < 2; ++side) {
    const WorkerSight& worker = input.sights.workers[side];
    SideBlock& block = block_[side];
    block.vehicles = std::max(block.vehicles, input.vehicles[side]);
    if (worker.cpu_s) {
      if (!block.has_cpu || *worker.cpu_s < block.cpu_from_s) block.cpu_from_s = *worker.cpu_s;
      block.cpu_to_s = *worker.cpu_s;
      block.has_cpu = true;
    }
    if (worker.rss_bytes) block.rss_bytes_max = std::max(block.rss_bytes_max, *worker.rss_bytes);
  }
}

void Looks::Add(std::string_view metric, double difference) {
  auto at = blocks_.find(metric);
  if (at == blocks_.end()) at = blocks_.emplace(std::string(metric), std::vector<double>()).first;
  if (at->second.size() < kBlocksMax) at->second.push_back(difference);
}

void Looks::CloseBlock() {
  const SideBlock& stable = block_[0];
  const SideBlock& candidate = block_[1];
  const auto share = [](const SideBlock& block) {
    return static_cast<double>(block.late) / static_cast<double>(block.looks);
  };
  const auto by_vehicles = [](double value, const SideBlock& block) {
    return value * kVehiclesPerUnit / static_cast<double>(block.vehicles);
  };
  if (stable.looks > 0 && candidate.looks > 0) {
    Add(kLatencyMetric, share(candidate) - share(stable));
  }
  const bool has_vehicles = stable.vehicles > 0 && candidate.vehicles > 0;
  if (has_vehicles && stable.has_cpu && candidate.has_cpu) {
    Add(kCpuMetric, by_vehicles(candidate.cpu_to_s - candidate.cpu_from_s, candidate) -
                        by_vehicles(stable.cpu_to_s - stable.cpu_from_s, stable));
  }
  if (has_vehicles && stable.rss_bytes_max > 0 && candidate.rss_bytes_max > 0) {
    Add(kMemoryMetric, by_vehicles(static_cast<double>(candidate.rss_bytes_max) / kMib, candidate) -
                           by_vehicles(static_cast<double>(stable.rss_bytes_max) / kMib, stable));
  }
  block_ = {};
  began_at_.reset();
}

std::vector<BlockEvidence> Looks::Blocks(
    const std::function<double(std::string_view)>& scale_of) const {
  std::vector<BlockEvidence> all;
  for (const auto& [metric, differences] : blocks_) {
    BlockEvidence evidence{.metric = metric};
    const double scale = scale_of(metric);
    for (const double difference : differences) {
      // Both run on one machine, and nobody changes their places by lot: so it says that it is
      // never first, and a gate that stands on such blocks knows that their order was not random.
      evidence.blocks.push_back(
          {.difference = std::clamp(difference / scale, -1.0, 1.0), .candidate_first = false});
    }
    all.push_back(std::move(evidence));
  }
  return all;
}

void Looks::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint32_t>(blocks_.size()));
  for (const auto& [metric, differences] : blocks_) {
    PutBlob(out, metric);
    PutLe(out, static_cast<std::uint32_t>(differences.size()));
    for (const double difference : differences) PutLe(out, difference);
  }
}

Status Looks::Restore(ByteReader& in) {
  std::map<std::string, std::vector<double>, std::less<>> read;
  for (auto left = GetCount(in, 8); left > 0 && in.ok(); --left) {
    std::string metric = GetText(in);
    auto& differences = read[std::move(metric)];
    for (auto more = GetCount(in, sizeof(double)); more > 0 && in.ok(); --more) {
      differences.push_back(in.Get<double>());
    }
  }
  if (!in.ok() || read.size() > kMetricsMax) {
    return Error{Code::kCorrupt, "gate state: the blocks are cut"};
  }
  blocks_ = std::move(read);
  return Ok();
}

}  // namespace telltale::gate
