#include "gateway/choice_book.h"

#include <algorithm>

#include "gateway/streams.h"

namespace telltale::gateway {

void TakenChoices::Add(const TakenChoice& taken) {
  MutexLock lock(mutex_);
  if (waiting_.size() < kTakenChoicesMax) waiting_.push_back(taken);
}

std::vector<TakenChoice> TakenChoices::Take(std::size_t at_most) {
  MutexLock lock(mutex_);
  const auto end =
      waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(at_most, waiting_.size()));
  std::vector<TakenChoice> taken(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  return taken;
}

Vehicle ChoiceBook::Apply(Vehicle vehicle) {
  const auto found = entries_.find(vehicle.ref);
  if (found != entries_.end() && found->second.taken.number > vehicle.choice_number) {
    vehicle.choice_number = found->second.taken.number;
    vehicle.choice_off = found->second.off;
    return vehicle;
  }
  if (vehicle.choice_number == 0) return vehicle;
  const bool is_new = found == entries_.end() || found->second.taken.number < vehicle.choice_number;
  if (is_new) {
    const PartitionId partition = vehicle.ref.PartitionOf(partitions_);
    entries_[vehicle.ref] = {{.vehicle = vehicle.ref,
                              .number = vehicle.choice_number,
                              .partition = partition,
                              .safety = writer_.next_offset(kSafety, partition),
                              .telemetry = writer_.next_offset(kTelemetry, partition),
                              .sealed = writer_.next_offset(kSealed, partition)},
                             vehicle.choice_off};
  }
  // Also one taken before that the registry still asks for: what was told of it was lost.
  if (told_ != nullptr && !vehicle.is_choice_in_force) told_->Add(entries_[vehicle.ref].taken);
  return vehicle;
}

}  // namespace telltale::gateway
