#include "gate/comparison.h"

#include <utility>

#include "gate/bytes_of.h"

namespace telltale::gate {
namespace {

using journal::JournalFollower;

// What the next call may not meet again.
bool MayHeal(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kNotFound;
}

}  // namespace

Comparison::Comparison(Disk& disk, ComparisonOptions options)
    : disk_(disk),
      options_(std::move(options)),
      pairing_(std::make_unique<Pairing>(options_.pairing)) {
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    for (const std::string& release : {options_.stable, options_.candidate}) {
      followers_.push_back({.journal = std::make_unique<JournalFollower>(
                                disk_, options_.journals + "/" + release, ShardId{shard},
                                JournalFollower::Marks::kAll)});
    }
  }
}

bool Comparison::Read(std::size_t records_max) {
  bool more = false;
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    for (const Side side : {Side::kStable, Side::kCandidate}) {
      if (QueuedIn(ShardId{shard}, side) < kQueuedMax) {
        more |= ReadOne(ShardId{shard}, side, records_max);
      }
    }
    for (std::uint32_t p = shard; p < options_.partitions; p += options_.shards) {
      pairing_->Settle(PartitionId{static_cast<std::uint16_t>(p)});
    }
  }
  return more;
}

bool Comparison::ReadOne(ShardId shard, Side side, std::size_t records_max) {
  Follower& follower = followers_[IndexOf(shard, side)];
  if (!follower.stopped.empty()) return false;
  const auto stop = [&follower](const Error& error) {
    if (MayHeal(error)) return false;
    follower.stopped = error.ToString();
    follower.is_broken = error.code == Code::kCorrupt || error.code == Code::kTooBig;
    return false;
  };
  if (!follower.journal->is_open()) {
    const Status opened =
        follower.journal->Open({.position = follower.begins, .complete_from = DoneIn(shard)});
    if (!opened.ok()) return stop(opened.error());
  }
  const Result<bool> more = follower.journal->Read(records_max);
  // Also when it broke off: what was read before that place counts.
  for (auto& [partition, part] : follower.journal->TakeReady()) {
    pairing_->Take(partition, side, std::move(part));
  }
  if (!more.ok()) return stop(more.error());
  follower.places.Add(follower.journal->Here());
  return *more;
}

std::map<PartitionId, Offset> Comparison::DoneIn(ShardId shard) const {
  std::map<PartitionId, Offset> done;
  for (std::uint32_t p = shard.value; p < options_.partitions; p += options_.shards) {
    const PartitionId id{static_cast<std::uint16_t>(p)};
    done[id] = pairing_->DoneTo(id);
  }
  return done;
}

std::size_t Comparison::QueuedIn(ShardId shard, Side side) const {
  std::size_t queued = 0;
  for (std::uint32_t p = shard.value; p < options_.partitions; p += options_.shards) {
    queued += pairing_->queued(PartitionId{static_cast<std::uint16_t>(p)}, side);
  }
  return queued;
}

std::vector<JournalSight> Comparison::sights() const {
  std::vector<JournalSight> sights;
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    for (const Side side : {Side::kStable, Side::kCandidate}) {
      const Follower& follower = followers_[IndexOf(ShardId{shard}, side)];
      sights.push_back({.side = side,
                        .shard = ShardId{shard},
                        .is_open = follower.journal->is_open(),
                        .is_broken = follower.is_broken,
                        .stopped = follower.stopped});
    }
  }
  return sights;
}

std::optional<journal::Mark> Comparison::NewestMark(PartitionId partition, Side side) const {
  const ShardId shard = log::ShardOf(partition, options_.shards);
  const auto& newest = followers_[IndexOf(shard, side)].journal->newest();
  const auto mark = newest.find(partition);
  if (mark == newest.end()) return std::nullopt;
  return mark->second;
}

const log::Position& Comparison::PlaceOf(ShardId shard, Side side) const {
  const Follower& follower = followers_[IndexOf(shard, side)];
  const journal::JournalPlace* const place = follower.places.NewestFor(DoneIn(shard));
  return place == nullptr ? follower.begins : place->position;
}

void Comparison::Encode(std::string& out) const {
  PutLe(out, options_.shards);
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    for (const Side side : {Side::kStable, Side::kCandidate}) {
      PutBlob(out, PlaceOf(ShardId{shard}, side).Encode());
    }
  }
  pairing_->Encode(out);
}

Status Comparison::Restore(ByteReader& in) {
  if (in.Get<std::uint16_t>() != options_.shards) {
    return Error{Code::kCorrupt, "gate state: of a log with other shards"};
  }
  std::vector<log::Position> places;
  for (std::size_t n = 0; n < followers_.size(); ++n) {
    ASSIGN_OR_RETURN(log::Position place, log::Position::Decode(in.TakeBlob()));
    if (!place.next.empty() && place.next.size() != options_.partitions) {
      return Error{Code::kCorrupt, "gate state: of a log with other partitions"};
    }
    places.push_back(std::move(place));
  }
  ASSIGN_OR_RETURN(Pairing pairing, Pairing::Decode(in, options_.pairing));
  *pairing_ = std::move(pairing);
  for (std::size_t n = 0; n < followers_.size(); ++n) {
    followers_[n].journal->Close();
    followers_[n].begins = std::move(places[n]);
    followers_[n].places.Clear();
  }
  return Ok();
}

}  // namespace telltale::gate
