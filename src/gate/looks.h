// L2: what pairing cannot see, minute by minute: how often each release was late with its marks,
// and what it cost. Of the moment, not of the streams: nothing brings a minute back. One thread.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gate/comparison.h"
#include "gate/evidence.h"
#include "gate/sights.h"

namespace telltale::gate {

inline constexpr Micros kBlock = Micros::Seconds(60);
inline constexpr Micros kLatencySlo = Micros::Seconds(2);  // from durable to marked
inline constexpr std::size_t kBlocksMax =
    20'160;  // of a metric: two weeks; later ones are not told
inline constexpr double kVehiclesPerUnit = 1'000;

inline constexpr std::string_view kLatencyMetric = "latency/marks_late";   // share of looks
inline constexpr std::string_view kCpuMetric = "resource/cpu_s_per_1000";  // in a block
inline constexpr std::string_view kMemoryMetric = "resource/rss_mib_per_1000";

struct LookInput {
  const Comparison& comparison;
  const Sights& sights;
  Micros now = {};  // monotonic
  // Of whom each release concludes: all that were heard, those in the shadow.
  std::array<std::int64_t, 2> vehicles = {};
};

class Looks {
 public:
  void Look(const LookInput& input);
  // `scale_of`: what a difference of the metric is divided by.
  std::vector<BlockEvidence> Blocks(const std::function<double(std::string_view)>& scale_of) const;

  void Encode(std::string& out) const;
  Status Restore(ByteReader& in);  // kCorrupt

 private:
  struct End {
    Micros at = {};
    Offset end = {};
  };
  struct SideBlock {
    std::uint64_t looks = 0;
    std::uint64_t late = 0;
    double cpu_from_s = 0;
    double cpu_to_s = 0;
    bool has_cpu = false;
    std::uint64_t rss_bytes_max = 0;
    std::int64_t vehicles = 0;
  };
  void LookAtMarks(const LookInput& input);
  void LookAtCosts(const LookInput& input);
  void CloseBlock();
  void Add(std::string_view metric, double difference);

  std::map<PartitionId, std::deque<End>> ends_;  // of the last kLatencySlo
  std::optional<Micros> began_at_;
  std::array<SideBlock, 2> block_ = {};
  std::map<std::string, std::vector<double>, std::less<>> blocks_;  // differences by metric
};

}  // namespace telltale::gate
