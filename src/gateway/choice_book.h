// What vehicles chose, as a shard has taken it over: docs/choice.md.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "gateway/vehicle.h"
#include "log/log.h"

namespace telltale::gateway {

// From these offsets of the vehicle's partition on every record of it obeys choice `number`.
struct TakenChoice {
  VehicleRef vehicle;
  std::uint64_t number = 0;
  PartitionId partition;
  Offset safety;
  Offset telemetry;
  Offset sealed;
};

// On its way from the shards to the registry. More are left out: the registry, which does not know
// them then, names the vehicle again with its next map, and the shard tells again.
inline constexpr std::size_t kTakenChoicesMax = 1'000'000;

// Any thread.
class TakenChoices {
 public:
  void Add(const TakenChoice& taken);
  std::vector<TakenChoice> Take(std::size_t at_most);  // the oldest

 private:
  Mutex mutex_;
  std::vector<TakenChoice> waiting_ GUARDED_BY(mutex_);
};

// One shard's; on its thread. Remembers every vehicle that ever chose something, so that a
// connection or a message that comes with an older choice cannot bring it back.
class ChoiceBook {
 public:
  // `writer` must outlive it; `told` may be null.
  ChoiceBook(const log::ShardWriter& writer, std::uint16_t partitions, TakenChoices* told)
      : writer_(writer), partitions_(partitions), told_(told) {}

  // The vehicle with the newest choice that is known. One that is new here is taken over: every
  // connection of the vehicle must have what this returns before the next report is staged.
  Vehicle Apply(Vehicle vehicle);

 private:
  struct Entry {
    TakenChoice taken;
    std::uint8_t off = 0;
  };
  const log::ShardWriter& writer_;
  const std::uint16_t partitions_;
  TakenChoices* const told_;
  std::unordered_map<VehicleRef, Entry, VehicleRefHash> entries_;
};

}  // namespace telltale::gateway
